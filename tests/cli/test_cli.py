"""The door: what a person types, and what they get."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto.media.image import read

from door import run
from runs import PATIENCE

pytestmark = pytest.mark.once_in("bfloat16")

QUICK = ["--size", "64", "--steps", "5"]


def test_paint_and_reproduce(photo: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "-o", out, "--json", tmp_path / "out.json", *QUICK) == 0
    assert "64x48" in capsys.readouterr().out
    assert read(out).size == (48, 64)
    assert json.loads((tmp_path / "out.json").read_text())["brief"]["settings"]["size"] == 64
    assert run("reproduce", out) == 0
    assert "byte for byte" in capsys.readouterr().out
    Image.open(out).convert("L").convert("RGB").save(tmp_path / "copy.png")
    assert run("reproduce", tmp_path / "copy.png") == 2
    assert "no record" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "avif", "heic", "bmp", "gif"])
def test_every_format_can_be_reproduced(photo: Path, style: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    assert run("paint", photo, style, "-o", out, "--size", 64, "--steps", 2) == 0
    assert run("reproduce", out) == 0


def test_reproduce_tells_a_changed_picture(photo: Path, style: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "-o", out, *QUICK) == 0
    from impasto.media.image import Picture
    from impasto.media.writing import write

    painted = read(out)
    write(Picture((painted.pixels + 0.1).clamp(0, 1), metadata=painted.metadata), out, force=True)
    assert run("reproduce", out) == 1
    photo.write_bytes(style.read_bytes())
    assert run("reproduce", out) == 2


def test_blend_preview_and_deep_colour(photo: Path, style: Path, tmp_path: Path) -> None:
    out, preview = tmp_path / "out.tif", tmp_path / "preview.jpg"
    assert (
        run("paint", photo, style, style, "--blend", "2:1", "--depth", 16, "--preview", preview, "-o", out, *QUICK) == 0
    )
    assert read(out).depth == 16
    assert read(preview).size == (48, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{photo}", "-o", "{out}"], "at least one painting"),
        (["{photo}", "nowhere.png", "-o", "{out}"], "There is no file nowhere.png"),
        (["{photo}", "{style}", "-o", "{photo}"], "--force"),
        (["{photo}", "{style}", "-o", "x.docx"], "no picture format called '.docx'"),
        (["{photo}", "{style}", "-o", "{out}", "--preset", "bset"], "did you mean 'best'"),
        (["{photo}", "{style}", "-o", "{out}", "--encoder", "vgg91"], "vgg"),
        (["{photo}", "{style}", "-o", "{out}", "--encoder", "vgg19"], "impasto weights get vgg19"),
        (["{photo}", "{style}", "-o", "{out}", "--size", "10"], "must be a whole number from 64"),
        (["{photo}", "{style}", "-o", "{out}", "--strength", "2"], "strength"),
        (["{photo}", "{style}", "-o", "{out}", "--style-weight", "-1"], "style_weight"),
        (["{photo}", "{style}", "-o", "{out}", "--style-layers.relu9_9", "1"], "relu9_9"),
        (["{photo}", "{style}", "-o", "{out}", "--blend", "1:2"], "blend"),
        (["{photo}", "{style}", "-o", "{out}", "--blend", "a:b"], "weights like 2:1"),
        (["{photo}", "{style}", "-o", "{out}.jpg", "--quality", "0"], "1 to 100"),
        (["{photo}", "{style}", "-o", "{out}", "--quality", "80"], "has no quality"),
        (["{photo}", "{style}", "-o", "{out}", "--depth", "12"], "8, 16"),
        (["{photo}", "{style}", "-o", "{out}", "--weights", "{style}"], "no weights file"),
        (["{photo}", "{style}", "-o", "{out}", "--resume"], "without --resume"),
        (["{photo}", "{style}", "-o", "{out}", "--max-pixels", "100"], "--max-pixels"),
        (["{photo}", "{style}", "-o", "{out}", "--colour", "content"], "--colo"),
        (["{photo}", "{style}", "-o", "{out}", "--device", "cuda"], "no cuda device"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(
    photo: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    names = {"photo": photo, "style": style, "out": tmp_path / "out.png"}
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run("paint", *[argument.format(**names) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_ctrl_c_keeps_the_picture_and_resume_ends_as_if_uninterrupted(photo: Path, style: Path, tmp_path: Path) -> None:
    out, whole, preview = tmp_path / "out.png", tmp_path / "whole.png", tmp_path / "preview.png"
    quick = ["--size", "64", "--steps", "80"]
    command = [sys.executable, "-m", "impasto", "paint", str(photo), str(style), "-o", str(out), *quick]
    process = subprocess.Popen([*command, "--preview", str(preview)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not preview.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert read(out).size == (48, 64)
    assert run("reproduce", out) == 0

    assert run("paint", photo, style, "-o", out, *quick, "--resume") == 0
    assert run("paint", photo, style, "-o", whole, *quick) == 0
    assert torch.equal(read(out).pixels, read(whole).pixels)
    assert sorted(os.listdir(tmp_path)) == ["out.png", "photo.jpg", "preview.png", "style.png", "whole.png"]


def test_a_bug_keeps_its_traceback(photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.recipes.pictures.read", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("paint", photo, style, "-o", tmp_path / "out.png", *QUICK)


@pytest.mark.parametrize(
    "command", [[], ["paint"], ["reproduce"], ["weights"], ["doctor"], ["train", "encoder"], ["--install-completion"]]
)
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command, "--help") == 0
    assert "Usage: impasto" in capsys.readouterr().out


def test_doctor_and_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    assert run("weights", "list") == 0
    shown = capsys.readouterr().out
    assert torch.__version__ in shown
    assert all(f"IMPASTO_{name} names another" in shown for name in ("SHELF", "LIBRARY", "CACHE"))
    assert "impasto weights get vgg19" in shown
    assert run("weights", "get", "vgg99") == 2


def test_who_has_seen_enough_may_leave() -> None:
    command = [sys.executable, "-m", "impasto", "models", "show", "looks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (141, b"")


def test_whoever_stops_one_pass_is_told_and_finds_nothing_half_done(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("impasto.recipes.feedforward.FeedForward.draw", stopped)
    assert run("paint", photo, style, "--engine", "instant", "-o", tmp_path / "out.png") == 130
    assert "stopped" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("studio --port 0 --no-browser --folder f", "fastapi starlette uvicorn obstore sqlalchemy httptools", "studio"),
        ("serve --port 0 --folder f --database postgresql://x/y", "psycopg", "postgres"),
        ("verify x.png", "c2pa", "sign"),
    ],
)
def test_a_missing_extra_is_named(command: str, missing: str, extra: str, tmp_path: Path) -> None:
    without = f"import sys; sys.modules.update(dict.fromkeys({missing.split()})); from impasto.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, *command.split()],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
    )
    assert done.returncode == 2, done.stderr
    assert f"impasto[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
