"""Paint in one pass: styles are read once, for as many photos as you like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from impasto.brief import Brief, Region, of_map
from impasto.controls.color import recolored
from impasto.device import choose_device, free_memory, telling_when_memory_ends
from impasto.encoders import weights_path
from impasto.errors import PictureError, SettingsError, TooLargeError
from impasto.losses.terms import Targets, mix, part_of
from impasto.masks import Masks
from impasto.media.geometry import fit
from impasto.media.image import Picture
from impasto.provenance import Record, Source, versions
from impasto.recipes.estimate import Estimate, seconds_of, trial_size
from impasto.recipes.painting import Step
from impasto.recipes.pictures import Given, Pictures, recorded
from impasto.recipes.regions import Layout, lay_out
from impasto.recipes.strength import settled
from impasto.recipes.styles import PaintingReader, SavedStyle, is_saved
from impasto.settings import style_size
from impasto.shelf.card import Card
from impasto.weights.files import sha256

if TYPE_CHECKING:
    from impasto.engine.optimize import State

_LARGEST_RESULT = 1024
_BASE_BYTES, _BYTES, _KEPT_BYTES = 700_000_000, 24, 40  # measured at 4K and 8K, a fifth more at most
_MASK_BYTES = 24  # of each region, for its masks at all sizes
_SMALLEST_SIDE = 32


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

    def describe(self, painting: Tensor, mask: Tensor | None = None) -> Targets:
        """What it knows of a style, from `painting` (1, 3, H, W) where `mask` (1, 1, H, W) is."""
        ...

    def style_of(self, descriptions: Sequence[Targets]) -> Any:
        """The style of each region."""
        ...

    def learned_style(self, shares: Sequence[dict[str, float]]) -> Any:
        """For each region, styles that a painter has learned, each with its weight; its first if there is none."""
        ...

    def draw(
        self, photo: Tensor, style: Any, masks: Masks | None = None, *, seed: int = 0, in_place: bool = False
    ) -> Tensor:
        """`photo` (1, 3, H, W) painted in the variation `seed`; `in_place`: perhaps in its own memory."""
        ...


@dataclass(frozen=True)
class StyleSource:
    """A painting of a region: what is known of it, or its pixels and mask where its colours depend on the photo."""

    description: Targets | None = None
    pixels: Tensor | None = None
    mask: Tensor | None = None


@dataclass(frozen=True)
class OnePass:
    """A network and the styles of each region; `learned` are styles of its own, `sources` come from paintings."""

    brief: Brief
    pictures: Pictures
    model: Model
    sources: tuple[tuple[StyleSource, ...], ...]
    learned: tuple[dict[str, float], ...]

    @staticmethod
    def open(brief: Brief, pictures: Pictures) -> OnePass:
        """Read the styles, and describe them once.

        Raises:
            InputError: a picture, saved style or setting that cannot be used.
        """
        model = _open_model(brief, pictures)
        regions = [brief.look_of(region) for region in brief.regions]
        if model.card.kind == "instant":
            reader = PaintingReader(pictures)
            sources = tuple(tuple(_read_styles(region, model, brief, reader)) for region in regions)
            return OnePass(brief, pictures, model, sources, ())
        learned = tuple(_learned(region, model, brief) for region in regions)
        model.learned_style(learned)
        return OnePass(brief, pictures, model, (), learned)

    def on(self, photo: Given) -> OnePassPainting:
        """The painting of a photo.

        Raises:
            PictureError: a photo or mask that cannot be used.
            TooLargeError: memory has no room for it.
        """
        shape = self.pictures.dimensions(photo)
        look = self.brief.settings
        size = max(shape) if look.size == "max" else look.size
        self._check_memory(fit(*shape, size))
        with telling_when_memory_ends(fit(*shape, size)):
            content = self.pictures.read(photo, size)
            if min(content.size) < _SMALLEST_SIDE:
                height, width = content.size
                raise PictureError(
                    f"At a size of {size} the photo would be {width}x{height} pixels; its short side needs "
                    f"{_SMALLEST_SIDE}, so give a larger --size, or crop the photo."
                )
            brief = settled(self.brief, content, self.pictures)
            brief = brief.model_copy(update={"settings": brief.settings.model_copy(update={"size": size})})
            layout = lay_out(brief, content, self.pictures, photo)
        return OnePassPainting(replace(self, brief=brief), photo, content, self.pictures.source(photo), layout)

    def descriptions(self) -> list[Targets]:
        """What is known of each region's style, where that does not depend on a photo."""
        return [
            mix([source.description for source in sources if source.description], region.shares)
            for sources, region in zip(self.sources, self.brief.regions)
        ]

    def bytes_for(self, shape: tuple[int, int]) -> int:
        """About the memory for a result of `shape` (height, width)."""
        masks = _MASK_BYTES * self.brief.parts
        each = _KEPT_BYTES if self.brief.parted or self._photo_is_kept(self.brief.regions) else _BYTES
        return _BASE_BYTES + shape[0] * shape[1] * (each + masks)

    def _photo_is_kept(self, regions: Sequence[Region]) -> bool:
        """Whether the photo is needed when the picture is painted."""
        looks = [self.brief.look_of(region) for region in regions]
        return any(
            look.color != "style" or not isinstance(look.strength, float) or look.strength < 0.5 for look in looks
        )

    def _check_memory(self, shape: tuple[int, int]) -> None:
        """Refuse what would not fit; the pixels stay in this machine's memory, whatever device paints."""
        free, needed = free_memory(choose_device("cpu")), self.bytes_for(shape)
        if needed > free:
            fitting = (max(0, free - _BASE_BYTES) / (needed - _BASE_BYTES)) ** 0.5 * max(shape)
            advice = f"give --size {int(fitting)} or less" if fitting > 64 else "close other programs"
            raise TooLargeError(
                f"Painting {shape[1]}x{shape[0]} pixels in one pass takes about {needed / 1e9:.1f} GB, and "
                f"{free / 1e9:.1f} GB are free; {advice}."
            )


@dataclass(frozen=True)
class OnePassPainting:
    """A photo, what is to be painted where, and a network that does it."""

    work: OnePass
    given: Given
    photo: Picture
    source: Source
    layout: Layout
    _drawn_over: list[bool] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.photo.size

    @cached_property
    def record(self) -> Record:
        """What it is made from."""
        work = self.work
        brief, sources = recorded(work.brief, work.pictures)
        return Record(
            brief=brief.model_dump(mode="json"),
            content=self.source,
            pictures=sources,
            encoder=Source(name=weights_path("compact").name, sha256=work.model.card.encoder.sha256),
            model=Source(name=work.model.path.name, sha256=sha256(work.model.path)),
            versions=versions(work.model.device, bfloat16=work.model.bfloat16),
        )

    def steps(self, resume: State | None = None) -> Iterator[Step]:
        """The one step.

        Raises:
            TooLargeError: memory, or the disk for the strips of a large picture, has no room for it.
        """
        with telling_when_memory_ends(self.size):
            picture = self._finished(self._painted())
        yield Step(1.0, "", {}, lambda: picture, lambda: None)

    def unpainted(self) -> Picture:
        """The photo."""
        return self._finished(self._pixels())

    def estimate(self) -> Estimate:
        """About what time and memory it takes, measured on a small copy."""
        small = trial_size(self.size)
        photo = Pictures().read(replace(self.photo, pixels=self._pixels()), max(small)).pixels
        style, masks = self.style(photo), self.layout.masks and self.layout.masks.at(*photo.shape[2:])
        seconds = seconds_of(lambda: self.work.model.draw(photo, style, masks))
        share = self.size[0] * self.size[1] / (photo.shape[2] * photo.shape[3])
        return Estimate(self.size, seconds * share, self.work.bytes_for(self.size))

    def style(self, photo: Tensor) -> Any:
        """What the network is told of the styles; a weaker one lies between theirs and the photo's own."""
        work, layout = self.work, self.layout
        if not work.sources:
            return work.model.learned_style([work.learned[number] for number in layout.origin])
        masks = layout.masks and layout.masks.at(*photo.shape[2:])
        of_photo = None
        if min(layout.strengths) < 1:
            of_photo = work.model.describe(photo, masks and masks.inside)  # type: ignore[arg-type]
        descriptions = []
        for at, (number, region, strength) in enumerate(zip(layout.origin, layout.regions, layout.strengths)):
            mask = masks.inside[:, at : at + 1] if masks else None
            own = [_described(source, region, photo, mask, work.model) for source in work.sources[number]]
            total = sum(region.shares)
            shares = [strength * share / total for share in region.shares]
            if strength < 1 and of_photo is not None:
                own, shares = [part_of(of_photo, at), *own], [1 - strength, *shares]
            descriptions.append(mix(own, shares))
        return work.model.style_of(descriptions)

    def _painted(self) -> Tensor:
        photo, layout, look = self._pixels(), self.layout, self.work.brief.settings
        if layout.empty:
            return photo
        lent = isinstance(self.work.pictures.place(self.given), Picture)
        kept = lent or layout.masks is not None or self.work._photo_is_kept(layout.regions)
        if not kept:
            self._drawn_over.append(True)
        painted = self.work.model.draw(photo, self.style(photo), layout.masks, seed=look.seed, in_place=not kept)
        if not self.work.sources:
            painted = _recolored(painted, photo, layout)
        opacity = [min(1.0, 2 * strength) for strength in layout.strengths]
        if min(opacity) < 1:
            painted = photo.lerp(painted, layout.masks.spread(opacity) if layout.masks else opacity[0])
        return layout.composed(painted, photo)

    def _pixels(self) -> Tensor:
        """The photo's, read again where a picture was drawn over them."""
        if not self._drawn_over:
            return self.photo.pixels
        return self.work.pictures.read(self.given, max(self.size)).pixels

    def _finished(self, pixels: Tensor) -> Picture:
        record = self.record.model_copy(update={"done": 1.0})
        return replace(self.photo, pixels=pixels, metadata=record.to_xmp())


def _open_model(brief: Brief, pictures: Pictures) -> Model:
    name = str(pictures.path(brief.engine)) if brief.engine in pictures.given else brief.engine
    if name.endswith(".onnx"):
        from impasto.recipes.onnx import OnnxModel

        return OnnxModel.open(Path(name))
    from impasto.recipes.feedforward import FeedForward

    return FeedForward.open(name, brief.settings)


def _learned(region: Region, model: Model, brief: Brief) -> dict[str, float]:
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


def _read_styles(region: Region, model: Model, brief: Brief, reader: PaintingReader) -> Iterator[StyleSource]:
    """The paintings of a region: described, or as they are where their colours still depend on the photo."""
    pictures = reader.pictures
    waits = region.color in ("match", "histogram")
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
            if brief.engine.endswith(".onnx"):
                raise SettingsError(f"An exported network reads paintings, not saved styles like {style}; give one.")
            yield StyleSource(saved.description(style))
            continue
        size = _sized(region, brief, saved.picture(style).size if saved else pictures.dimensions(style))
        painting, mask = reader.read(style, size, mask_name)
        yield StyleSource(None, painting.pixels, mask) if waits else StyleSource(model.describe(painting.pixels, mask))


def _sized(region: Region, brief: Brief, shape: tuple[int, int]) -> int:
    """The long side at which a painting of `shape` is looked at: the result's, so that strokes are in proportion.

    Raises:
        SettingsError: it would be enlarged beyond all measure.
    """
    result = brief.settings.size
    wanted = style_size(min(_LARGEST_RESULT, _LARGEST_RESULT if result == "max" else result), region.style_scale or 1.0)
    height, width = fit(*shape, wanted)
    return wanted if min(height, width) >= _SMALLEST_SIDE else -(-wanted * _SMALLEST_SIDE // min(height, width))


def _described(source: StyleSource, region: Region, photo: Tensor, mask: Tensor | None, model: Model) -> Targets:
    if source.description is not None:
        return source.description
    assert source.pixels is not None
    return model.describe(recolored(source.pixels, region.color or "style", photo, mask), source.mask)


def _recolored(painted: Tensor, photo: Tensor, layout: Layout) -> Tensor:
    """What a painter made, whose styles are no pictures that could be recoloured before."""
    if layout.masks is None:
        return recolored(painted, layout.regions[0].color or "style", photo)
    result = painted
    for number, region in enumerate(layout.regions):
        toned = recolored(painted, region.color or "style", photo, layout.masks.inside[:, number : number + 1])
        if toned is not painted:
            chosen = [float(number == other) for other in range(len(layout.regions))]
            result = result.lerp(toned, layout.masks.spread(chosen))
    return result
