"""`impasto study`: blind choices between results, and scores from them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

study = App(name="study", help="Let people choose blindly between results, and score methods by their votes.")


@study.command
def make(
    report: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    seed: int = 0,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Make one page that shows two results at a time, unnamed, and exports the votes; it needs no server.

    Args:
        report: The folder of an evaluation.
        output: The .html file to write.
        seed: Fixes the order, and what is left and right.
        force: Replace the file if it exists.
    """
    from impasto.metrics.study import write_study

    count = write_study(report, output, seed=seed, force=force)
    print(f"{output}  {count} choices")


@study.command
def score(*votes: Path) -> None:
    """Score methods by the votes of one person or many.

    Args:
        votes: Files that the page exported.
    """
    from impasto.errors import SettingsError
    from impasto.metrics.study import read_votes, scores

    if not votes:
        raise SettingsError("Expected one file of votes or more; give what the page of a study exported.")
    kept, contradicting = read_votes(votes)
    if contradicting:
        print(f"{contradicting} votes were left out: their voter chose both ways.", file=sys.stderr)
    print(f"{'method':20}{'strength':>10}{'95 % interval':>20}{'won':>8}{'of':>6}")
    for one in scores(kept):
        print(
            f"{one.method:20}{one.strength:10.2f}{f'{one.low:.2f} to {one.high:.2f}':>20}{one.won:8.1f}{one.compared:6}"
        )
