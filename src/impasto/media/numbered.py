"""Numbered pictures as a film."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from impasto.errors import FilmError, PictureError
from impasto.media.film import RATE, Frame
from impasto.media.formats import named_as_picture
from impasto.media.image import dimensions, read

_FRAME = re.compile(r"%0?\d*d")
_NUMBER = re.compile(r"(.*?)(%0?(\d*)d|\d+)(\.\w+)$")


@dataclass(frozen=True)
class NumberedFilm:
    """Numbered pictures in a folder, or those of a pattern, one after another at 25 frames a second."""

    path: Path

    @cached_property
    def pictures(self) -> list[Path]:
        """Its pictures in order."""
        folder = self.path if self.path.is_dir() else self.path.parent
        pattern = None if self.path.is_dir() else _NUMBER.match(self.path.name)
        if not folder.is_dir() or (pattern is None and not self.path.is_dir()):
            raise FilmError(f"There is no folder {folder} with pictures like {self.path.name}; check the name.")
        found = []
        for entry in folder.iterdir():
            parts = _NUMBER.match(entry.name)
            if parts and named_as_picture(entry) and (pattern is None or parts.group(1, 4) == pattern.group(1, 4)):
                found.append((parts[1], int(parts[2]), entry))
        if not found:
            raise FilmError(f"There are no numbered pictures in {self.path}; give a folder with frames like 0001.png.")
        return [entry for _, _, entry in sorted(found)]

    @property
    def size(self) -> tuple[int, int]:
        return dimensions(self.pictures[0])

    @property
    def count(self) -> int:
        return len(self.pictures)

    @property
    def seconds(self) -> float:
        return float(self.count / RATE)

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        last: Frame | None = None
        for number, path in enumerate(self.pictures):
            time = number / RATE
            if stop is not None and time >= stop:
                return
            if time < start:
                continue
            try:
                picture = read(path)
                if picture.size != self.size:
                    raise FilmError(
                        f"{path} has {picture.size[1]}x{picture.size[0]} pixels, the first of its film "
                        f"{self.size[1]}x{self.size[0]}; give pictures of one size."
                    )
                frame = Frame(picture, time, 1 / RATE)
            except PictureError:
                if last is None:
                    raise
                frame = Frame(last.picture, time, 1 / RATE, held=True)
            last = frame
            yield frame


def names_frames(pattern: Path) -> bool:
    """Whether a name like frame_%04d.png gives each frame a picture of its own."""
    return named_as_picture(pattern) and pattern.name.count("%") == 1 and _FRAME.search(pattern.name) is not None


def named_by(pattern: Path) -> list[Path]:
    """Files that have the name which a pattern gives to a frame."""
    before, after = _FRAME.split(pattern.name)
    named = re.compile(f"{re.escape(before)}(\\d+){re.escape(after)}")
    found = ((named.fullmatch(path.name), path) for path in sorted(pattern.parent.glob("*")))
    return [path for match, path in found if match and path.name == pattern.name % int(match[1])]
