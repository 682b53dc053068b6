"""Frames painted one after another: what was painted before moves along with the picture, so that nothing boils.

The last painted frame, carried along by the photo's motion, covers the fresh one where the motion can be trusted. As
that softens it, what is shown is sharpened to the fresh one's sharpness; what is carried on is not, lest grain adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from impasto.brief import Brief
from impasto.controls.flow import Flow, Motion, is_cut
from impasto.controls.sharpness import sharpened, sharpness_of
from impasto.errors import SettingsError
from impasto.media.film import Frame, ahead
from impasto.media.image import Picture
from impasto.recipes.grown import Growing
from impasto.recipes.moving_masks import MovingMasks
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures
from impasto.recipes.strength import is_automatic, settled

STEADY = 0.95
_AHEAD = 2


@dataclass(frozen=True)
class Past:
    """What the next frame needs to know: the last photo, and what was painted of it, not sharpened, (1, 3, H, W).

    `masks`: those of a brief by their names, as they lay on the last photo. `sharpness`: that of the last frame that
    was painted without a past.
    """

    photo: Tensor
    painted: Tensor
    masks: dict[str, Tensor]
    sharpness: float


@dataclass(frozen=True)
class PaintedFrame:
    """A frame, what has become of it, and whether a scene begins with it."""

    frame: Frame
    picture: Picture
    past: Past
    cut: bool


@dataclass(frozen=True)
class _Seen:
    """A frame at the size of the result, whether a scene begins with it, and the motion since the one before."""

    frame: Frame
    picture: Picture
    cut: bool
    flow: Flow | None


class FramePainter:
    """A brief for all frames of a film; `steady` is from 0, each frame on its own, to 1, as steady as can be.
    Motion is measured at `motion_share` of the size: at half of it for a third of the time, less exactly. A strength
    that is `auto` is chosen by the first frame, for all.

    Raises:
        SettingsError: `steady` is out of range, or an extra is missing.
    """

    def __init__(
        self, brief: Brief, pictures: Pictures | None = None, steady: float = STEADY, motion_share: float = 1.0
    ) -> None:
        if not 0 <= steady <= 1:
            raise SettingsError(f"Expected a steadiness from 0 to 1, not {steady:g}.")
        self.brief, self.pictures, self.steady = brief, pictures or Pictures(), steady
        self.method: Growing = open_brief(brief, self.pictures)
        self.masks = MovingMasks(brief, self.pictures)
        self.motion = Motion(motion_share) if steady or self.masks.still else None

    def paint(self, frames: Iterable[Frame], past: Past | None = None) -> Iterator[PaintedFrame]:
        """Paint frames in order, going on from `past`; motion is measured while others are painted."""
        before = past.photo if past else None
        for seen in ahead(lambda: self._seen(frames, before), _AHEAD):
            result = self._next(seen, past)
            past = result.past
            yield result

    def paint_next(self, frame: Frame, past: Past | None) -> PaintedFrame:
        """Paint a frame alone, in this thread."""
        (seen,) = self._seen([frame], past.photo if past else None)
        return self._next(seen, past)

    def settle(self, picture: Picture) -> None:
        """Choose a strength that is `auto` by this frame; what is chosen stays."""
        if is_automatic(self.brief):
            self.brief = settled(self.brief, self.sized(picture), self.pictures)
            self.method = open_brief(self.brief, self.pictures)

    def sized(self, picture: Picture) -> Picture:
        """A frame at the size of the result."""
        size = self.brief.settings.size
        return picture if size == "max" else self.pictures.read(picture, size)

    def _seen(self, frames: Iterable[Frame], before: Tensor | None) -> Iterator[_Seen]:
        """The frames at the size of the result, and how each has come out of the one before."""
        for frame in frames:
            picture = self.sized(frame.picture)
            photo = picture.pixels
            cut = before is None or before.shape != photo.shape or is_cut(before, photo)
            flow = None if cut or before is None or self.motion is None else self.motion.between(before, photo)
            yield _Seen(frame, picture, cut, flow)
            before = photo

    def _next(self, seen: _Seen, past: Past | None) -> PaintedFrame:
        frame, picture, cut, flow = seen.frame, seen.picture, seen.cut, seen.flow
        photo = picture.pixels
        self.settle(picture)
        masks = self.masks.on(frame, picture, past.masks if past else {}, flow)
        method = self.method.sized(max(picture.size))
        method = method.with_masks(_as_pictures(masks)) if masks else method
        if flow is None or past is None or not self.steady:
            fresh = painted(method.on(picture))
            shown = kept = fresh.pixels
            sharpness = sharpness_of(kept)
        else:
            trust = flow.trust * self.masks.unchanged(masks, past.masks, flow)
            before, weight = flow.carried(past.painted).clamp_(0, 1), self.steady * trust
            going_on = method.after(before, weight)
            fresh = painted((going_on or method).on(picture))
            kept = fresh.pixels if going_on else fresh.pixels.lerp(before, weight)
            sharpness = past.sharpness if going_on else sharpness_of(fresh.pixels)
            shown = sharpened(kept, sharpness, weight)
            if masks:
                same = (fresh.pixels == photo).all(1, keepdim=True)  # what is not painted stays the photo's
                shown = shown.where(~same, photo)
        return PaintedFrame(
            frame,
            replace(fresh, pixels=shown),
            Past(photo, _as_kept(kept), {name: _as_kept(mask) for name, mask in masks.items()}, sharpness),
            cut,
        )


def _as_pictures(masks: Mapping[str, Tensor]) -> dict[str, Picture]:
    return {name: Picture(mask.expand(-1, 3, -1, -1)) for name, mask in masks.items()}


def _as_kept(pixels: Tensor) -> Tensor:
    """In the 16 bits in which the past is kept, so that a film that goes on is the film that never stopped."""
    return pixels.mul(65535).round_().div_(65535)
