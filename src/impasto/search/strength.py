"""Strength chosen for a photo and its styles: as much of the style as leaves the photo's shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from impasto.encoders import load_encoder
from impasto.media.geometry import resample
from impasto.media.image import MAX_PIXELS, read
from impasto.metrics.measures import content_distance
from impasto.metrics.specification import CONTENT_LAYERS, SIZE
from impasto.recipes.quick import Manner
from impasto.settings import Look, Recipe, preset

KEPT = 0.3
_HALVINGS = 4
_NEAR = 0.01

Paint = Callable[[float], Tensor]


@dataclass(frozen=True)
class Draft:
    """A strength, and the content distance of a draft of it."""

    strength: float
    content: float


def drafts(paint: Paint, photo: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Draft]:
    """Try strengths until the content distance comes to `KEPT`; the last is the choice, whose distance is estimated.

    `paint` gives a picture (1, 3, H, W) in [0, 1] of any size.
    """
    encoder, pixels = load_encoder("compact"), read(photo, SIZE, max_pixels=max_pixels).pixels
    with torch.inference_mode():
        before = encoder(pixels, CONTENT_LAYERS)

    def tried(strength: float) -> Draft:
        picture = resample(paint(strength), (pixels.shape[2], pixels.shape[3])).clamp(0, 1)
        with torch.inference_mode():
            return Draft(strength, content_distance(encoder(picture, CONTENT_LAYERS), before))

    weak, strong = Draft(0.0, 0.0), tried(1.0)
    yield strong
    if strong.content <= KEPT:
        return
    for _ in range(_HALVINGS):
        middle = tried((weak.strength + strong.strength) / 2)
        yield middle
        if middle.content <= KEPT:
            weak = middle
        else:
            strong = middle
        if KEPT - _NEAR <= middle.content <= KEPT:
            return
    share = (KEPT - weak.content) / (strong.content - weak.content)
    yield Draft(round(weak.strength + share * (strong.strength - weak.strength), 2), KEPT)


def by_optimisation(
    photo: Path, styles: Sequence[Path], blend: Sequence[float] | None, recipe: Recipe, max_pixels: int = MAX_PIXELS
) -> Paint:
    """Drafts on the slow road, with what `recipe` says of size, colours and strokes."""
    from impasto.recipes.job import prepare

    kept = {name: value for name, value in _draft_size(recipe) if name not in ("strength", "precision")}

    def paint(strength: float) -> Tensor:
        job = prepare(photo, styles, preset("draft", strength=strength, **kept), blend=blend, max_pixels=max_pixels)
        step = None
        for step in job.painter.paint():
            pass
        return job.painter.finish(step).pixels

    return paint


def in_one_pass(photo: Path, manner: Manner, max_pixels: int = MAX_PIXELS) -> Paint:
    """Drafts by a network."""
    look = Look(**dict(_draft_size(manner.look)))

    def paint(strength: float) -> Tensor:
        draft = replace(manner, look=look.model_copy(update={"strength": strength}))
        return draft.paint(photo, max_pixels=max_pixels).pixels

    return paint


def _draft_size(look: Look) -> Iterator[tuple[str, object]]:
    for name in Look.model_fields:
        value = getattr(look, name)
        yield name, (SIZE if value == "max" else min(value, SIZE)) if name == "size" else value
