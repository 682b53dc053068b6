"""GIF, WebP and APNG written from pictures, with their delays, loop and transparency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import OutputError

if TYPE_CHECKING:
    from PIL.Image import Image

_TICKS = {".gif": 10, ".webp": 1, ".png": 1, ".apng": 1}  # milliseconds
_COLOURS = 255  # and one for what is transparent


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
        how |= {"format": "WEBP", "quality": 90, "method": 4, "loop": 0}
    else:
        how |= {"format": "PNG", "loop": 0}
    if loop is not None:
        how["loop"] = loop
    images = _images(frames, few_colours=suffix == ".gif")
    try:
        first = next(images)
        if suffix == ".gif" and "transparency" in first.info:
            how["transparency"] = first.info["transparency"]
        first.save(output, append_images=images, **how)
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
