"""Strength that is chosen for a photo and its styles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.encoders.compact import load_compact
from impasto.media.image import read
from impasto.metrics.measures import content_distance
from impasto.metrics.specification import CONTENT_LAYERS, SIZE
from impasto.provenance import Record
from impasto.recipes.strength import KEPT, tried

from door import run


@torch.inference_mode()
def content_lost(photo: Path, result: Path) -> float:
    encoder = load_compact()
    return content_distance(*(encoder(read(path, SIZE).pixels, CONTENT_LAYERS) for path in (result, photo)))


def test_a_picture_that_keeps_its_shapes_gets_all_of_the_style(save: Any) -> None:
    photo = save("photo.png")
    drafts = list(tried(lambda strength: read(photo).pixels, read(photo).pixels))
    assert [draft.strength for draft in drafts] == [1.0]


def test_one_that_loses_them_gets_as_much_as_leaves_them(save: Any) -> None:
    photo, other = save("photo.png"), save("other.png", seed=7)
    first, second = read(photo).pixels, read(other).pixels
    *before, chosen = tried(lambda strength: first.lerp(second, strength), first)
    kept = max(draft.strength for draft in before if draft.content <= KEPT)
    lost = min(draft.strength for draft in before if draft.content > KEPT)
    assert kept - 0.01 <= chosen.strength <= lost + 0.01
    assert lost - kept < 0.1


@pytest.mark.once_in("float32")
@pytest.mark.parametrize("how", [("--engine", "instant"), ("--preset", "draft", "--steps", "3")])
def test_from_the_door(how: tuple[str, ...], save: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, style, output = save("photo.png", 90, 120), save("style.png", 90, 90, 4), tmp_path / "out.png"
    assert run("paint", photo, style, "--strength", "auto", "--size", 120, *how, "-o", output) == 0
    said = float(capsys.readouterr().err.split("strength ")[1].split(",")[0])
    assert Record.from_xmp(read(output).metadata).brief["settings"]["strength"] == said
    assert 0 < said < 1
    if "instant" in how:
        assert content_lost(photo, output) == pytest.approx(KEPT, abs=0.05)
    assert run("paint", photo, style, "--strength", "most", "-o", output, "--force") == 2
    assert "The setting strength is 'most'" in capsys.readouterr().err
