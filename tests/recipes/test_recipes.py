"""Painting from end to end on small pictures: controls, presets, records, going on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto import errors
from impasto.brief import Brief, of_painting
from impasto.engine.judgement import JITTER, STILL
from impasto.errors import PictureError, RecordError, SettingsError, TooLargeError, UnknownName
from impasto.media.image import Picture, read
from impasto.presets import PRESETS, preset, read_preset
from impasto.provenance import Record
from impasto.recipes.checkpoint import load_checkpoint, save_checkpoint
from impasto.recipes.optimize import Optimization, OptimizedPainting
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures
from impasto.recipes.style_transfer import CONTENT_LOSSES, STYLE_LOSSES
from impasto.settings import Recipe

from fakes import picture, tiny_encoder

TINY: dict[str, Any] = {
    "size": 64,
    "steps": (12,),
    "style_layers": {"relu1_1": 1.0, "relu2_1": 1.0},
    "content_layers": {"relu2_1": 1.0},
}


def painting(blend: tuple[float, ...] = (), photo: Picture | None = None, **changes: Any) -> OptimizedPainting:
    styles = {f"style {number}": Picture(picture(64, 64, seed=9 + number)) for number in range(len(blend) or 1)}
    settings = Recipe(**{**TINY, **changes})
    brief = of_painting(list(styles), "optimize", settings, blend=blend)
    return Optimization(brief, Pictures(styles), tiny_encoder()).on(photo or Picture(picture(48, 64)))


def result(painting: OptimizedPainting) -> torch.Tensor:
    return painted(painting).pixels


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
@pytest.mark.parametrize("content_loss", CONTENT_LOSSES)
def test_every_loss_goes_down(style_loss: str, content_loss: str) -> None:
    weight = 1e-4 if "ga" in content_loss or "gr" in style_loss else 0.1
    steps = list(painting(style_loss=style_loss, content_loss=content_loss, content_weight=weight).steps())
    assert sum(steps[-1].losses.values()) < sum(steps[0].losses.values())
    assert set(steps[0].losses) == {"style", "content"}


@pytest.mark.parametrize(("pyramid", "deepest"), [(True, 0.3), (False, 1.0)])
def test_large_sizes_move_and_the_deepest_style_layer_counts_less(
    pyramid: bool, deepest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.recipes.style_transfer._LARGE_BEYOND", 64)
    work = painting(size=128, steps=(2,), pyramid=pyramid, photo=Picture(picture(96, 128)))
    judgement = work._problem().objective(work.scales()[-1])
    assert judgement.phases == (JITTER if pyramid else STILL)  # type: ignore[attr-defined]
    style, _ = judgement.terms  # type: ignore[attr-defined]
    assert style.layers == pytest.approx({"relu1_1": 1.0, "relu2_1": deepest})


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first = result(painting(start="noise", seed=4))
    assert torch.equal(result(painting(start="noise", seed=4)), first)
    assert not torch.equal(result(painting(start="noise", seed=5)), first)


def test_strength_goes_smoothly_from_the_photo() -> None:
    photo = picture(48, 64)
    assert torch.equal(result(painting(strength=0.0)), photo.clamp(0, 1))
    moved = [float((result(painting(strength=s, steps=(40,))) - photo).abs().mean()) for s in (0.1, 0.4, 0.7, 1.0)]
    assert moved == sorted(moved)
    assert moved[0] < 0.5 * moved[-1]


def test_blends_lie_between_their_styles() -> None:
    def mean(blend: tuple[float, ...]) -> torch.Tensor:
        return result(painting(blend, content_weight=0.0, steps=(60,))).mean((2, 3))

    first, middle, second = mean((1, 0)), mean((1, 1)), mean((0, 1))
    assert torch.equal(mean((2, 2)), middle)
    assert float((middle - (first + second) / 2).abs().max()) < 0.6 * float((first - second).abs().max())


def test_color_content_keeps_the_photos_colours() -> None:
    photo, luma = picture(48, 64), torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)

    def chroma(pixels: torch.Tensor) -> torch.Tensor:
        return pixels - (pixels * luma).sum(1, keepdim=True)

    kept, free = result(painting(color="content")), result(painting())
    assert float((chroma(kept) - chroma(photo)).abs().mean()) < 0.3 * float((chroma(free) - chroma(photo)).abs().mean())
    assert float((kept - photo).abs().mean()) > 0.005


def test_style_scale_changes_what_is_learned() -> None:
    assert not torch.equal(result(painting(style_scale=2.0)), result(painting()))


def test_alpha_and_profile_come_back() -> None:
    alpha = torch.ones(1, 1, 48, 64)
    alpha[..., :10] = 0
    cut = painting(photo=Picture(picture(48, 64), alpha, b"profile", 16))
    done = next(iter(cut.steps())).picture()
    assert done.alpha is not None
    torch.testing.assert_close(done.alpha, alpha, atol=1e-5, rtol=0)
    assert (done.profile, done.depth) == (b"profile", 16)


def test_flat_pictures_and_narrow_ones_are_refused() -> None:
    flat = Picture(torch.full((1, 3, 64, 64), 0.3))
    brief = of_painting(["flat"], "optimize", Recipe(**TINY))
    with pytest.raises(PictureError, match="style flat is all one colour"):
        Optimization(brief, Pictures({"flat": flat}), tiny_encoder()).on(Picture(picture(48, 64)))
    with pytest.raises(PictureError, match="photo is all one colour"):
        list(painting(photo=flat).steps())
    with pytest.raises(PictureError, match="give --size 342 or more"):
        list(painting(photo=Picture(picture(20, 200))).steps())


def test_no_weights_at_all_are_refused(job_inputs: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match="all 0"):
        impasto.stylize(*job_inputs, style_weight=0.0, content_weight=0.0)


def test_presets_derive_valid_recipes_and_unknown_names_get_the_nearest(tmp_path: Path) -> None:
    assert all(Recipe.model_validate(make().model_dump()) == make() for make in PRESETS.values())
    assert preset("draft", size=300).size == 300
    assert preset("gatys").optimizer == "lbfgs"
    with pytest.raises(UnknownName, match="did you mean 'balanced'"):
        preset("ballanced")
    with pytest.raises(UnknownName, match="did you mean 'strength'"):
        preset("best", strenght=0.5)
    for wrong in (
        {"size": 63},
        {"strength": 1.5},
        {"style_weight": -1},
        {"style_layers": {"relu1_1": -1}},
        {"steps": ()},
    ):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            preset("balanced", **wrong)
    (tmp_path / "mine.json").write_text('{"strength": 0.5}')
    assert read_preset(tmp_path / "mine.json", Recipe, size=128) == Recipe(strength=0.5, size=128)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SettingsError, match="cannot be read as JSON"):
        read_preset(tmp_path / "broken.json", Recipe)


@pytest.fixture
def job_inputs(save: Any) -> tuple[Path, Path]:
    return save("photo.png", 90, 120, 0), save("style.png", 100, 100, 3)


QUICK: dict[str, Any] = {"size": 64, "steps": (6,)}


def test_stylize_gives_a_picture_with_its_record(job_inputs: tuple[Path, Path], tmp_path: Path) -> None:
    photo, style = job_inputs
    done = impasto.stylize(photo, style, preset="draft", **QUICK)
    assert done.size == (48, 64)
    impasto.write(done, tmp_path / "out.png")
    record = Record.from_xmp(read(tmp_path / "out.png").metadata)
    assert record.content.name == "photo.png"
    assert record.brief["settings"]["size"] == 64
    assert list(record.pictures) == ["style.png"]
    assert record.done == pytest.approx(1)
    assert str(tmp_path) not in record.model_dump_json()
    assert Brief(**record.brief).settings == preset("draft", **QUICK, tile=0)


def opened(photo: Path, style: Path, recipe: Recipe) -> OptimizedPainting:
    work = open_brief(of_painting([str(style)], "optimize", recipe)).on(photo)
    assert isinstance(work, OptimizedPainting)
    return work


def test_checkpoints_go_on_bit_for_bit_and_refuse_others(job_inputs: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = preset("balanced", **QUICK)
    job = opened(*job_inputs, recipe)
    whole = list(job.steps())
    for number, step in enumerate(job.steps(), 1):
        if number == 3:
            save_checkpoint(tmp_path / "x", step.state(), job.record)
            break
    rest = list(opened(*job_inputs, recipe).steps(load_checkpoint(tmp_path / "x", job.record)))
    assert len(rest) == 3
    assert torch.equal(rest[-1].picture().pixels, whole[-1].picture().pixels)

    other = opened(*job_inputs, recipe.model_copy(update={"strength": 0.5}))
    with pytest.raises(RecordError, match=r"\(strength\)"):
        load_checkpoint(tmp_path / "x", other.record)
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:1000])
    with pytest.raises(RecordError, match="damaged"):
        load_checkpoint(tmp_path / "x", job.record)
    with pytest.raises(RecordError, match="without --resume"):
        load_checkpoint(tmp_path / "none", job.record)


def test_memory_is_looked_at_before(job_inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.recipes.optimize.free_memory", lambda device: 650_000_000)
    with pytest.raises(TooLargeError, match=r"GB are free; give --size \d+ or less") as caught:
        opened(*job_inputs, Recipe(size=4096))
    fitting = int(str(caught.value).split("--size ")[1].split()[0])
    assert opened(*job_inputs, Recipe(size=fitting)).recipe.size == fitting
    assert opened(*job_inputs, Recipe(size="max")).recipe.size == 120


@pytest.mark.parametrize("blend", [(1.0,), (1.0, -1.0), (0.0, 0.0), (1.0, float("nan"))])
def test_blends_that_do_not_fit(job_inputs: tuple[Path, Path], blend: tuple[float, ...]) -> None:
    photo, style = job_inputs
    with pytest.raises(SettingsError, match="blend"):
        impasto.stylize(photo, style, style, blend=blend)


def test_unknown_layers_are_named(job_inputs: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownName, match="did you mean 'relu4_1'"):
        opened(*job_inputs, Recipe(style_layers={"relu4_11": 1.0}))


@pytest.mark.parametrize("packet", [None, b"", b'impasto:record="{}"', b'impasto:record="&lt;"', b"<xmp/>"])
def test_broken_records_are_refused(packet: bytes | None) -> None:
    with pytest.raises(RecordError):
        Record.from_xmp(packet)


def test_every_error_is_ours_and_inputs_are_values() -> None:
    every = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(every) > 8
    assert all(issubclass(kind, errors.ImpastoError) for kind in every)
    assert {kind for kind in every if issubclass(kind, ValueError)} >= {errors.PictureError, errors.SettingsError}


def test_layers_may_be_written_as_text() -> None:
    assert preset("balanced", style_layers="relu3_1=1, relu4_1=0.5").style_layers == {"relu3_1": 1.0, "relu4_1": 0.5}
    with pytest.raises(SettingsError, match="style_layers"):
        preset("balanced", style_layers="relu3_1")


def test_a_seed_is_a_variation(job_inputs: tuple[Path, Path]) -> None:
    photo, style = job_inputs
    how: dict[str, Any] = {"engine": "instant", "size": 96}
    plain, other, again, third = (impasto.stylize(photo, style, **how, seed=seed).pixels for seed in (0, 1, 1, 2))
    assert torch.equal(plain, impasto.stylize(photo, style, **how).pixels)
    assert torch.equal(other, again)
    for one, two in ((plain, other), (other, third)):
        assert 2 / 255 < float((one - two).abs().mean()) < 40 / 255
    slow = [impasto.stylize(photo, style, size=64, steps=(3,), seed=seed).pixels for seed in (1, 2)]
    assert float((slow[0] - slow[1]).abs().mean()) > 1 / 255


def test_records_say_device_and_precision(job_inputs: tuple[Path, Path]) -> None:
    photo, style = job_inputs
    for precision in ("float32", "bfloat16"):
        for how in ({"engine": "instant"}, {"steps": (1,)}):
            painted = impasto.stylize(photo, style, size=64, precision=precision, device="cpu", **how)
            told = Record.from_xmp(painted.metadata).versions
            assert (told["device"], told["precision"]) == ("cpu", precision)


def test_a_painting_is_not_enlarged_beyond_all_measure(job_inputs: tuple[Path, Path]) -> None:
    photo, style = job_inputs
    with pytest.raises(SettingsError, match=r"asks for a painting of 16000, more than 8192; give --style-scale 4\.09"):
        impasto.stylize(photo, style, size=2000, style_scale=8)
