"""Strength chosen for a photo and its styles: as much of the style as leaves the photo's shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.brief import Brief
from impasto.encoders import load_encoder
from impasto.losses.content import content_distance
from impasto.media.geometry import resample
from impasto.presets import preset
from impasto.recipes.pictures import Given, Pictures
from impasto.settings import Look, Recipe

KEPT = 0.3  # about the content distance of `balanced` (`docs/figures.md`)
_SIZE = 512
_LAYERS = ("relu3_4", "relu4_2")
_HALVINGS = 4
_NEAR = 0.01


@dataclass(frozen=True)
class Draft:
    """A strength, and the content distance of a draft of it."""

    strength: float
    content: float


def is_automatic(brief: Brief) -> bool:
    """Whether a strength is to be chosen."""
    return any(brief.look_of(region).strength == "auto" for region in brief.regions)


def settled(brief: Brief, photo: Given, pictures: Pictures) -> Brief:
    """The brief with every `auto` replaced by the strength that drafts are best in."""
    if not is_automatic(brief):
        return brief
    *_, draft = drafts(brief, photo, pictures)
    return with_strength(brief, draft.strength)


def with_strength(brief: Brief, strength: float) -> Brief:
    """The brief with this strength in place of every `auto`."""
    regions = [
        region.model_copy(update={"strength": strength}) if region.strength == "auto" else region
        for region in brief.regions
    ]
    settings = brief.settings
    if settings.strength == "auto":
        settings = settings.model_copy(update={"strength": strength})
    return brief.model_copy(update={"regions": tuple(regions), "settings": settings})


def drafts(brief: Brief, photo: Given, pictures: Pictures) -> Iterator[Draft]:
    """Try strengths on small pictures; the last is the choice."""
    from impasto.recipes.painting import open_brief, painted

    small, content = _draft_of(brief), pictures.read(photo, _SIZE)
    yield from tried(
        lambda strength: painted(open_brief(with_strength(small, strength), pictures).on(content)).pixels,
        content.pixels,
    )


def tried(paint: Callable[[float], Tensor], photo: Tensor) -> Iterator[Draft]:
    """Strengths until the content distance comes to `KEPT`; the last is the choice, whose distance is estimated.

    `paint` gives a picture (1, 3, H, W) in [0, 1] of any size.
    """
    encoder = load_encoder("compact")
    with torch.inference_mode():
        before = encoder(photo, _LAYERS)

    def draft(strength: float) -> Draft:
        picture = resample(paint(strength), (photo.shape[2], photo.shape[3])).clamp(0, 1)
        with torch.inference_mode():
            return Draft(strength, float(content_distance(encoder(picture, _LAYERS), before, _LAYERS)))

    weak, strong = Draft(0.0, 0.0), draft(1.0)
    yield strong
    if strong.content <= KEPT:
        return
    for _ in range(_HALVINGS):
        middle = draft((weak.strength + strong.strength) / 2)
        yield middle
        if middle.content <= KEPT:
            weak = middle
        else:
            strong = middle
        if KEPT - _NEAR <= middle.content <= KEPT:
            return
    share = (KEPT - weak.content) / (strong.content - weak.content)
    yield Draft(round(weak.strength + share * (strong.strength - weak.strength), 2), KEPT)


def _draft_of(brief: Brief) -> Brief:
    """The brief for a small and hasty picture, with what it says of colours and strokes."""
    look = {name: getattr(brief.settings, name) for name in Look.model_fields}
    look["size"] = _SIZE if look["size"] == "max" else min(look["size"], _SIZE)
    settings = Look(**look)
    if isinstance(brief.settings, Recipe):
        settings = preset("draft", **{name: value for name, value in look.items() if name != "precision"})
    return brief.model_copy(update={"settings": settings, "weights": None})
