"""The part of `impasto evaluate` that compares each method's pictures as a set with a collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.metrics.extractors import Extractor
    from impasto.metrics.sets import Copy
    from impasto.metrics.table import Result


def as_sets(
    rows: Sequence[Result], collection: Sequence[Path], extractors: Mapping[str, Extractor]
) -> tuple[dict[str, dict[str, float]], list[Copy]]:
    """{method: {measure: value}} of each method's pictures against the collection, and what may be copied from it.

    What may be copied is what the first of `extractors` sees alike.
    """
    import torch

    from impasto.cli.progress import progress_line
    from impasto.metrics.sets import frechet_distance, kernel_distance, nearest_pictures
    from impasto.metrics.table import STYLE, UNTOUCHED

    def seen(extractor: Extractor, paths: Sequence[Path], name: str) -> list[Tensor]:
        with progress_line() as progress:
            task = progress.add_task(name, total=1.0, note="")
            return list(_told(extractor(paths), lambda share: progress.update(task, completed=share)))

    pictures: dict[str, list[Path]] = {}
    for row in rows:
        if row.measures and row.method != STYLE and row.picture not in pictures.setdefault(row.method, []):
            pictures[row.method].append(row.picture)
    pictures = {method: paths for method, paths in pictures.items() if len(paths) > 1}
    sets: dict[str, dict[str, float]] = {method: {} for method in pictures}
    copies: list[Copy] = []
    for number, (name, extractor) in enumerate(extractors.items()):
        known, suffix = seen(extractor, collection, "collection"), f" by {name}" if number else ""
        for method, paths in pictures.items():
            features = seen(extractor, paths, method)
            ours, theirs = torch.cat(features), torch.cat(known)
            sets[method][f"frechet{suffix}"] = frechet_distance(ours, theirs)
            sets[method][f"kernel{suffix}"] = kernel_distance(ours, theirs)
            if not number and method != UNTOUCHED:
                copies += nearest_pictures(paths, features, collection, known)
    return sets, copies


def _told(shares: Iterable[tuple[float, Tensor]], tell: Any) -> Iterator[Tensor]:
    for share, features in shares:
        tell(share)
        yield features
