"""What 20 draft trials find for each pair: settings at least as good as the preset's in both distances, and how good.

    python benchmarks/finding.py CONTENTS STYLES [PAIRS]

The folders are paired by name, first with first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from impasto.presets import preset
from impasto.search.axis import Axis
from impasto.search.painting import PaintingSubject
from impasto.search.study import Search

TRIALS = 20


def main(contents: Path, styles: Path, count: int) -> None:
    """Print a table."""
    pairs = list(zip(sorted(contents.iterdir()), sorted(styles.iterdir())))[:count]
    print("| pair | draft: style, content | found: style, content | seconds |\n|---|---|---|---|")
    for content, style in pairs:
        subject = PaintingSubject(content, style, preset("draft"))
        axes = [Axis.parse(text, type(subject.base)) for text in subject.axes]
        with tempfile.TemporaryDirectory() as folder:
            search, began = Search(subject, axes, subject.objectives, Path(folder) / "s.sqlite"), time.perf_counter()
            tried = list(search.run(TRIALS, time.monotonic() + 3600))
            rows = [[one.values[name] for name in subject.objectives] for one in (tried[0], search.chosen())]
        seconds = time.perf_counter() - began
        told = [f"{row[0]:.3f}, {row[1]:.3f}" for row in rows]
        print(f"| {content.stem}, {style.stem} | {' | '.join(told)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 4)
