"""Painting in one pass, from files to files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch.optim import Adam

import impasto
from impasto.brief import of_painting
from impasto.encoders import load_encoder
from impasto.errors import PictureError, SettingsError, TooLargeError, UnknownName
from impasto.media.image import Picture, read
from impasto.recipes.feedforward import FeedForward
from impasto.recipes.painting import open_brief
from impasto.recipes.painting import painted as finished
from impasto.shelf.engines import chosen_engine
from impasto.training.styles import describe_style
from impasto.training.task import CONTENT_LAYERS, distances, prepared

from door import run


@pytest.fixture
def other(save: Any) -> Path:
    return save("other.png", 100, 120, 9)


def painted(photo: Path, *styles: Path, blend: tuple[float, ...] = (), **look: Any) -> torch.Tensor:
    return picture(photo, *styles, blend=blend, **look).pixels


def picture(photo: Path, *styles: Path, blend: tuple[float, ...] = (), **look: Any) -> Picture:
    brief = of_painting([str(style) for style in styles], "instant", {"size": 96, **look}, blend=blend)
    return finished(open_brief(brief).on(photo))


def test_it_has_the_style_and_the_size_asked_for(photo: Path, style: Path, other: Path) -> None:
    first, second = painted(photo, style), painted(photo, other)
    assert first.shape == (1, 3, 72, 96)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, painted(photo, style))
    assert (first - second).abs().mean() > 0.02
    wanted = read(style, 96).pixels.mean((2, 3))
    assert (first.mean((2, 3)) - wanted).abs().max() < 0.15


@pytest.mark.parametrize("size", [(34, 64), (67, 301), (200, 33)])
def test_any_shape(save: Any, style: Path, size: tuple[int, int]) -> None:
    photo = save("odd.png", *size)
    assert painted(photo, style, size=max(size)).shape[2:] == size


def test_strength_goes_smoothly_from_the_photo(photo: Path, style: Path) -> None:
    source = read(photo, 96).pixels
    assert torch.equal(painted(photo, style, strength=0.0), source)
    moved = [float((painted(photo, style, strength=s) - source).abs().mean()) for s in (0.1, 0.4, 0.6, 1.0)]
    assert all(later > 0.98 * earlier for earlier, later in pairwise(moved))
    assert moved[0] < 0.05


def test_blends(photo: Path, style: Path, other: Path) -> None:
    alone, ends = painted(photo, style), painted(photo, style, other, blend=(1.0, 0.0))
    between, far = painted(photo, style, other, blend=(1.0, 1.0)), painted(photo, other)
    assert torch.allclose(alone, ends, atol=1e-4)
    assert 0 < (between - alone).abs().mean() < (far - alone).abs().mean()


def test_colours(photo: Path, style: Path) -> None:
    source, kept = read(photo, 96).pixels, painted(photo, style, color="content")
    chroma, wanted_chroma = (x - x.mean(1, keepdim=True) for x in (kept, source))
    assert (chroma - wanted_chroma).abs().mean() < 0.05
    matched = painted(photo, style, color="match")
    free = painted(photo, style)
    wanted = source.mean((2, 3))
    assert (matched.mean((2, 3)) - wanted).abs().mean() < (free.mean((2, 3)) - wanted).abs().mean()


@pytest.mark.parametrize("adapt", [0, 2])
def test_large_pictures_are_the_same(adapt: int, save: Any, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = save("large.png", 310, 203)

    def in_both_precisions() -> list[torch.Tensor]:
        return [painted(photo, style, size=310, precision=name, adapt=adapt) for name in ("float32", "bfloat16")]

    whole, whole_rounded = in_both_precisions()
    monkeypatch.setattr("impasto.recipes.feedforward.IN_STRIPS_BEYOND", 1)
    monkeypatch.setattr("impasto.recipes.feedforward._TILE", (64, 104))
    monkeypatch.setattr("impasto.models.strips._VALUES", 100_000)
    strips, strips_rounded = in_both_precisions()
    assert (whole - strips).abs().mean() < 0.2 / 255
    assert (whole - strips).abs().max() < 2 / 255
    assert (strips_rounded - whole).abs().mean() < 1.05 * (whole_rounded - whole).abs().mean()


def test_saved_styles(photo: Path, style: Path, other: Path, tmp_path: Path) -> None:
    code = tmp_path / "between.style"
    assert run("style", "save", code, style, other, "--blend", "3:1", "--size", 96) == 0
    assert code.stat().st_size < 300_000
    from_code, direct = painted(photo, code), painted(photo, style, other, blend=(3.0, 1.0))
    assert torch.allclose(from_code, direct, atol=1e-4)
    assert run("paint", photo, code, "-o", tmp_path / "out.png", "--size", 96) == 0
    with pytest.raises(SettingsError, match="has its colours, its places"):
        painted(photo, code, color="match")
    code.write_bytes(code.read_bytes()[:500])
    assert run("paint", photo, code, "-o", tmp_path / "again.png") == 2
    assert not (tmp_path / "again.png").exists()


def test_adapting_to_a_style_comes_nearer_to_it(
    save: Any, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge, photo = load_encoder("compact2"), save("large.png", 128, 160, 3)

    @torch.inference_mode()
    def distance(picture: torch.Tensor) -> float:
        content = judge(picture, CONTENT_LAYERS)
        wants = prepared(describe_style(judge, read(style, 160).pixels))
        return float(distances(judge, picture, wants, content)[0])

    usual, adapted, again = (painted(photo, style, size=160, adapt=steps) for steps in (0, 8, 8))
    assert distance(adapted) < 0.97 * distance(usual)
    assert torch.equal(adapted, again)

    code, out = tmp_path / "one.style", tmp_path / "out.png"
    assert run("style", "save", code, style, "--size", 96) == 0
    kept = tmp_path / "two.style"
    assert run("style", "save", kept, style, "--engine", "instant", "--adapt", 8, "--size", 160) == 0
    assert run("paint", photo, kept, "-o", tmp_path / "kept.png", "--size", 160) == 0
    from_kept = read(tmp_path / "kept.png").pixels
    assert (from_kept - adapted).abs().mean() < 0.5 * (from_kept - usual).abs().mean()
    flat = tmp_path / "flat.png"
    Image.new("RGB", (64, 64), "red").save(flat)
    for given, message in (
        (flat, "all one colour"),
        (code, "no painting to optimise by or adapt to"),
        ("looks:swirls", "has learned its styles"),
    ):
        assert run("style", "save", tmp_path / "none.style", given, "--adapt", 8, "--size", 96) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "none.style").exists()
    for arguments, message in (
        ([style], "give --engine instant"),
        ([style, "--engine", "instant", "--runtime", "onnxruntime"], "Only the runtime torch adapts"),
        ([code, "--engine", "instant"], "for --adapt give the painting"),
        (["looks:swirls"], "has learned its styles for longer"),
    ):
        assert run("paint", photo, "--adapt", 8, *arguments, "-o", out) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_style_is_adapted_to_once_for_all_photos(save: Any, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, usual = [], Adam.step
    monkeypatch.setattr(Adam, "step", lambda self: (steps.append(1), usual(self)))
    brief = of_painting([str(style)], "instant", {"size": 64, "strength": 0.6, "adapt": 5})
    work = open_brief(brief)
    pictures = [finished(work.on(save(f"{seed}.png", 64, 64, seed))).pixels for seed in (1, 2)]
    assert len(steps) == 5
    again = finished(open_brief(brief).on(save("1.png", 64, 64, 1))).pixels
    assert len(steps) == 5
    assert torch.equal(again, pictures[0])


def test_painters_by_name(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, arguments in enumerate(
        (["looks"], ["looks:swirls"], ["looks:swirls", "looks:mosaic", "--blend", "1:2"])
    ):
        out = tmp_path / f"{number}.png"
        assert run("paint", photo, *arguments, "-o", out, "--size", 96) == 0
        assert run("reproduce", out) == 0
    assert run("paint", photo, "looks:swirl", "-o", tmp_path / "x.png") == 2
    assert "did you mean 'swirls'" in capsys.readouterr().err
    assert run("paint", photo, "looks:swirls", photo, "-o", tmp_path / "x.png") == 2
    assert "styles of one kind" in capsys.readouterr().err
    assert run("paint", photo, "looks", "--style-scale", 2, "-o", tmp_path / "x.png") == 2
    assert "learned the size of its strokes" in capsys.readouterr().err


def test_instant_pictures_are_reproduced(photo: Path, style: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "--engine", "instant", "-o", out, "--size", 96, "--strength", 0.7) == 0
    assert run("reproduce", out) == 0


def test_transparency_and_depth_stay(style: Path, tmp_path: Path) -> None:
    image = Image.new("RGBA", (96, 64), (200, 30, 60, 255))
    image.paste((0, 0, 0, 0), (0, 0, 30, 64))
    image.save(tmp_path / "cut.png")
    result = picture(tmp_path / "cut.png", style)
    assert result.alpha is not None
    assert result.alpha[..., :28].max() == 0


def test_the_slow_road_may_start_from_it(photo: Path, style: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "-o", out, "--size", 128, "--start", "instant", "--steps", 2) == 0
    assert run("reproduce", out) == 0


def test_from_python(photo: Path, style: Path) -> None:
    picture = impasto.stylize(photo, style, engine="instant", size=96, strength=0.9)
    assert torch.equal(picture.pixels, painted(photo, style, strength=0.9))
    assert impasto.stylize(photo, "looks:swirls", size=96).size == (72, 96)
    with pytest.raises(SettingsError, match="strength is 2"):
        impasto.stylize(photo, style, engine="instant", strength=2)


def test_what_is_refused(photo: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    with pytest.raises(PictureError, match="all one colour"):
        painted(photo, tmp_path / "red.png")
    with pytest.raises(SettingsError, match=r"should hold 1 weights"):
        painted(photo, style, blend=(1.0, 2.0))
    with pytest.raises(UnknownName, match="did you mean 'instant'"):
        chosen_engine("instan", [str(style)])
    out = tmp_path / "out.png"
    for arguments, message in (
        (["--engine", "instant", "--steps", 3], "--steps steers"),
        (["--engine", "instant", "--preset", "best"], "--preset steers"),
        (["--engine", tmp_path / "none.impasto"], "no model file"),
    ):
        assert run("paint", photo, style, "-o", out, *arguments) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()


def test_strips_for_which_there_is_no_room(save: Any, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = save("large.png", 310, 203)
    monkeypatch.setattr("impasto.recipes.feedforward.IN_STRIPS_BEYOND", 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("impasto.models.strips.Stored.append", full)
        with pytest.raises(TooLargeError, match=r"temporary files, and .* is full .*TMPDIR"):
            painted(photo, style, size=310)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(TooLargeError, match="temporary files"):
        painted(photo, style, size=310)


def test_memory_is_looked_at_before(photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.recipes.one_pass.free_memory", lambda device: 1_000_000_000)
    with pytest.raises(TooLargeError, match=r"in one pass takes about .* give --size \d+ or less"):
        painted(photo, style, size=16000, painted_size=16000)


def test_where_memory_is_scarce_it_is_drawn_in_strips(
    photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large: list[torch.Size] = []
    draw = FeedForward._draw_large
    monkeypatch.setattr(FeedForward, "_draw_large", lambda self, *all: large.append(all[0].shape) or draw(self, *all))
    whole = painted(photo, style, size=1200, precision="float32")
    assert not large
    strips = painted(photo, style, size=1200, memory="600MB", precision="float32")
    assert large == [strips.shape]
    assert (whole - strips).abs().mean() < 0.5 / 255
    with pytest.raises(TooLargeError, match="--size"):
        painted(photo, style, size=1200, memory="520MB")


def test_memory_that_ends_on_the_way_is_one_sentence(
    photo: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: Any, **__: Any) -> torch.Tensor:
        return torch.empty(1 << 60)

    for name, how in (("impasto.recipes.feedforward.FeedForward.draw", ["--engine", "instant"]),
                      ("impasto.recipes.style_transfer.StyleTransfer._see", [])):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(name, ends)
            assert run("paint", photo, style, *how, "-o", tmp_path / "out.png") == 2
        told = capsys.readouterr().err
        assert "Memory ran out while 512x384 pixels were painted; give --size" in told
        assert not (tmp_path / "out.png").exists()


def test_the_two_precisions_paint_alike(photo: Path, style: Path) -> None:
    for styles, how in (([style], {"engine": "instant"}), (["looks:swirls"], {}), ([style], {"steps": (4,)})):
        exact, fast = (
            impasto.stylize(photo, *styles, size=128, precision=precision, **how).pixels
            for precision in ("float32", "bfloat16")
        )
        assert 0 < float((exact - fast).abs().mean()) < 6 / 255
