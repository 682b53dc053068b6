"""Networks that paint in one pass, and where they have their styles from: paintings, saved styles, their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from impasto.brief import Brief, Region, of_map
from impasto.controls.color import OF_PHOTO, recolored
from impasto.errors import SettingsError
from impasto.losses.terms import Targets
from impasto.masks import Masks
from impasto.recipes.pictures import Pictures
from impasto.recipes.styles import PaintingReader, SavedStyle, is_saved, seen_size
from impasto.shelf.card import Card
from impasto.shelf.models import find


class Model(Protocol):
    """A trained network, whatever runs it; what it makes of styles is its own affair."""

    @property
    def path(self) -> Path: ...
    @property
    def card(self) -> Card: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def bfloat16(self) -> bool:
        """Whether it computes in bfloat16."""
        ...

    @property
    def knows_strips(self) -> bool:
        """Whether it can draw strip by strip, in little memory; it does so with large pictures."""
        ...

    def describe(self, painting: Tensor, mask: Tensor | None = None) -> Targets:
        """What it knows of a picture (1, 3, H, W), or of each part in `mask` (1, R, H, W)."""
        ...

    def describe_style(self, painting: Tensor, mask: Tensor | None = None) -> Targets:
        """What it knows of a style; it may take its time, once."""
        ...

    def style_of(self, descriptions: Sequence[Targets]) -> Any:
        """The style of each region."""
        ...

    def learned_style(self, shares: Sequence[dict[str, float]], size: int = 512) -> Any:
        """For each region, styles that a painter has learned, each with its weight; its first if there is none."""
        ...

    def draw(
        self,
        photo: Tensor,
        style: Any,
        masks: Masks | None = None,
        *,
        seed: int = 0,
        in_place: bool = False,
        in_strips: bool = False,
    ) -> Tensor:
        """`photo` (1, 3, H, W) painted in the variation `seed`; `in_place`: perhaps in its own memory.

        `in_strips`, even if it is not large, if it knows them.
        """
        ...


@dataclass(frozen=True)
class StyleSource:
    """A painting of a region: what is known of it; or its pixels and mask, until its photo is to be painted."""

    description: Targets | None = None
    pixels: Tensor | None = None
    mask: Tensor | None = None


def open_model(brief: Brief, pictures: Pictures) -> Model:
    """The network that a brief names.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    name = str(pictures.path(brief.engine)) if brief.engine in pictures.given else brief.engine
    look = brief.settings
    if name.endswith(".onnx") or look.runtime != "torch":
        from impasto.recipes.onnx import OnnxModel

        return OnnxModel.open(Path(name) if name.endswith(".onnx") else find(name), look)
    from impasto.recipes.feedforward import FeedForward

    return FeedForward.open(name, look)


def learned_styles(region: Region, model: Model, brief: Brief) -> dict[str, float]:
    """{style: weight} of what a painter has learned."""
    names = [brief.painter_style(style) for style in region.styles]
    if any(name is None for name in names):
        raise SettingsError(
            f"{model.path.name} paints in its own styles and looks at no painting; give it in place of "
            f"{Path(region.styles[names.index(None)]).name}, or paint with --engine instant."
        )
    if any(region.style_masks):
        raise SettingsError("A painter looks at no painting, so that no part of one can be its style; leave it out.")
    if region.style_scale != 1:
        raise SettingsError("A painter has learned the size of its strokes; --style-scale needs another engine.")
    shares: dict[str, float] = {}
    for name, share in zip(names, region.shares):
        chosen = name or model.card.styles[0]
        shares[chosen] = shares.get(chosen, 0.0) + share
    return shares


def read_styles(region: Region, model: Model, brief: Brief, reader: PaintingReader) -> Iterator[StyleSource]:
    """The paintings of a region: described, or as they are where their colours depend on the photo, or adapting to them
    takes its time."""
    pictures = reader.pictures
    waits = region.color in OF_PHOTO
    later = waits or brief.settings.adapt > 0  # not before the photo can be painted at all
    for style, mask_name in zip(region.styles, region.style_masks or ("",) * len(region.styles)):
        if brief.painter_style(style) is not None:
            raise SettingsError(f"Expected a painting for the instant network, not {style}; give one.")
        saved = SavedStyle.read(style, pictures) if is_saved(style, pictures) else None
        if saved and not saved.has_picture(style):
            if waits or mask_name or (of_map(style) is None and region.style_scale != 1):
                raise SettingsError(
                    "A saved style has its colours, its places and the size of its strokes fixed; --color match and "
                    "histogram, parts of a painting and --style-scale need the painting itself."
                )
            if brief.settings.adapt:
                raise SettingsError(
                    "A saved style was described for a network as it is; for --adapt give the painting, or a style "
                    "that was saved with it."
                )
            if brief.engine.endswith(".onnx"):
                raise SettingsError(f"An exported network reads paintings, not saved styles like {style}; give one.")
            yield StyleSource(saved.description(style))
            continue
        size = seen_size(region, brief, saved.picture(style).size if saved else pictures.dimensions(style))
        painting, mask = reader.read(style, size, mask_name)
        yield StyleSource(None, painting.pixels, mask) if later else StyleSource(model.describe(painting.pixels, mask))


def described(source: StyleSource, region: Region, photo: Tensor, mask: Tensor | None, model: Model) -> Targets:
    """What is known of a source, its colours moved to those of the photo (inside `mask`) where that is asked for."""
    if source.description is not None:
        return source.description
    assert source.pixels is not None
    return model.describe_style(recolored(source.pixels, region.color or "style", photo, mask), source.mask)
