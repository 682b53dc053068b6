"""Paint in one pass: styles are read once, for as many photos as you like."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from impasto.brief import Brief, Region
from impasto.controls.color import recolored
from impasto.device import choose_device, free_memory, telling_when_memory_ends
from impasto.encoders import weights_path
from impasto.losses.terms import Targets, mix, part_of
from impasto.media.geometry import fit
from impasto.media.image import Picture
from impasto.provenance import Record, Source, versions
from impasto.recipes.estimate import Estimate, refused, timed, trial_size
from impasto.recipes.feedforward import IN_STRIPS_BEYOND
from impasto.recipes.painting import Step
from impasto.recipes.pictures import Given, Pictures, recorded
from impasto.recipes.regions import Layout, lay_out
from impasto.recipes.sources import Model, StyleSource, described, learned_styles, open_model, read_styles
from impasto.recipes.strength import settled
from impasto.recipes.styles import PaintingReader, check_not_narrow
from impasto.settings import SMALLEST_SIZE

if TYPE_CHECKING:
    from impasto.engine.optimize import State

_WHOLE = 335_000_000, 460  # bytes of the process, and for each pixel (`benchmarks/estimate.py`)
_IN_STRIPS = 520_000_000, 48  # where features lie in strips in files
_ADAPTING = 650_000_000  # bytes of the process while it adapts to a style
_KEPT_BYTES = 24  # where the photo is needed again
_MASK_BYTES = 24  # of each region, for its masks at all sizes


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
        model = open_model(brief, pictures)
        regions = [brief.look_of(region) for region in brief.regions]
        if model.card.kind == "instant":
            reader = PaintingReader(pictures)
            sources = tuple(tuple(read_styles(region, model, brief, reader)) for region in regions)
            return OnePass(brief, pictures, model, sources, ())
        learned = tuple(learned_styles(region, model, brief) for region in regions)
        model.learned_style(learned)
        return OnePass(brief, pictures, model, (), learned)

    def on(self, photo: Given) -> OnePassPainting:
        """The painting of a photo.

        Raises:
            PictureError: a photo or mask that cannot be used.
            TooLargeError: memory has no room for it.
        """
        shape = self.pictures.dimensions(photo)
        size = self._size(shape)
        with telling_when_memory_ends(fit(*shape, size)):
            content = self.pictures.read(photo, size)
            check_not_narrow(content.size)
            brief = settled(self.brief, content, self.pictures).sized(size)
            layout = lay_out(brief, content, self.pictures, photo)
        return OnePassPainting(replace(self, brief=brief), photo, content, self.pictures.source(photo), layout)

    def descriptions(self) -> list[Targets]:
        """What is known of each region's style, where that does not depend on a photo."""
        return [
            mix([source.description for source in sources if source.description], region.shares)
            for sources, region in zip(self.sources, self.brief.regions)
        ]

    def bytes_for(self, shape: tuple[int, int]) -> int:
        """About the memory for a result of `shape` (height, width), drawn as `in_strips` says."""
        return self._bytes(shape, in_strips=self.in_strips(shape))

    def in_strips(self, shape: tuple[int, int]) -> bool:
        """Whether a result of `shape` (height, width) is drawn in strips: a large one, or where `memory` asks for it.

        What happens to be free has no say: strips are not the same to the bit.
        """
        large, allowed = shape[0] * shape[1] > IN_STRIPS_BEYOND, self.brief.settings.memory_bytes
        scarce = allowed is not None and self._bytes(shape, in_strips=False) > allowed
        return self.model.knows_strips and (large or scarce)

    def _bytes(self, shape: tuple[int, int], *, in_strips: bool) -> int:
        fixed, each = _IN_STRIPS if in_strips else _WHOLE
        needed = fixed + shape[0] * shape[1] * (each + self._kept_bytes)
        return max(needed, _ADAPTING if self.brief.settings.adapt else 0)

    @cached_property
    def _kept_bytes(self) -> int:
        """For each pixel, of masks and of the photo where it is needed again."""
        kept = self.brief.parted or self._photo_is_kept(self.brief.regions)
        return _MASK_BYTES * self.brief.parts + (_KEPT_BYTES if kept else 0)

    def _photo_is_kept(self, regions: Sequence[Region]) -> bool:
        """Whether the photo is needed when the picture is painted."""
        looks = [self.brief.look_of(region) for region in regions]
        return any(
            look.color != "style" or not isinstance(look.strength, float) or look.strength < 0.5 for look in looks
        )

    def _size(self, shape: tuple[int, int]) -> int:
        """The size that is asked for; for `max` the photo's own, or the largest that memory holds.

        The pixels stay in this machine's memory, whatever device paints.
        """
        look, free = self.brief.settings, free_memory(choose_device("cpu"))
        size = max(shape) if look.size == "max" else look.size
        height, width = fit(*shape, size)
        needed, budget = self.bytes_for((height, width)), look.memory_bytes or free
        if needed <= budget:
            return size
        sizes = range(size - 1, SMALLEST_SIZE - 1, -1)
        fitting = next((smaller for smaller in sizes if self.bytes_for(fit(*shape, smaller)) <= budget), 0)
        if look.size == "max" and fitting:
            return fitting
        raise refused(f"Painting {width}x{height} pixels in one pass", needed, free, look, fitting)


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
            model=Source.of(work.model.path),
            versions=versions(work.model.device, bfloat16=work.model.bfloat16),
        )

    def steps(self, resume: State | None = None) -> Iterator[Step]:
        """The one step.

        Raises:
            TooLargeError: memory, or the disk for the strips of a large picture, has no room for it.
        """
        with telling_when_memory_ends(self.size):
            picture = self._finished(self._painted())
        yield Step(1.0, "", {}, lambda: picture, lambda: None, lambda: picture)

    def unpainted(self) -> Picture:
        """The photo."""
        return self._finished(self._pixels())

    def estimate(self) -> Estimate:
        """About what time and memory it takes, measured on a small copy."""
        small = trial_size(self.size)
        photo = Pictures().read(replace(self.photo, pixels=self._pixels()), max(small)).pixels
        began, style = time.monotonic(), self.style(photo)
        known, masks = time.monotonic() - began, self.layout.masks and self.layout.masks.at(*photo.shape[2:])
        drawing = timed(lambda: self.work.model.draw(photo, style, masks))
        share = self.size[0] * self.size[1] / (photo.shape[2] * photo.shape[3])
        return Estimate(self.size, known + drawing.warming + drawing.seconds * share, self.work.bytes_for(self.size))

    def style(self, photo: Tensor) -> Any:
        """What the network is told of the styles; a weaker one lies between theirs and the photo's own."""
        work, layout = self.work, self.layout
        if not work.sources:
            learned = [work.learned[number] for number in layout.origin]
            return work.model.learned_style(learned, max(photo.shape[2:]))
        masks = layout.masks and layout.masks.at(*photo.shape[2:])
        weaker = min(layout.strengths) < 1
        of_photo = work.model.describe(photo, masks.inside if masks else None) if weaker else None
        descriptions = []
        for at, (number, region, strength) in enumerate(zip(layout.origin, layout.regions, layout.strengths)):
            mask = masks.inside[:, at : at + 1] if masks else None
            own = [described(source, region, photo, mask, work.model) for source in work.sources[number]]
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
        in_strips = self.work.in_strips(self.size)
        painted = self.work.model.draw(
            photo, self.style(photo), layout.masks, seed=look.seed, in_place=not kept, in_strips=in_strips
        )
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
