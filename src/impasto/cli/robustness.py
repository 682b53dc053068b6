"""The part of `impasto evaluate` that disturbs photos and looks how far results move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.brief import Brief
    from impasto.encoders.encoder import Encoder
    from impasto.engine.attack import See
    from impasto.metrics.table import Result

Pairs: TypeAlias = list[tuple[Path, Path]]
Aim: TypeAlias = "Callable[[Tensor, Path], See]"
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


def aim_at(engine: str, brief_of: Callable[[Sequence[str]], Brief], encoder: Encoder) -> Aim:
    """What attacks on an engine aim at, for a photo (1, 3, H, W) and a style: the network itself, which they know.

    The slow road and exported networks have no slope to go by; there it is what the encoder sees of content.
    """
    from impasto.media.image import Picture
    from impasto.metrics.robustness import content_seen_by
    from impasto.recipes.feedforward import FeedForward
    from impasto.recipes.one_pass import OnePass
    from impasto.recipes.pictures import Pictures

    def at_encoder(photo: Tensor, style: Path) -> See:
        return content_seen_by(encoder)

    def at_network(photo: Tensor, style: Path) -> See:
        painting = OnePass.open(brief_of([str(style)]), Pictures()).on(Picture(photo))
        assert isinstance(painting.work.model, FeedForward)
        return painting.work.model.differentiable(painting.style(photo))

    return at_encoder if engine == "optimize" or engine.endswith(".onnx") else at_network


def disturb(pairs: Pairs, folder: Path, aim: Aim) -> dict[str, Pairs]:
    """{disturbance: pairs with changed photos} for the first eight pairs, written below `folder` at 512 px."""
    from impasto.cli.progress import progress_line
    from impasto.media.image import Picture, read
    from impasto.media.writing import write
    from impasto.metrics.robustness import disturbed

    changed: dict[str, Pairs] = {}
    folder.mkdir(parents=True, exist_ok=True)
    with progress_line() as progress:
        task = progress.add_task("disturbing", total=len(pairs[:_AT_MOST]), note="")
        for number, (photo, style) in enumerate(pairs[:_AT_MOST]):
            pixels = read(photo, _SIZE).pixels
            for name, picture in [("untouched", pixels), *disturbed(pixels, aim(pixels, style))]:
                target = folder / f"{number}_{photo.stem}_{name.replace(' ', '')}.png"
                write(Picture(picture), target, force=True)
                changed.setdefault(name, []).append((target, style))
            progress.update(task, advance=1)
    return changed


def moved(
    method: str, changed: dict[str, Pairs], paint: Callable[[Pairs], Sequence[Result]], encoder: Encoder
) -> list[Moved]:
    """How far a method's results move; `paint` paints pairs."""
    results = iter(paint([pair for pairs in changed.values() for pair in pairs]))
    rows = {name: [next(results) for _ in pairs] for name, pairs in changed.items()}
    lines = []
    for name in [name for name in changed if name != "untouched"]:
        figures = [
            _movement(name, before, after, encoder)
            for before, after in zip(rows["untouched"], rows[name])
            if not (before.problem or after.problem)
        ]
        if figures:
            photo, result, content = (sum(column) / len(figures) for column in zip(*figures))
            lines.append(Moved(method, name, photo, result, content))
    return lines


def _movement(name: str, before: Result, after: Result, encoder: Encoder) -> tuple[float, float, float]:
    from impasto.media.image import read
    from impasto.metrics.measures import content_distance
    from impasto.metrics.robustness import differences
    from impasto.metrics.specification import CONTENT_LAYERS

    photo, disturbed = (read(one.content).pixels for one in (before, after))
    clean, result = (read(one.picture).pixels for one in (before, after))
    seen = [encoder(picture, CONTENT_LAYERS) for picture in (result, clean)]
    change = [255 * float(differences(name, *pair).mean()) for pair in ((photo, disturbed), (clean, result))]
    return change[0], change[1], content_distance(*seen)
