"""Pictures larger than what is painted: strokes grow with the picture, edges are the photo's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impasto.brief import Brief
from impasto.device import choose_device, free_memory, telling_when_memory_ends
from impasto.errors import TooLargeError
from impasto.media.enlarge import enlarged
from impasto.media.geometry import fit, resample
from impasto.media.image import Picture
from impasto.provenance import Record
from impasto.recipes.estimate import Estimate, refused, timed
from impasto.recipes.painting import Painting, Step
from impasto.recipes.pictures import Given, Pictures
from impasto.recipes.regions import Layout, lay_out
from impasto.recipes.strength import settled
from impasto.settings import SMALLEST_SIZE, Look

if TYPE_CHECKING:
    from impasto.engine.optimize import State
    from impasto.recipes.one_pass import OnePass, OnePassPainting
    from impasto.recipes.optimize import Optimization, OptimizedPainting

_FIXED, _BYTES = 450e6, 44  # of the process, and for each pixel of the result: 0.85 of what 8192x8192 takes
_MASK_BYTES = 24


@dataclass(frozen=True)
class Growing:
    """A brief and its engine, which is asked for no more than the size that is painted."""

    brief: Brief
    pictures: Pictures
    method: OnePass | Optimization

    def on(self, photo: Given) -> Painting:
        """The painting of a photo: grown, where the result is larger than what is painted.

        Raises:
            PictureError: a photo or mask that cannot be used.
            TooLargeError: memory has no room for it.
        """
        shape, look = self.pictures.dimensions(photo), self.brief.settings
        size = max(shape) if look.size == "max" else look.size
        painted = painted_size(shape, look)
        if size > painted:
            small = self.pictures.read(photo, painted)
            brief = settled(self.brief, small, self.pictures)
            try:
                below = replace(self.method, brief=brief.sized(painted)).on(small)
                below = replace(below, layout=replace(below.layout, composes=False))
                size = self._fitting(shape, size)
            except TooLargeError:
                if look.size != "max":
                    raise
                return self.method.on(photo)
            if size > painted:
                return GrownPainting(brief.sized(size), self.pictures, photo, below, fit(*shape, size))
        if look.size == "max" and size == max(shape):
            return self.method.on(photo)
        return replace(self.method, brief=self.method.brief.sized(size)).on(photo)

    def sized(self, size: int) -> Growing:
        """The same for results of this size, which memory holds or not."""
        return replace(self, brief=self.brief.sized(size))

    def with_masks(self, masks: Mapping[str, Picture]) -> Growing:
        """The same with other pictures in place of the masks that its brief names."""
        names = {name: f"carried {number}" for number, name in enumerate(masks)}
        given = {**self.pictures.given, **{names[name]: mask for name, mask in masks.items()}}
        pictures = replace(self.pictures, given=given, may_be_empty=True)
        method = replace(self.method, brief=self.method.brief.renamed(names), pictures=pictures)
        return Growing(self.brief.renamed(names), pictures, method)

    def after(self, painted: Tensor, trust: Tensor) -> Growing | None:
        """The same for a frame that comes after another, as far as the engine can go on from one.

        `painted` is the frame before, carried along (1, 3, H, W), `trust` how sure each place of it is (1, 1, H, W).
        """
        from impasto.recipes.optimize import Optimization
        from impasto.recipes.style_transfer import Before

        if not isinstance(self.method, Optimization):
            return None
        return replace(self, method=replace(self.method, before=Before(painted, trust)))

    def _fitting(self, shape: tuple[int, int], size: int) -> int:
        """The size that was asked for, or where that is `max`, the largest up to it that memory holds."""
        look, (height, width) = self.brief.settings, fit(*shape, size)
        available = free_memory(choose_device("cpu"))
        free = look.memory_bytes or available
        each = _BYTES + _MASK_BYTES * self.brief.parts
        needed = _FIXED + each * height * width
        if needed <= free:
            return size
        fitting = int((max(0.0, free - _FIXED) / (each * height * width)) ** 0.5 * size)
        if look.size == "max" and fitting >= SMALLEST_SIZE:
            return fitting
        raise refused(f"A result of {width}x{height} pixels", needed, available, look, fitting)


def painted_size(shape: tuple[int, int], look: Look) -> int:
    """The long side at which a photo of `shape` is painted at most; a panorama's short side is half of the setting."""
    return round(look.painted_size * max(1.0, max(shape) / (2 * min(shape))))


@dataclass(frozen=True)
class GrownPainting:
    """A photo (`given`) whose smaller copy is painted, not composed (`small`); `brief` and `size` are the result's."""

    brief: Brief
    pictures: Pictures
    given: Given
    small: OnePassPainting | OptimizedPainting
    size: tuple[int, int]

    @cached_property
    def record(self) -> Record:
        """What it is made from: as the smaller one, at the size of the result."""
        own = self.small.record
        settings = {**own.brief["settings"], "size": max(self.size)}
        return own.model_copy(
            update={"brief": {**own.brief, "settings": settings}, "content": self.pictures.source(self.given)}
        )

    def steps(self, resume: State | None = None) -> Iterator[Step]:
        """Paint the smaller picture; those that steps make are of the full size."""
        for step in self.small.steps(resume):
            yield replace(step, picture=partial(self._grown, step), preview=partial(self._small, step))

    def unpainted(self) -> Picture:
        """The photo at the size of the result."""
        return self._finished(self._photo.pixels, 1.0)

    def estimate(self) -> Estimate:
        """About what time and memory it takes."""
        small, pixels = self.small.estimate(), self.size[0] * self.size[1]
        side, height, width = 1024, *fit(*small.size, 512)
        trial = torch.rand(1, 3, height, width), torch.rand(1, 3, *fit(*small.size, side))
        seconds = timed(lambda: enlarged(*trial)).seconds * pixels / trial[1][0, 0].numel()
        each = _BYTES + _MASK_BYTES * self.brief.parts
        return Estimate(self.size, small.seconds + seconds, max(small.bytes, _FIXED + each * pixels))

    @cached_property
    def _photo(self) -> Picture:
        return self.pictures.read(self.given, max(self.size))

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self.brief, self._photo, self.pictures, self.given)

    def _small(self, step: Step) -> Picture:
        picture, layout = step.picture(), replace(self.small.layout, composes=True)
        photo = resample(self.small.photo.pixels, picture.size).clamp(0, 1)
        return replace(picture, pixels=layout.composed(picture.pixels, photo))

    def _grown(self, step: Step) -> Picture:
        if self._layout.empty:
            return self.unpainted()
        with telling_when_memory_ends(self.size):
            photo = self._photo.pixels
            pixels = enlarged(step.picture().pixels, photo)
            return self._finished(self._layout.composed(pixels, photo), step.done)

    def _finished(self, pixels: Tensor, done: float) -> Picture:
        record = self.record.model_copy(update={"done": done})
        return replace(self._photo, pixels=pixels, metadata=record.to_xmp())
