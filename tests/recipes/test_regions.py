"""Regions from end to end: masks that are honoured, soft edges, maps, strength by a picture, records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto import Brief, Region
from impasto.errors import PictureError, SettingsError
from impasto.losses.gram import Gram, moments_of
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein
from impasto.losses.terms import Loss
from impasto.losses.wasserstein import Wasserstein
from impasto.media.image import Picture, read
from impasto.recipes.asked import Asked, parse_region
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures

from door import run
from fakes import picture

SIZE = 96
HOW: dict[str, dict[str, Any]] = {
    "optimize": {"engine": "optimize", "settings": {"size": SIZE, "steps": (3,)}},
    "instant": {"engine": "instant", "settings": {"size": SIZE}},
    "looks": {"engine": "looks", "settings": {"size": SIZE}},
}
STYLES = {"optimize": ("one", "two"), "instant": ("one", "two"), "looks": ("looks:swirls", "looks:mosaic")}


def mask(height: int = 72, width: int = 96, left: int = 0, right: int = 48) -> Picture:
    pixels = torch.zeros(1, 3, height, width)
    pixels[..., left:right] = 1
    return Picture(pixels)


GIVEN = {
    "photo": Picture(picture(72, 96, 1)),
    "one": Picture(picture(80, 80, 5)),
    "two": Picture(picture(80, 80, 6).flip(1)),
    "left": mask(),
    "right": mask(left=48, right=96),
    "all": mask(right=96),
    "none": mask(right=0),
}


def result(
    *regions: Region, engine: str = "instant", given: dict[str, Picture] | None = None, **more: Any
) -> torch.Tensor:
    brief = Brief(regions=regions, **{**HOW[engine], **more})
    return painted(open_brief(brief, Pictures({**GIVEN, **(given or {})})).on(GIVEN["photo"])).pixels


@pytest.mark.parametrize("engine", HOW)
def test_outside_of_a_mask_the_photo_stays_and_inside_it_does_not(engine: str) -> None:
    style, _ = STYLES[engine]
    photo, done = GIVEN["photo"].pixels, result(Region(mask="left", styles=[style]), engine=engine)
    assert torch.equal(done[..., 48:], photo[..., 48:])
    assert float((done - photo)[..., :48].abs().mean()) > 0.02
    kept = result(Region(styles=[style]), engine=engine, keep="right")
    assert torch.equal(kept[..., 48:], photo[..., 48:])
    both = result(Region(mask="all", styles=[style]), engine=engine, keep="right")
    assert torch.equal(both, kept)


def test_the_style_of_each_region_is_adapted_to() -> None:
    regions, how = (
        (Region(mask="left", styles=["one"]), Region(mask="right", styles=["two"])),
        HOW["instant"]["settings"],
    )
    usual, adapted = (result(*regions, settings={**how, "adapt": steps}) for steps in (0, 3))
    moved = (adapted - usual).abs()
    assert all(1 / 255 < float(part.mean()) < 0.2 for part in (moved[..., :48], moved[..., 48:]))


@pytest.mark.parametrize("engine", HOW)
def test_each_region_has_its_own_style_and_all_of_it_is_one(engine: str) -> None:
    first, second = STYLES[engine]
    alone, other = (result(Region(styles=[style]), engine=engine) for style in (first, second))
    two = result(Region(mask="left", styles=[first]), Region(styles=[second]), engine=engine)
    for part, near, far in ((slice(0, 40), alone, other), (slice(56, 96), other, alone)):
        assert (two - near)[..., part].abs().mean() < (two - far)[..., part].abs().mean()
    assert torch.equal(result(Region(mask="all", styles=[first]), engine=engine), alone)


def test_masks_of_any_size_and_depth_are_fitted(tmp_path: Path, save: Any) -> None:
    photo, style = save("photo.png", 72, 96), save("style.png", 90, 90, 4)
    results = []
    for name, size, dtype, top in (("8.png", (48, 36), np.uint8, 255), ("16.png", (384, 288), np.uint16, 65535)):
        array = np.zeros(size[::-1], dtype)
        array[:, : size[0] // 2] = top
        Image.fromarray(array).save(tmp_path / name)
        out = tmp_path / f"out_{name}"
        assert (
            run("paint", photo, style, "--engine", "instant", "--size", 96, "--mask", tmp_path / name, "-o", out) == 0
        )
        results.append(read(out).pixels)
    assert float((results[0] - results[1]).abs().mean()) < 0.01
    assert float((results[1] - read(photo).pixels)[..., 50:].abs().max()) <= 1 / 255


def test_where_a_mask_has_transparency_what_is_opaque_is_meant(tmp_path: Path) -> None:
    cut = Image.new("RGBA", (96, 72), (0, 0, 0, 0))
    cut.paste((10, 10, 10, 255), (0, 0, 48, 72))
    cut.save(tmp_path / "cut.png")
    one = result(Region(mask=str(tmp_path / "cut.png"), styles=["one"]))
    assert torch.equal(one, result(Region(mask="left", styles=["one"])))


def test_soft_edges_stay_soft_and_a_strength_may_be_a_picture() -> None:
    ramp = Picture(torch.linspace(0, 1, 96).expand(1, 3, 72, 96).contiguous())
    photo = GIVEN["photo"].pixels
    for region in (Region(mask="ramp", styles=["one"]), Region(styles=["one"], strength="ramp")):
        done = result(region, given={"ramp": ramp})
        change = (done - photo).abs().mean((0, 1, 2))
        assert float(change[:3].max()) < 0.02
        assert float(change[:24].mean()) < float(change[24:48].mean()) < float(change[72:].mean())
    full = result(Region(styles=["one"], strength="all"))
    assert torch.allclose(full, result(Region(styles=["one"])), atol=1e-5)
    assert torch.equal(result(Region(styles=["one"], strength="all"), keep="all"), photo)


@pytest.mark.parametrize("engine", ["optimize", "instant"])
def test_strength_colour_and_strokes_are_a_regions_own(engine: str) -> None:
    photo = GIVEN["photo"].pixels
    weak = result(Region(mask="left", styles=["one"], strength=0.0), Region(styles=["one"]), engine=engine)
    assert torch.equal(weak[..., :48], photo[..., :48])
    kept = result(Region(mask="left", styles=["one"], color="content"), Region(styles=["one"]), engine=engine)
    chroma = [one - one.mean(1, keepdim=True) for one in (kept, photo)]
    apart = (chroma[0] - chroma[1]).abs().mean((0, 1, 2))
    assert float(apart[:44].mean()) < 0.5 * float(apart[52:].mean())
    for change in ({"style_scale": 0.5}, {"color": "match"}, {"color": "harmony"}, {"color": "histogram"}):
        other = result(Region(mask="left", styles=["one"], **change), Region(styles=["one"]), engine=engine)
        assert float((other - result(Region(styles=["one"]), engine=engine))[..., :40].abs().mean()) > 1e-3


@pytest.mark.parametrize("engine", ["optimize", "instant"])
def test_a_part_of_a_painting_may_be_the_style(engine: str) -> None:
    halves = torch.cat([picture(80, 40, 5) * 0.3, 1 - picture(80, 40, 6) * 0.3], 3)
    given = {"halves": Picture(halves), "dark": mask(80, 80, 0, 40), "light": mask(80, 80, 40, 80)}
    dark, light = (
        result(Region(styles=["halves"], style_masks=[part]), engine=engine, given=given).mean()
        for part in ("dark", "light")
    )
    assert float(light - dark) > 0.2


def test_a_region_of_a_hundred_pixels_is_painted() -> None:
    small = torch.zeros(1, 3, 72, 96)
    small[..., 30:40, 30:40] = 1
    for engine in HOW:
        first, second = STYLES[engine]
        regions = Region(mask="small", styles=[first]), Region(styles=[second])
        done = result(*regions, engine=engine, given={"small": Picture(small)})
        assert bool(done.isfinite().all())
        plain = result(Region(styles=[second]), engine=engine)
        assert float((done - plain)[..., 30:40, 30:40].abs().mean()) > 0.01


def test_regions_in_strips_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Picture(picture(203, 310, 4))
    given = {**GIVEN, "left": mask(203, 310, 0, 140)}
    for engine in ("instant", "looks"):
        first, second = STYLES[engine]
        regions = [Region(mask="left", styles=[first]), Region(styles=[second])]
        brief = Brief(regions=regions, engine=engine, settings={"size": 310, "precision": "float32"})
        whole = painted(open_brief(brief, Pictures(given)).on(photo)).pixels
        with monkeypatch.context() as patched:
            patched.setattr("impasto.recipes.feedforward.IN_STRIPS_BEYOND", 1)
            patched.setattr("impasto.recipes.feedforward._TILE", (64, 104))
            patched.setattr("impasto.models.strips._VALUES", 100_000)
            strips = painted(open_brief(brief, Pictures(given)).on(photo)).pixels
        assert float((whole - strips).abs().mean()) < 0.2 / 255


def test_the_halves_of_a_mask_average_to_the_whole(noise: torch.Tensor) -> None:
    left = torch.zeros(1, 1, 6, 5)
    left[..., :2] = 1
    masks = torch.cat([left, 1 - left], 1)
    for loss in (Wasserstein(), Gram(), Gram("size", 1.0), Moments()):
        parts, whole = loss.describe(noise, masks), loss.describe(noise)
        for name, value in parts.items():
            assert torch.allclose((12 * value[:1] + 18 * value[1:]) / 30, whole[name], atol=1e-5)
    losses: tuple[Loss, ...] = (Wasserstein(), Gram(), Moments(), SlicedWasserstein(quantiles=6))
    for loss in losses:
        cut = loss.describe(noise[..., :2], None)
        for name, value in loss.describe(noise, masks).items():
            assert torch.allclose(value[:1], cut[name], atol=1e-4)


def test_moments_of_parts_have_the_right_gradient() -> None:
    features = torch.randn(1, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    masks = torch.rand(1, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda x: moments_of(x, masks), (features,))


def test_like_to_like_by_the_colours_of_two_maps(tmp_path: Path, save: Any) -> None:
    photo, style = save("photo.png", 72, 96), save("style.png", 80, 80, 4)
    for name, size in (("map.png", (96, 72)), ("style_map.png", (80, 80))):
        drawn = Image.new("RGB", size, (255, 0, 0))
        drawn.paste((0, 0, 255), (0, 0, size[0] // 2, size[1]))
        drawn.resize((size[0] * 3, size[1] * 3), Image.Resampling.BICUBIC).save(tmp_path / name)
    maps = ["--regions", tmp_path / "map.png", "--style-regions", tmp_path / "style_map.png"]
    out = tmp_path / "out.png"
    assert run("paint", photo, style, *maps, "--engine", "instant", "--size", 96, "-o", out) == 0
    assert run("reproduce", out) == 0
    brief = Asked([str(style)], "instant", maps=(str(maps[1]), str(maps[3]))).brief()
    assert sorted(str(region.mask)[-7:] for region in brief.regions) == ["#0000ff", "#ff0000"]
    Image.new("RGB", (80, 80), (0, 255, 0)).save(tmp_path / "other.png")
    with pytest.raises(SettingsError, match=r"share no colour: #.*ff.* against #00ff00"):
        Asked([str(style)], maps=(str(maps[1]), str(tmp_path / "other.png"))).brief()


@pytest.mark.parametrize("engine", ["optimize", "instant"])
def test_pictures_with_regions_are_made_again(engine: str, tmp_path: Path, save: Any) -> None:
    photo, one, two = save("photo.png", 72, 96), save("one.png", 80, 80, 4), save("two.png", 80, 80, 7)
    left, out = tmp_path / "left.png", tmp_path / "out.png"
    Image.fromarray((mask().pixels[0, 0].numpy() * 255).astype(np.uint8)).save(left)
    steps = ["--steps", 2] if engine == "optimize" else []
    regions = ["--region", f"{left}={one},strength=0.6,color=harmony", "--region", f"rest={two}"]
    assert run("paint", photo, *regions, "--engine", engine, "--size", 96, *steps, "-o", out) == 0
    assert run("reproduce", out) == 0
    left.write_bytes(left.read_bytes() + b" ")
    assert run("reproduce", out) == 2


def test_regions_as_a_user_writes_them() -> None:
    assert parse_region("rest=a.jpg") == {"mask": None, "styles": ("a.jpg",)}
    assert parse_region("m.png=a.jpg+b.jpg,blend=2:1,strength=0.5,style-scale=2,part=p.png+q.png") == {
        "mask": "m.png", "styles": ("a.jpg", "b.jpg"), "blend": (2.0, 1.0), "strength": 0.5, "style_scale": 2.0,
        "style_masks": ("p.png", "q.png"),
    }  # fmt: skip
    for text, message in (
        ("m.png", "MASK=STYLE"),
        ("m.png=a.jpg,pens=3", "no option of a region"),
        ("m.png=a.jpg,color=red", "color called 'red'"),
        ("m.png=a.jpg,style_scale=x", "a number"),
    ):
        with pytest.raises(SettingsError, match=message):
            parse_region(text)


def test_what_does_not_fit_is_one_sentence(tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    photo, style, tall = save("photo.png", 72, 96), save("style.png", 80, 80, 4), save("tall.png", 96, 50)
    Image.new("L", (96, 72), 0).save(tmp_path / "black.png")
    Image.new("L", (1, 1), 255).save(tmp_path / "dot.png")
    out = tmp_path / "out.png"
    for arguments, message in (
        (["--mask", tall], "another shape than its picture"),
        (["--mask", tmp_path / "black.png"], "covers nothing"),
        (["--mask", tmp_path / "dot.png"], "give at least 16 a side"),
        (["--mask", tmp_path / "none.png"], "no file"),
        (["--keep", f"{photo}#123456"], "no region of the colour|more than 32 colours"),
        (["--region", f"rest={style}"], "so is --region rest"),
        (["--mask", photo, "--region", f"{photo}={style}"], "--mask is for one way"),
        (["--regions", photo], "go together"),
        (["--strength", "1.5"], "strength"),
        (["--strength", "none.png"], "or a grey picture"),
        (["-o", tmp_path / "black.png", "--force", "--mask", tmp_path / "black.png"], "one of the inputs"),
    ):
        given = [*arguments, *([] if "-o" in arguments else ["-o", out])]
        assert run("paint", photo, style, "--engine", "instant", "--size", 96, *given) == 2
        told = capsys.readouterr().err
        assert any(part in told for part in message.split("|")), told
        assert told.count("\n") == 1
    assert run("paint", photo, "-o", out) == 2
    assert not out.exists()


def test_from_python_with_pictures_in_memory() -> None:
    brief = Brief(regions=[Region(mask="left", styles=["one"]), Region(styles=["two"])], **HOW["optimize"])
    steps = list(impasto.paint(GIVEN["photo"], brief, GIVEN))
    assert [round(step.done, 2) for step in steps] == [0.33, 0.67, 1.0]
    assert steps[0].picture().size == (72, 96)
    (step,) = impasto.paint(GIVEN["photo"], brief.model_copy(update={"engine": "instant"}), GIVEN)
    assert step.done == 1


@pytest.mark.once_in("float32")
def test_strength_may_be_automatic_everywhere(save: Any, tmp_path: Path) -> None:
    photo, style = save("photo.png", 90, 120), save("style.png", 90, 90, 4)
    picture_ = impasto.stylize(photo, style, engine="instant", strength="auto", size=120)
    from impasto.provenance import Record

    chosen = Record.from_xmp(picture_.metadata).brief["settings"]["strength"]
    assert 0 < chosen < 1
    assert run("batch", photo, "--style", style, "--strength", "auto", "--size", 120, "-o", tmp_path / "out") == 0
    painted_ = read(tmp_path / "out" / "photo_style.png")
    assert Record.from_xmp(painted_.metadata).brief["settings"]["strength"] == chosen


@pytest.mark.once_in("float32")
def test_saved_styles_keep_all_that_is_to_be_done_with_them(save: Any, tmp_path: Path) -> None:
    photo, style, calm = save("photo.png", 90, 120), save("style.png", 90, 90, 4), tmp_path / "calm.style"
    assert run("style", "save", calm, style, "--color", "harmony", "--strength", 0.7, "--style-scale", 0.5) == 0
    direct, saved = tmp_path / "direct.png", tmp_path / "saved.png"
    look = ["--engine", "instant", "--color", "harmony", "--strength", 0.7, "--style-scale", 0.5]
    assert run("paint", photo, style, *look, "-o", direct) == 0
    assert run("paint", photo, calm, "-o", saved) == 0
    assert float((read(direct).pixels - read(saved).pixels).abs().max()) <= 2 / 255
    assert run("reproduce", saved) == 0
    assert run("batch", photo, "--style", calm, "-o", tmp_path / "out") == 0
    assert run("paint", photo, calm, "--strength", 0, "-o", tmp_path / "none.png") == 0
    assert float((read(tmp_path / "none.png").pixels - read(photo, 512).pixels).abs().max()) <= 1 / 255
    matched = tmp_path / "matched.style"
    assert run("style", "save", matched, style, "--color", "match") == 0
    assert run("paint", photo, matched, "-o", tmp_path / "matched.png") == 0
    assert run("paint", photo, style, "--engine", "instant", "--color", "match", "-o", tmp_path / "own.png") == 0
    ours, theirs = (read(tmp_path / f"{name}.png").pixels for name in ("matched", "own"))
    assert float((ours - theirs).abs().mean()) < 0.03
    assert run("reproduce", tmp_path / "matched.png") == 0
    slow = tmp_path / "slow.style"
    assert run("style", "save", slow, style, "--engine", "optimize", "--steps", 2, "--size", 96) == 0
    assert run("paint", photo, slow, "-o", tmp_path / "slow.png") == 0
    assert run("reproduce", tmp_path / "slow.png") == 0
    assert run("style", "save", tmp_path / "no.style", style, "--mask", photo) == 2


def test_a_mask_that_covers_nothing_is_refused() -> None:
    with pytest.raises(PictureError, match="covers nothing"):
        result(Region(mask="none", styles=["one"]))


@pytest.mark.parametrize("engine", HOW)
@pytest.mark.parametrize("strips", [False, True])
def test_a_mask_of_one_pixel_harms_nothing(engine: str, strips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if strips:
        monkeypatch.setattr("impasto.recipes.feedforward.IN_STRIPS_BEYOND", 1)
    dot = torch.zeros(1, 3, 72, 96)
    dot[..., 30, 40] = 1
    photo = GIVEN["photo"].pixels
    done = result(Region(mask="dot", styles=[STYLES[engine][0]]), engine=engine, given={"dot": Picture(dot)})
    assert bool(done.isfinite().all())
    assert float((done - photo).abs().amax(1).gt(0).sum()) <= 1


def test_a_picture_in_memory_is_never_painted_over(monkeypatch: pytest.MonkeyPatch, style: Path, save: Any) -> None:
    monkeypatch.setattr("impasto.recipes.feedforward.IN_STRIPS_BEYOND", 1)
    lent = Picture(GIVEN["photo"].pixels.clone())
    impasto.stylize(lent, style, engine="instant", size=SIZE)
    assert torch.equal(lent.pixels, GIVEN["photo"].pixels)
    brief = Brief(regions=[Region(styles=[str(style)])], **HOW["instant"])
    painting = open_brief(brief).on(save("photo.png", 72, 96))
    assert torch.equal(painted(painting).pixels, painted(painting).pixels)


def test_nothing_that_is_read_is_replaced(save: Any, tmp_path: Path) -> None:
    photo, style = save("photo.png", 72, 96), save("style.png", 80, 80, 4)
    part, grade, odd = save("part.png", 80, 80), save("grade.png", 72, 96), save("le#ft.png", 72, 96)
    before = {path: path.read_bytes() for path in (photo, style, part, grade, odd)}
    for arguments, out in (
        (["--region", f"rest={style},part={part}"], part),
        (["--region", f"rest={style},strength={grade}"], grade),
        ([style, "--mask", odd], odd),
        ([style, "--keep", odd], odd),
    ):
        assert run("paint", photo, *arguments, "--engine", "instant", "--size", 96, "--force", "-o", out) == 2
    assert run("mask", photo, "--from", odd, "--force", "-o", odd) == 2
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.once_in("float32")
def test_what_would_be_ignored_is_refused(save: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, style, other = save("photo.png", 72, 96), save("style.png", 80, 80, 4), save("other.png", 80, 80, 5)
    two, plain = tmp_path / "two.style", tmp_path / "plain.style"
    assert run("style", "save", plain, style) == 0
    slow = ["--engine", "optimize", "--steps", 1]
    assert run("style", "save", two, style, other, *slow) == 0
    assert run("style", "save", tmp_path / "again.style", plain, "--strength", 0.5) == 0
    for arguments, message in (
        (["--region", f"rest={style}+{other}", "--blend", "1:2"], "--blend weighs the styles after the photo"),
        ([plain, "--style-scale", 2], "size of its strokes fixed"),
        ([two, other, *slow], "holds more than one style"),
        ([plain, style, "--style-scale", 2], "size of its strokes fixed"),
        (["looks:swirls", "--region", f"{photo}=looks:irises,part={photo}"], "no part of one"),
        ([style, "--mask", "x" * 300], "no file"),
    ):
        assert run("paint", photo, *arguments, "--size", 96, "-o", tmp_path / "o.png") == 2, arguments
        assert message in capsys.readouterr().err
    assert run("mask", photo, "--color", "#808080", "--tolerance", "nan", "-o", tmp_path / "o.png") == 2
    assert run("mask", photo, "--color", "#808080", "--tolerance", 5, "-o", tmp_path / "o.bmp") == 0


@pytest.mark.once_in("float32")
def test_parts_of_large_paintings_are_found_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = torch.cat([picture(80, 40, 5) * 0.3, 1 - picture(80, 40, 6) * 0.3], 3)
    given = {"halves": Picture(halves), "light": mask(160, 160, 80, 160)}
    region = Region(styles=["halves"], style_masks=["light"])
    for engine in ("instant", "optimize"):
        whole = result(region, engine=engine, given=given)
        with monkeypatch.context() as patched:
            patched.setattr("impasto.engine.describe._IN_TILES_BEYOND", 1)
            patched.setattr("impasto.engine.describe._TILE", 32)
            tiles = result(region, engine=engine, given=given)
        assert float((whole - tiles).abs().mean()) < 0.03
