"""GIF, WebP and APNG in and out, with their delays, loop and transparency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import FilmError, OutputError
from impasto.media.film import Frame, picture_of

if TYPE_CHECKING:
    from PIL.Image import Image

_TICKS = {".gif": 10, ".webp": 1, ".png": 1, ".apng": 1}  # milliseconds
_GIF_SECONDS = Fraction(1, 10)
_COLOURS = 255  # and one for what is transparent


@dataclass(frozen=True)
class AnimatedFilm:
    """A GIF, WebP or APNG of frames of `size` (height, width), shown for `durations`.

    `loop`: how often it is shown; 0 for ever, None if it does not say.
    """

    path: Path
    size: tuple[int, int]
    durations: tuple[Fraction, ...]
    loop: int | None

    @staticmethod
    def open(path: Path) -> AnimatedFilm:
        """What it says of itself.

        Raises:
            FilmError: it cannot be read.
        """
        with _opened(path) as image:
            durations = []
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                image.load()
                durations.append(_seconds(image))
            return AnimatedFilm(path, (image.height, image.width), tuple(durations), image.info.get("loop"))

    @property
    def count(self) -> int:
        return len(self.durations)

    @property
    def seconds(self) -> float:
        return float(sum(self.durations))

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        time = Fraction(0)
        with _opened(self.path) as image:
            for number, duration in enumerate(self.durations):
                if stop is not None and time >= stop:
                    return
                if time >= start:
                    image.seek(number)
                    yield Frame(picture_of(np.asarray(image.convert("RGBA")), 255), time, duration)
                time += duration


def write_animation(frames: Sequence[Path], durations: Sequence[Fraction], loop: int | None, output: Path) -> None:
    """Write the pictures of `frames`, each shown for so many seconds, as the animation that the suffix names.

    The delays add up to the film's length though the format rounds each of them.

    Raises:
        OutputError: it cannot be written.
    """
    suffix = output.suffix.lower()
    how: dict[str, Any] = {"save_all": True, "duration": delays(durations, _TICKS[suffix])}
    if suffix == ".gif":
        how |= {"format": "GIF", "disposal": 2, "optimize": False}
    elif suffix == ".webp":
        whole = {"kmin": 1, "kmax": 1}  # frames that hold only what has changed have lost transparency here
        how |= {"format": "WEBP", "quality": 90, "method": 4, "loop": 0, **whole}
    else:
        how |= {"format": "PNG", "loop": 0}
    if loop is not None:
        how["loop"] = loop
    images = _images(frames, few_colours=suffix == ".gif")
    try:
        first = next(images)
        rest = images if suffix in (".gif", ".webp") else [*images]  # Pillow goes through those of a PNG twice
        if suffix == ".gif" and "transparency" in first.info:
            how["transparency"] = first.info["transparency"]
        first.save(output, append_images=rest, **how)
    except OSError as error:
        raise OutputError(f"{output} could not be written ({error.strerror or error}); the frames are kept.") from error


def delays(durations: Sequence[Fraction], tick: int) -> list[int]:
    """Milliseconds for each frame, in multiples of a tick, whose sum is that of the durations as nearly as can be."""
    result, exact, told = [], Fraction(0), 0
    for duration in durations:
        exact += duration * 1000
        own = max(tick, round((exact - told) / tick) * tick)
        result.append(own)
        told += own
    return result


def _images(frames: Sequence[Path], *, few_colours: bool) -> Iterator[Image]:
    from PIL import Image

    for path in frames:
        with Image.open(path) as image:
            image.load()
        yield _with_few_colours(image) if few_colours else image


def _with_few_colours(image: Image) -> Image:
    """The picture with a palette; what is transparent takes the last colour."""
    from PIL import Image

    few = image.convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    if image.mode != "RGBA":
        return few
    hidden = image.getchannel("A").point(lambda value: 255 if value < 128 else 0)
    few.paste(_COLOURS, mask=hidden)
    few.info["transparency"] = _COLOURS
    return few


def _seconds(image: Image) -> Fraction:
    """How long the frame of an animation that is loaded is shown; browsers take a tenth of a second for none."""
    milliseconds = image.info.get("duration", 0)
    return Fraction(round(milliseconds * 1000), 1_000_000) if milliseconds else _GIF_SECONDS


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise FilmError(f"{path} cannot be read as an animation ({error}); give another file.") from error
