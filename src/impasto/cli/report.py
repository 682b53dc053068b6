"""The part of `impasto evaluate` that writes tables and page, and says what matters most."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.cli.robustness import Moved
    from impasto.metrics.cost import Cost
    from impasto.metrics.sets import Copy
    from impasto.metrics.table import Result


def write_report(
    report: Path,
    measured: Sequence[Result],
    sets: Mapping[str, Mapping[str, float]],
    copies: Sequence[Copy],
    movements: Sequence[Moved],
    costs: Mapping[str, Cost],
) -> None:
    """Tables and page; the most important of it is said."""
    from impasto.encoders import weights_path
    from impasto.metrics.specification import specification
    from impasto.metrics.table import summarise, write_tables
    from impasto.weights.files import sha256

    compact = weights_path("compact")
    spec = {
        **specification(compact.name, sha256(compact)),
        "movements": [asdict(one) for one in movements],
        "costs": {name: asdict(cost) for name, cost in costs.items()},
    }
    lines = summarise(measured, sets)
    write_tables(report, measured, lines, spec)
    _write_page(report, measured, lines, spec, copies, movements, costs)
    _tell(measured, lines)
    print(report / "index.html")


def _write_page(report: Path, *content: Any) -> None:
    from impasto.cli.progress import progress_line
    from impasto.metrics.page import write_page

    with progress_line() as progress:
        task = progress.add_task("page", total=1.0, note="")
        for share in write_page(report, *content):
            progress.update(task, completed=share)


def _tell(rows: Sequence[Result], lines: Sequence[Any]) -> None:
    for row in rows:
        if row.problem:
            print(f"{row.method}: {row.problem}", file=sys.stderr)
    names = ("style", "content", "ssim", "color")
    print(f"{'method':20}" + "".join(f"{name:>10}" for name in names))
    for line in lines:
        figures = "".join(f"{line.means[name][0]:10.3f}" if name in line.means else " " * 10 for name in names)
        sets = "".join(f"  {name} {value:.4f}" for name, value in line.sets.items())
        print(f"{line.method:20}{figures}{sets}")
