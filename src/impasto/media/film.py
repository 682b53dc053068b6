"""Moving pictures: films, animations and numbered pictures alike, as frames one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from impasto.errors import FilmError
from impasto.media.image import Picture
from impasto.media.transparency import fill_transparent

ANIMATIONS = (".gif", ".webp", ".png", ".apng")
T = TypeVar("T")
RATE = Fraction(25)
"""Frames in a second of what does not say."""


@dataclass(frozen=True)
class Frame:
    """A picture of a film: when it is shown, in seconds from the film's beginning, and for how long.

    `held`: it could not be decoded, so that the one before is shown again.
    """

    picture: Picture
    time: Fraction
    duration: Fraction
    held: bool = False


class Film(Protocol):
    """A moving picture."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames."""
        ...

    @property
    def count(self) -> int:
        """About how many frames it has."""
        ...

    @property
    def seconds(self) -> float:
        """About how long it is."""
        ...

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        """Frames that are shown from `start` on and before `stop`, in seconds."""
        ...


def open_film(path: Path) -> Film:
    """The film, animation, folder or pattern (`frame_%04d.png`) of numbered pictures at `path`.

    Raises:
        FilmError: there is none, or it cannot be used.
        SettingsError: an extra is missing.
    """
    from impasto.media.animation import AnimatedFilm
    from impasto.media.numbered import NumberedFilm
    from impasto.media.video import VideoFilm

    if path.is_dir() or "%" in path.name:
        return NumberedFilm(path)
    if not path.is_file():
        raise FilmError(f"There is no film {path}; check the name.")
    if path.stat().st_size == 0:
        raise FilmError(f"{path} is empty; give a film.")
    if path.suffix.lower() in ANIMATIONS:
        return AnimatedFilm.open(path)
    return VideoFilm.open(path)


def ahead(frames: Callable[[], Iterator[T]], count: int = 4) -> Iterator[T]:
    """The same frames, made ready in a thread of its own while others are used."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, closing(frames()) as source:  # type: ignore[type-var]
        waiting = [pool.submit(next, source, None) for _ in range(count)]
        try:
            while True:
                frame = waiting.pop(0).result()
                if frame is None:
                    return
                waiting.append(pool.submit(next, source, None))
                yield frame
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)


def picture_of(pixels: np.ndarray[Any, Any], most: int) -> Picture:
    """(H, W, 3 or 4) with values up to `most` as a picture."""
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None].div_(most).contiguous()
    depth: Any = 16 if most > 255 else 8
    if values.shape[1] == 3 or bool((values[:, 3:] == 1).all()):
        return Picture(values[:, :3].contiguous(), depth=depth)
    alpha = values[:, 3:]
    colours = fill_transparent(values[:, :3], alpha) if bool((alpha > 0).any()) else values[:, :3]
    return Picture(colours.contiguous(), alpha.contiguous(), depth=depth)
