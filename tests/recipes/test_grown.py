"""Results that are larger than what is painted."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.brief import Brief, of_painting
from impasto.engine.optimize import State
from impasto.errors import TooLargeError
from impasto.media.enlarge import enlarged
from impasto.media.geometry import resample
from impasto.media.image import Picture, read
from impasto.provenance import Record
from impasto.recipes.grown import GrownPainting, painted_size
from impasto.recipes.painting import open_brief, painted
from impasto.settings import Look

from door import run

WAYS: list[dict[str, Any]] = [{"engine": "instant"}, {"engine": "optimize", "steps": (12,), "start": "content"}]


def brief(style: Path, engine: str, **settings: Any) -> Brief:
    return of_painting([str(style)], engine, {"size": 240, "painted_size": 96, **settings})


def test_edges_are_the_photo_s_and_flat_areas_the_painting_s() -> None:
    photo = torch.zeros(1, 3, 120, 160)
    photo[..., 83:] = 0.8
    small = resample(photo, (60, 80)).clamp(0, 1)
    inverted = enlarged(1 - 0.5 * small, photo)
    assert inverted[..., :80].sub(1).abs().max() < 0.02
    assert inverted[..., 86:].sub(0.6).abs().max() < 0.02
    blurred = resample(1 - 0.5 * small, (120, 160))
    step = (inverted[..., 83] - inverted[..., 82]).abs().mean()
    assert step > 1.5 * (blurred[..., 83] - blurred[..., 82]).abs().mean()
    texture = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    flat = torch.full((1, 3, 120, 160), 0.5)
    assert torch.allclose(enlarged(texture, flat), resample(texture, (120, 160)).clamp(0, 1), atol=1e-5)


@pytest.mark.parametrize("way", [*WAYS, {**WAYS[0], "color": "harmony"}, {**WAYS[1], "color": "harmony"}])
def test_strokes_grow_with_the_picture(photo: Path, style: Path, way: dict[str, Any]) -> None:
    large = painted(open_brief(brief(style, **way)).on(photo))
    small = painted(open_brief(brief(style, **{**way, "size": 96})).on(photo))
    assert large.size == (180, 240)
    shrunk = resample(large.pixels, (72, 96))
    assert (shrunk - small.pixels).abs().mean() < 0.02
    assert (shrunk - read(photo, 96).pixels).abs().mean() > 0.03


def test_what_is_not_painted_stays_to_the_pixel(photo: Path, style: Path, tmp_path: Path) -> None:
    mask = np.zeros((180, 240), np.uint8)
    mask[:, 101:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for way in WAYS:
        regions = [{"styles": [str(style)], "mask": str(tmp_path / "mask.png")}]
        own = {key: value for key, value in way.items() if key != "engine"}
        parted = Brief(regions=regions, engine=way["engine"], settings={"size": 240, "painted_size": 96, **own})
        pixels, source = painted(open_brief(parted).on(photo)).pixels, read(photo, 240).pixels
        assert torch.equal(pixels[..., :101], source[..., :101])
        assert (pixels[..., 110:] - source[..., 110:]).abs().mean() > 0.03


@pytest.mark.parametrize("way", WAYS)
def test_masks_and_strength_count_once(photo: Path, style: Path, tmp_path: Path, way: dict[str, Any]) -> None:
    Image.fromarray(np.full((180, 240), 128, np.uint8)).save(tmp_path / "half.png")
    asked, source = brief(style, **way), read(photo, 240).pixels
    whole = painted(open_brief(asked).on(photo)).pixels
    region = asked.regions[0].model_copy(update={"mask": str(tmp_path / "half.png")})
    half = painted(open_brief(asked.model_copy(update={"regions": (region,)})).on(photo)).pixels
    share = ((half - source) * (whole - source)).sum() / (whole - source).square().sum()
    assert 0.42 < float(share) < 0.58
    untouched = painted(open_brief(brief(style, **way, strength=0.0)).on(photo)).pixels
    assert torch.equal(untouched, source)


@pytest.mark.parametrize("way", WAYS)
def test_a_preview_is_as_large_as_what_is_painted(photo: Path, style: Path, way: dict[str, Any]) -> None:
    *_, step = open_brief(brief(style, **way, color="harmony")).on(photo).steps()
    preview, result = step.preview(), step.picture()
    assert preview.size == (72, 96)
    assert (resample(result.pixels, preview.size) - preview.pixels).abs().mean() < 0.02


def test_its_record_makes_it_again_from_where_it_was_left(photo: Path, style: Path) -> None:
    asked = brief(style, **WAYS[1])
    work = open_brief(asked).on(photo)
    states: list[State | None] = []
    for step in work.steps():
        states.append(copy.deepcopy(step.state()))
        last = step.picture()
    assert len(states) == WAYS[1]["steps"][0]
    record = Record.from_xmp(last.metadata or b"")
    assert (record.brief["settings"]["size"], record.brief["settings"]["painted_size"]) == (240, 96)
    assert record.content.name == photo.name
    *_, again = open_brief(asked).on(photo).steps(states[0])
    assert torch.equal(again.picture().pixels, last.pixels)


def test_the_largest_that_memory_holds(photo: Path, style: Path) -> None:
    shape, look = (9000, 12000), Look(size="max", memory="700MB")
    given = Picture(torch.rand(1, 3, 180, 240))
    method = open_brief(brief(style, "instant", **look.model_dump(include={"size", "memory"})))
    fitting = method._fitting(shape, 12000)  # type: ignore[attr-defined]
    assert 2048 < fitting < 4000
    work = method.on(given)
    assert isinstance(work, GrownPainting)
    assert work.size == (180, 240)
    assert work.estimate().bytes < 700e6
    with pytest.raises(
        TooLargeError, match=r"12000x9000 pixels takes about 5\.20 GB, and --memory is 0\.70 GB; give --"
    ):
        open_brief(brief(style, "instant", size=12000, memory="700MB")).on(Picture(torch.rand(1, 3, 90, 120)))


@pytest.mark.parametrize("way", WAYS)
def test_panoramas_are_painted_by_their_short_side(style: Path, save: Any, way: dict[str, Any]) -> None:
    look = Look()
    assert painted_size((3024, 4032), look) == 2048
    assert painted_size((500, 20000), look) == 40960
    panorama = save("panorama.png", 40, 320)
    for size in (256, 300, 320):
        assert painted(open_brief(brief(style, **{**way, "size": size})).on(panorama)).size[1] == size


@pytest.mark.parametrize("settings", [{"engine": "instant"}, {"engine": "instant", "adapt": 2}, {"engine": "optimize"}])
@pytest.mark.parametrize("memory", ["1MB", "0.44GB", "0.5GB", "0.55GB", "0.6GB"])
def test_what_is_advised_is_not_refused(style: Path, settings: dict[str, Any], memory: str) -> None:
    photo = Picture(torch.rand(1, 3, 450, 600))

    def opened(**changes: Any) -> None:
        asked = {"size": 2600, "painted_size": 2048, "memory": memory, **settings, **changes}
        open_brief(brief(style, **asked)).on(photo)

    with pytest.raises(TooLargeError) as refusal:
        opened()
    for size in re.findall(r"--size (\d+)", str(refusal.value)):
        opened(size=int(size))
    (memory,) = re.findall(r"--memory ([\d.]+GB) or", str(refusal.value))
    opened(memory=memory, size=2048)


def test_max_in_one_pass_is_what_memory_holds(style: Path) -> None:
    photo = Picture(torch.rand(1, 3, 450, 600))
    for memory, largest in (("1GB", 600), ("0.45GB", 599), ("0.4GB", 450)):
        asked = brief(style, "instant", size="max", painted_size=2048, memory=memory)
        assert open_brief(asked).on(photo).size[1] <= largest


def test_the_door(photo: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    how = ["--engine", "instant", "--size", 200, "--painted-size", 80]
    assert run("paint", photo, style, *how, "-o", out) == 0
    assert read(out).size == (150, 200)
    assert run("reproduce", out, "-o", again) == 0
    assert out.read_bytes() == again.read_bytes()
    assert run("paint", photo, style, *how, "-o", tmp_path / "x.png", "--estimate") == 0
    assert "200x150 pixels, about" in capsys.readouterr().out
    assert run("paint", photo, style, "--painted-size", 9, "-o", tmp_path / "x.png") == 2
    assert "painted_size" in capsys.readouterr().err
