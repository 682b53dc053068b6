"""Tiles: the loss and its gradient are those of the whole, whatever is judged, and memory that ends is lived with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

import impasto
from impasto import Brief, Recipe, Region
from impasto.encoders.compact import load_compact
from impasto.engine.judgement import JITTER, STILL, Judgement
from impasto.engine.tiles import tiles_of
from impasto.errors import SettingsError, TooLargeError
from impasto.losses.content import Content
from impasto.losses.cosine import Cosine
from impasto.losses.gram import Gram
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Loss, PlaceLoss, Term
from impasto.losses.wasserstein import Wasserstein
from impasto.masks import Masks
from impasto.media.image import Picture
from impasto.recipes.painting import open_brief
from impasto.recipes.pictures import Pictures

from fakes import picture

SIZE = (203, 331)
COMPACT = load_compact()
LAYERS = {"relu1_1": 0.5, "relu3_1": 0.5}


def see(pixels: Tensor, terms: Sequence[Term]) -> Iterator[tuple[str, Tensor]]:
    return COMPACT.walk(pixels, {layer for term in terms for layer in term.layers})


def judgement(side: int, style: Loss, content: PlaceLoss, regions: int) -> Judgement:
    masks, areas, phases = None, tuple[float, ...](), STILL
    if regions:
        left = torch.linspace(1.4, -0.4, SIZE[1]).clamp(0, 1).expand(1, 1, *SIZE)
        masks, areas, phases = Masks.of([left, None]), (0.7, 0.3), JITTER
    terms = [
        Term("style", style, LAYERS, 1.0, areas),
        Term("content", content, {"relu2_2": 1.0, "relu4_2": 0.5}, 0.3),
        Term("smoothness", TotalVariation(), {"image": 1.0}, 0.1),
    ]
    result = Judgement(terms, see, SIZE, side, COMPACT.reach, masks, phases)
    with torch.no_grad():
        targets = result.photo(picture(*SIZE, seed=1), terms[1:2])
        seen = see(picture(*SIZE, seed=2), terms[:1])
        own = {layer: style.describe(features) for layer, features in seen}
        several = {
            layer: {name: torch.cat([value] * max(1, regions)) for name, value in named.items()}
            for layer, named in own.items()
        }
        result.prepare({**targets, "style": several})
    return result


@pytest.mark.parametrize("regions", [0, 2])
@pytest.mark.parametrize(
    ("style", "content"),
    [
        (Wasserstein(root=True), Content("instance")),
        (Gram(), Content("mean")),
        (Moments("relative"), Content("gatys")),
        (Gram("size", 1.0), Cosine()),
    ],
)
def test_tiles_give_the_loss_and_the_gradient_of_the_whole(style: Loss, content: PlaceLoss, regions: int) -> None:
    image = picture(*SIZE, seed=3)
    whole, tiled = (judgement(side, style, content, regions)(image, 1) for side in (0, 128))
    assert tiled.loss == pytest.approx(whole.loss, rel=1e-5)
    assert tiled.parts == pytest.approx(whole.parts, rel=1e-4)
    largest = float(whole.gradient.abs().max())
    assert float((tiled.gradient - whole.gradient).abs().max()) < 1e-3 * largest


def test_tiles_cover_a_picture_once() -> None:
    for height, width in ((203, 331), (16, 2000), (130, 129), (7, 5)):
        covered = torch.zeros(height, width)
        for tile in tiles_of(height, width, 128, 70):
            covered[tile.inner] += 1
            for inner, window, length in zip(tile.inner, tile.window, (height, width)):
                assert window.start % 16 == 0
                assert window.start == 0 or inner.start - window.start >= 70
                assert window.stop == length or window.stop - inner.stop >= 70
        assert bool((covered == 1).all())


def test_where_memory_ends_it_goes_on_in_smaller_tiles() -> None:
    windows: list[int] = []

    def scarce(pixels: Tensor, terms: Sequence[Term]) -> Iterator[tuple[str, Tensor]]:
        windows.append(pixels.shape[2] * pixels.shape[3])
        if windows[-1] >= SIZE[0] * SIZE[1]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return see(pixels, terms)

    image = picture(*SIZE, seed=3)
    own = judgement(0, Gram(), Content("mean"), 0)
    expected = own(image, 0)
    own.see = scarce
    assert own(image, 0).loss == pytest.approx(expected.loss, rel=1e-5)
    assert own.side == 160
    ordered = judgement(0, SlicedWasserstein(directions=8), Content("mean"), 0)
    ordered.reach, ordered.see = None, scarce
    with pytest.raises(RuntimeError, match="can't allocate"):
        ordered(image, 0)
    own.see = lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        own(image, 0)


def test_pixels_alone_can_be_judged_where_there_are_tiles() -> None:
    image, term = picture(*SIZE, seed=3), Term("smoothness", TotalVariation(), {"image": 1.0}, 0.1)
    whole, tiled = (Judgement([term], see, SIZE, side, COMPACT.reach) for side in (0, 128))
    for one in (whole, tiled):
        one.prepare({})
    assert torch.equal(whole(image, 0).gradient, tiled(image, 0).gradient)


def painted(**settings: object) -> Picture:
    brief = Brief(regions=[Region(styles=["style"])], engine="optimize", settings=Recipe.model_validate(settings))
    given = {"style": Picture(picture(200, 220, 5))}
    *_, last = impasto.paint(Picture(picture(350, 430, 4)), brief, given)
    return last.picture()


def test_pictures_in_tiles_are_those_of_the_whole() -> None:
    how = {"size": 430, "steps": (0, 4), "precision": "float32"}
    assert float((painted(**how, tile=128).pixels - painted(**how, tile=0).pixels).abs().mean()) < 0.5 / 255


def test_memory_decides_on_tiles() -> None:
    def side(**settings: object) -> int:
        recipe = Recipe.model_validate({"size": 3000, "painted_size": 3000, "steps": (1,), **settings})
        brief = Brief(regions=[Region(styles=["style"])], engine="optimize", settings=recipe)
        work = open_brief(brief, Pictures({"style": Picture(picture(64, 64))}))
        return work.method._plan((3000, 3000))[1]  # type: ignore[union-attr]

    assert side(memory="100GB", tile=0) == 0
    assert 128 <= side(memory="1.65GB") < side(memory="2.5GB")
    with pytest.raises(TooLargeError, match=r"--memory is 0\.50 GB; give --memory 1\.\d+GB or more, or --size \d+"):
        side(memory="0.5GB")
    with pytest.raises(TooLargeError, match=r"takes about 1[0-9].*--size \d+ or less"):
        side(memory="2GB", style_loss="sliced")
    with pytest.raises(
        TooLargeError, match=r"takes about [1-9]\d?\.\d+ GB, and --memory is 0\.90 GB; (give --memory|close)"
    ):
        side(memory="0.9GB", tile=0, size=1500)
    with pytest.raises(SettingsError, match="leave --tile out"):
        side(tile=256, style_loss="sliced")
    with pytest.raises(ValueError, match="must be a number of MB or GB, like 1500MB or 2GB"):
        side(memory="much")
    with pytest.raises(ValueError, match="multiple of 16"):
        side(tile=100)
