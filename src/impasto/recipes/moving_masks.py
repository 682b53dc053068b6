"""The masks of a film: they follow the picture, or come from films of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.brief import SELECTORS, Brief
from impasto.controls.flow import Flow
from impasto.errors import PictureError
from impasto.media.encoding import CONTAINERS
from impasto.media.film import Frame, open_film
from impasto.media.image import Picture
from impasto.recipes.pictures import Pictures
from impasto.recipes.regions import MaskReader

_AROUND, _SURELY = 4, 10  # pixels that a change reaches, by Lanczos; a change of 0.1 is one
_FILMS = (*CONTAINERS, ".gif")


@dataclass
class _MaskFilm:
    """A film whose frames are masks; frames are asked for in the order of their times, the last is shown for ever."""

    name: str
    pictures: Pictures
    _frames: Iterator[Frame] | None = None
    _shown: Frame | None = None
    _next: Frame | None = None

    def at(self, time: Fraction) -> Picture:
        """What is shown at a time."""
        if self._frames is None:
            self._frames = open_film(self.pictures.path(self.name)).frames(time)
            self._next = next(self._frames, None)
        while self._next is not None and (self._shown is None or self._next.time <= time):
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None:
            raise PictureError(f"The mask {self.name} ends before {float(time):g} s, where painting begins.")
        return self._shown.picture


@dataclass
class MovingMasks:
    """The masks that a brief names, for frame after frame."""

    brief: Brief
    pictures: Pictures
    _films: dict[str, _MaskFilm] = field(init=False)
    still: list[str] = field(init=False)
    """Those that are no films: they are read where a scene begins, and then follow the picture."""

    def __post_init__(self) -> None:
        brief = self.brief
        names = [brief.keep, *(name for region in brief.regions for name in (region.mask, region.grade))]
        named = list(dict.fromkeys(name for name in names if name))
        films = [name for name in named if self._is_film(name)]
        self._films = {name: _MaskFilm(name, self.pictures) for name in films}
        self.still = [name for name in named if name not in films]

    def on(self, frame: Frame, photo: Picture, past: Mapping[str, Tensor], flow: Flow | None) -> dict[str, Tensor]:
        """The masks (1, 1, H, W) on a frame, which is `photo` at the size of the result.

        Raises:
            PictureError: one that cannot be used.
        """
        masks = {}
        for name, film in self._films.items():
            given = Pictures({name: film.at(frame.time)}, may_be_empty=True)
            masks[name] = MaskReader(photo, given).read(name)
        if past and flow is not None:
            return {**masks, **{name: flow.carried(past[name]).clamp(0, 1) for name in self.still}}
        reader = MaskReader(photo, self.pictures)
        return {**masks, **{name: _read(reader, name) for name in self.still}}

    def unchanged(self, masks: Mapping[str, Tensor], past: Mapping[str, Tensor], flow: Flow) -> Tensor | float:
        """Where masks have moved along with the picture (1, 1, H, W) in [0, 1]; elsewhere the past does not count."""
        same: Tensor | float = 1.0
        for name in self._films:
            changed = F.max_pool2d((masks[name] - flow.carried(past[name])).abs(), 2 * _AROUND + 1, 1, _AROUND)
            same = same * (1 - _SURELY * changed).clamp(0, 1)
        return same

    def _is_film(self, name: str) -> bool:
        place = self.pictures.place(name)
        return not isinstance(place, Picture) and str(place).lower().endswith(_FILMS)


def _read(reader: MaskReader, name: str) -> Tensor:
    """A mask; of a face or subject that a scene does not show, an empty one."""
    try:
        return reader.read(name)
    except PictureError:
        if name not in SELECTORS:
            raise
        return torch.zeros(1, 1, *reader.picture.size)
