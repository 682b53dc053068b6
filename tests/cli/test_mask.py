"""`impasto mask`: ways to a mask, its edges, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.media.image import read

from door import run


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A red disc on blue, 160x120 pixels."""
    rows, columns = np.mgrid[:120, :160]
    array = np.full((120, 160, 3), (30, 80, 170), np.uint8)
    array[(rows - 60) ** 2 + (columns - 80) ** 2 < 30**2] = (210, 50, 30)
    noise = np.random.default_rng(0).integers(0, 20, array.shape, dtype=np.uint8)
    Image.fromarray(array + noise).save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


def made(disc: Path, *arguments: object) -> torch.Tensor:
    out = disc.with_name("mask.png")
    assert run("mask", disc, *arguments, "-o", out, "--force") == 0
    return read(out).pixels[0, 0]


def test_every_way_finds_the_disc(disc: Path, tmp_path: Path) -> None:
    strokes = Image.new("L", (160, 120), 128)
    strokes.paste(255, (70, 58, 90, 62))
    strokes.paste(0, (0, 0, 160, 5))
    strokes.save(tmp_path / "strokes.png")
    for way in (
        ["--box", "45,25,115,95"],
        ["--points", "80,60", "--points", "95,60", "--outside", "10,10"],
        ["--scribble", tmp_path / "strokes.png"],
        ["--color", "#dc3c28"],
        ["--subject"],
    ):
        mask = made(disc, *way)
        assert mask.shape == (120, 160)
        assert mask[60, 80] > 0.9, way
        assert mask[10, 10] < 0.1, way
        assert float(mask.mean()) == pytest.approx(np.pi * 900 / 19200, abs=0.03), way


def test_edges_and_combinations(disc: Path, tmp_path: Path) -> None:
    Image.new("L", (160, 120), 0).save(tmp_path / "left.png")
    left = Image.new("L", (160, 120), 0)
    left.paste(255, (0, 0, 80, 120))
    left.save(tmp_path / "left.png")
    plain = float(made(disc, "--color", "#dc3c28").mean())
    assert float(made(disc, "--color", "#dc3c28", "--grow", 5).mean()) > 1.2 * plain
    assert float(made(disc, "--color", "#dc3c28", "--shrink", 5).mean()) < 0.8 * plain
    assert float(made(disc, "--color", "#dc3c28", "--invert").mean()) == pytest.approx(1 - plain, abs=0.01)
    assert float(made(disc, "--color", "#dc3c28", "--within", tmp_path / "left.png").mean()) < 0.6 * plain
    assert float(made(disc, "--color", "#dc3c28", "--subtract", tmp_path / "left.png").mean()) < 0.6 * plain
    assert float(made(disc, "--from", tmp_path / "left.png").mean()) == pytest.approx(0.5, abs=0.01)
    soft = made(disc, "--color", "#dc3c28", "--feather", 12)
    assert float(((soft > 0.1) & (soft < 0.9)).float().mean()) > 0.05
    cut = Image.open(disc).convert("RGBA")
    cut.putalpha(left)
    cut.save(tmp_path / "cut.png")
    assert float(made(tmp_path / "cut.png", "--alpha").mean()) == pytest.approx(0.5, abs=0.01)


def test_a_mask_is_made_on_the_way(disc: Path, save: Any, tmp_path: Path) -> None:
    style, out = save("style.png", 90, 90, 4), tmp_path / "out.png"
    assert run("paint", disc, style, "--engine", "instant", "--size", 160, "--keep", "subject", "-o", out) == 0
    change = (read(out).pixels - read(disc).pixels).abs().mean(1)[0]
    assert float(change[60, 80]) <= 1 / 255
    assert float(change[:20].mean()) > 0.02
    assert run("reproduce", out) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected one of --box"),
        (["--subject", "--face"], "got --subject, --face"),
        (["--box", "1,2,3"], "Expected 4 numbers"),
        (["--box", "nan,2,3,4"], "Expected 4 numbers"),
        (["--box", "900,900,990,990"], "within 160x120"),
        (["--face"], "No face was found"),
        (["--alpha"], "opaque all over"),
        (["--color", "red"], "#3a6ea5"),
        (["--subject", "--grow", "-3"], "0 or more pixels"),
        (["--from", "none.png"], "no file"),
    ],
)
def test_what_is_refused(disc: Path, arguments: list[str], message: str, capsys: Any) -> None:
    assert run("mask", disc, *arguments, "-o", disc.with_name("no.png")) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not disc.with_name("no.png").exists()


def test_no_input_is_replaced(disc: Path, tmp_path: Path) -> None:
    before = disc.read_bytes()
    assert run("mask", disc, "--subject", "-o", disc, "--force") == 2
    assert disc.read_bytes() == before
