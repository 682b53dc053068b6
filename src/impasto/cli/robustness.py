"""The part of `impasto evaluate` that disturbs photos and looks how far results move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.encoders.encoder import Encoder
    from impasto.metrics.table import Result

Pairs = list[tuple[Path, Path]]
_AT_MOST = 8
_SIZE = 512


@dataclass(frozen=True)
class Moved:
    """Means over pairs of a method under a disturbance: how far photo and result moved, of 255, and content lost."""

    method: str
    disturbance: str
    photo: float
    result: float
    content: float


def disturb(pairs: Pairs, folder: Path, encoder: Encoder) -> dict[str, dict[Path, Path]]:
    """{disturbance: {photo: changed photo}} for the first eight photos, written below `folder` at 512 px.

    The attacks aim at what the encoder sees of content, with which every engine sees, too.
    """
    from impasto.cli.progress import progress_line
    from impasto.media.image import Picture, read
    from impasto.media.writing import write
    from impasto.metrics.robustness import content_seen_by, disturbed

    photos = list(dict.fromkeys(photo for photo, _ in pairs))[:_AT_MOST]
    see, changed = content_seen_by(encoder), dict[str, dict[Path, Path]]()
    folder.mkdir(parents=True, exist_ok=True)
    with progress_line() as progress:
        task = progress.add_task("disturbing", total=len(photos), note="")
        for number, photo in enumerate(photos):
            pixels = read(photo, _SIZE).pixels
            for name, picture in [("untouched", pixels), *disturbed(pixels, see)]:
                target = folder / f"{number}_{photo.stem}_{name.replace(' ', '')}.png"
                write(Picture(picture), target, force=True)
                changed.setdefault(name, {})[photo] = target
            progress.update(task, advance=1)
    return changed


def moved(
    method: str,
    pairs: Pairs,
    changed: dict[str, dict[Path, Path]],
    paint: Callable[[Pairs], Sequence[Result]],
    encoder: Encoder,
) -> list[Moved]:
    """How far a method's results move; `paint` paints pairs."""
    chosen = [(photo, style) for photo, style in pairs if photo in changed["untouched"]][:_AT_MOST]
    results = list(paint([(photos[photo], style) for photos in changed.values() for photo, style in chosen]))
    rows = {name: results[n * len(chosen) : (n + 1) * len(chosen)] for n, name in enumerate(changed)}
    lines = []
    for name in [name for name in changed if name != "untouched"]:
        figures = [
            _movement(before, after, encoder)
            for before, after in zip(rows["untouched"], rows[name])
            if not (before.problem or after.problem)
        ]
        if figures:
            photo, result, content = (sum(column) / len(figures) for column in zip(*figures))
            lines.append(Moved(method, name, photo, result, content))
    return lines


def _movement(before: Result, after: Result, encoder: Encoder) -> tuple[float, float, float]:
    from impasto.media.image import read
    from impasto.metrics.measures import content_distance
    from impasto.metrics.specification import CONTENT_LAYERS

    photo, disturbed = (read(one.content).pixels for one in (before, after))
    clean, result = (read(one.picture).pixels for one in (before, after))
    seen = [encoder(picture, CONTENT_LAYERS) for picture in (result, clean)]
    change = [255 * float((one - other).abs().mean()) for one, other in ((disturbed, photo), (result, clean))]
    return change[0], change[1], content_distance(*seen)
