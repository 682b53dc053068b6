"""`impasto paint`: what it may not replace, what it keeps, what it says before and after."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from impasto.cli.interrupt import stop_between_steps
from impasto.errors import OutputError
from impasto.media.geometry import resample
from impasto.media.image import Picture, read
from impasto.media.writing import write
from impasto.recipes import checkpoint
from impasto.recipes.output import Output

from door import run
from runs import PATIENCE

QUICK = ["--size", "64", "--steps", "5"]
IMPASTO = [sys.executable, "-m", "impasto"]


@pytest.mark.parametrize("arguments", [
    ["-o", "{photo}", "--force"],
    ["-o", "{style}", "--force"],
    ["-o", "out.png", "--preview", "{photo}", "--force"],
    ["-o", "out.png", "--json", "{style}", "--force"],
    ["-o", "out.png", "--json", "out.png"],
    ["-o", "out.png", "--preview", "out.png"],
    ["-o", "out.png", "--preset", "mine.json", "--json", "mine.json", "--force"],
    ["-o", "out.png", "--preview", "there.png"],
    ["-o", "out.png", "--json", "there.png"],
    ["-o", "new.gif"],
])  # fmt: skip
@pytest.mark.parametrize("engine", ["optimize", "instant"])
def test_no_flag_replaces_an_input_and_none_anything_unasked(
    photo: Path,
    style: Path,
    tmp_path: Path,
    save: Any,
    arguments: list[str],
    engine: str,
    monkeypatch: Any,
    capsys: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    save("there.png")
    (tmp_path / "mine.json").write_text('{"size": 64}')
    (tmp_path / "new.gif.json").write_text("precious")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given = [argument.format(photo=photo.name, style=style.name) for argument in arguments]
    assert run("paint", photo, style, *given, "--engine", engine, "--size", 64) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_record_beside_is_replaced_where_that_is_asked_for(photo: Path, style: Path, tmp_path: Path) -> None:
    command = ["paint", photo, style, "--engine", "instant", "--size", 64, "-o", tmp_path / "new.gif"]
    assert run(*command) == 0
    assert run(*command) == 2
    assert run(*command, "--strength", 0.5, "--force") == 0
    assert json.loads((tmp_path / "new.gif.json").read_text())["brief"]["settings"]["strength"] == 0.5


def test_a_record_of_its_own_is_followed(photo: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["paint", photo, style, "--engine", "instant", "--size", 64, "--json", tmp_path / "out.json"]
    assert run(*command, "-o", tmp_path / "out.webp") == 0
    assert run("reproduce", tmp_path / "out.json") == 0
    (tmp_path / "out.webp").unlink()
    assert run("reproduce", tmp_path / "out.json") == 2
    assert "is not beside it" in capsys.readouterr().err


def test_pictures_are_made_again_in_the_precision_they_were_made_in(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for before, now in (("float32", "bfloat16"), ("bfloat16", "float32")):
        out = tmp_path / f"{before}.png"
        monkeypatch.setenv("IMPASTO_PRECISION", before)
        assert run("paint", photo, style, "-o", out, *QUICK) == 0
        monkeypatch.setenv("IMPASTO_PRECISION", now)
        assert run("reproduce", out) == 0
        assert "byte for byte" in capsys.readouterr().out


@pytest.mark.once_in("float32")
def test_streams_in_place_of_files(photo: Path, style: Path, tmp_path: Path) -> None:
    command = [*IMPASTO, "paint", "-", str(style), "--engine", "instant", "--size", "64", "-o", "-"]
    done = subprocess.run(command, input=photo.read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as painted:
        assert painted.size == (64, 48)
    assert b"64x48" in done.stderr
    assert b"64x48" not in done.stdout


@pytest.mark.once_in("float32")
def test_time_and_memory_are_told_and_nothing_is_painted(photo: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    for engine in ("optimize", "instant"):
        out = tmp_path / "out.png"
        assert run("paint", photo, style, "--engine", engine, "--size", 256, "--estimate", "-o", out) == 0
        told = capsys.readouterr().out
        assert told.startswith("256x192 pixels, about ")
        assert "GB" in told
        assert not out.exists()


def test_print_resolution_survives_being_reproduced(photo: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out.tif"
    assert run("paint", photo, style, "--engine", "instant", "--size", 64, "--dpi", 300, "-o", out) == 0
    with Image.open(out) as opened:
        assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.5)
    assert run("reproduce", out) == 0
    assert "byte for byte" in capsys.readouterr().out
    assert run("paint", photo, style, "--dpi", 0, "-o", tmp_path / "no.png") == 2


def painting(tmp_path: Path, photo: Path, style: Path, size: int, steps: int, *more: str) -> subprocess.Popen[str]:
    command = [*IMPASTO, "paint", str(photo), str(style), "-o", str(tmp_path / "out.png")]
    command += ["--size", str(size), "--steps", str(steps), "--preview", str(tmp_path / "preview.png"), *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "preview.png").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


@pytest.mark.once_in("float32")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_whoever_stops_it_finds_the_picture_and_can_go_on(
    photo: Path, style: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = painting(tmp_path, photo, style, 64, 400)
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert read(tmp_path / "out.png").size == (48, 64)
    assert (tmp_path / "out.png.unfinished").is_file()
    if number != signal.SIGHUP:
        assert "Stopping after this step" in told


@pytest.mark.once_in("float32")
def test_a_second_interrupt_does_not_wait_and_loses_nothing(photo: Path, style: Path, tmp_path: Path) -> None:
    process = painting(tmp_path, photo, style, 384, 200)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert read(tmp_path / "out.png").size == (288, 384)
    assert checkpoint.saved_brief(tmp_path / "out.png.unfinished").settings.size == 384


def test_nothing_is_cut_short_while_files_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    with stop_between_steps() as interrupt:
        interrupt.writing = True
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert not interrupt.requested
    assert "one moment" in capfd.readouterr().err


def test_what_cannot_be_kept_on_the_way_does_not_end_the_painting(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr("impasto.media.writing.write", full)
    monkeypatch.setattr("impasto.recipes.checkpoint.save_checkpoint", full)
    monkeypatch.setattr("impasto.cli.keeping._CHECKPOINT_SECONDS", 0.0)
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "--preview", tmp_path / "preview.png", "-o", out, *QUICK) == 0
    assert read(out).size == (48, 64)
    told = capsys.readouterr().err
    assert told.count("no preview from now on") == 1
    assert "no checkpoint" in told


def test_a_picture_that_cannot_be_written_is_kept_to_be_written_later(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    whole, out = tmp_path / "whole.png", tmp_path / "out.png"
    assert run("paint", photo, style, "-o", whole, *QUICK) == 0

    def full(*_: Any) -> None:
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Output, "write", full)
        assert run("paint", photo, style, "-o", out, *QUICK) == 2
    assert "--resume writes it" in capsys.readouterr().err
    assert run("paint", photo, style, "-o", out, *QUICK, "--resume") == 0
    assert torch.equal(read(out).pixels, read(whole).pixels)
    assert not (tmp_path / "out.png.unfinished").exists()


@pytest.mark.once_in("float32")
def test_the_largest_size_is_the_same_when_a_painting_goes_on(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["paint", photo, style, "-o", tmp_path / "out.png", "--size", "max", "--steps", "6"]
    stopped = SimpleNamespace(requested=True, writing=False)
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["impasto.cli.paint"], "stop_between_steps", lambda **_: nullcontext(stopped))
        assert run(*command) == 130
    size = read(tmp_path / "out.png").size
    monkeypatch.setattr("impasto.recipes.optimize.free_memory", lambda device: 600_000_000)
    assert run(*command, "--resume") == 0
    assert read(tmp_path / "out.png").size == size == (90, 120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{style}", "--engine", "looks", "-o", "{out}"], "looks paints in its own styles"),
        (["{style}", "-o", "/proc/x.png"], "cannot be written to"),
        (["{style}", "-o", "{out}", "--style-scale", "0"], "style_scale"),
        (["{style}", "-o", "{out}", "--style-scale", "8", "--size", "2048"], "more than 8192"),
        (["{style}", "-o", "{out}", "--style-layers", "relu3_1"], "style_layers"),
        (["{style}", "-o", "{long}"], "too long"),
        (["{style}", "-o", "{out}", "--seed", "-1"], "seed"),
    ],
)
def test_bad_input(photo: Path, style: Path, tmp_path: Path, capsys: Any, arguments: list[str], message: str) -> None:
    names = {"style": style, "out": tmp_path / "out.png", "long": tmp_path / ("x" * 250 + ".png")}
    assert run("paint", photo, *[argument.format(**names) for argument in arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_layers_as_text_from_the_door(photo: Path, style: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "--style-layers", "relu1_1=1,relu2_1=0.5", *QUICK, "-o", out) == 0


def test_painters_look_at_no_painting(photo: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    from impasto.shelf.models import find

    assert run("paint", photo, style, "--engine", find("looks"), "-o", tmp_path / "out.png") == 2
    assert "paints in its own styles and looks at no painting" in capsys.readouterr().err


def test_saved_styles_and_paintings_in_any_order(photo: Path, style: Path, save: Any, tmp_path: Path) -> None:
    other, code = save("other.png", 90, 80, 8), tmp_path / "saved.style"
    assert run("style", "save", code, other, "--size", 96) == 0
    for number, styles in enumerate(([style, code], [code, style])):
        assert run("paint", photo, *styles, "--size", 96, "-o", tmp_path / f"{number}.png") == 0
    first, second = (read(tmp_path / f"{number}.png").pixels for number in range(2))
    assert float((first - second).abs().max()) <= 2 / 255


@pytest.mark.parametrize("flags", [["--size", "0"], ["--style-scale", "100"], ["--style-scale", "0"]])
def test_saving_a_style_refuses_in_one_sentence(style: Path, tmp_path: Path, flags: list[str], capsys: Any) -> None:
    assert run("style", "save", tmp_path / "a.style", style, *flags) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_panoramas_and_no_weights_are_estimated_or_refused(save: Any, style: Path, tmp_path: Path, capsys: Any) -> None:
    wide = save("wide.png", 40, 500)
    for engine in ("optimize", "instant"):
        assert run("paint", wide, style, "--engine", engine, "--size", 500, "--estimate", "-o", tmp_path / "o.png") == 0
    nothing = ["--style-weight", 0, "--content-weight", 0]
    assert run("paint", style, style, *nothing, "--estimate", "-o", tmp_path / "o.png") == 2
    assert "all 0" in capsys.readouterr().err


def test_a_picture_that_was_resized_is_told(photo: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "--engine", "instant", "--size", 64, "-o", out) == 0
    painted = read(out)
    write(Picture(resample(painted.pixels, (24, 32)).clamp(0, 1), metadata=painted.metadata), out, force=True)
    assert run("reproduce", out) == 1
    assert "has another size now" in capsys.readouterr().out


def test_no_room_at_all_is_one_sentence(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("impasto.recipes.one_pass.free_memory", lambda device: 1000)
    assert run("paint", photo, style, "--engine", "instant", "-o", tmp_path / "out.png") == 2
    assert "close other programs" in capsys.readouterr().err


def test_an_animation_is_told_that_one_frame_is_painted(
    photo: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.new("RGB", (64, 48), color) for color in ("navy", "teal", "olive")]
    for frame in frames:
        frame.paste("white", (8, 8, 30, 30))
    for suffix, count in ((".gif", 3), (".webp", 3), (".png", 3), (".gif", 1), (".webp", 1)):
        path = tmp_path / f"{count}{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:count], duration=50)
        assert (
            run("paint", path, style, "-o", tmp_path / "out.png", "--engine", "instant", "--size", 64, "--force") == 0
        )
        told = "first frame is painted" in capsys.readouterr().err
        assert told == (count > 1 and suffix != ".png"), path


def test_a_format_that_cannot_hold_the_result_is_told_before_the_work(
    save: Any, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = save("wide.png", 64, 1024)
    for suffix, size in ((".webp", 16384), (".avif", 16400)):
        out = tmp_path / f"out{suffix}"
        assert run("paint", wide, style, "-o", out, "--engine", "instant", "--size", size) == 2
        assert "holds at most" in capsys.readouterr().err
        assert not out.exists()
