"""One line of progress, on a terminal."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def progress_line() -> Progress:
    """A live bar on standard error with what is done, the time left, and a note."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )


class Log:
    """Tells every so many seconds how far work has come, where no line can be drawn anew."""

    def __init__(self, line: Progress, seconds: float = 60.0) -> None:
        self.seconds, self.silent = seconds, line.console.is_terminal
        self._told = time.monotonic()

    def tell(self, done: float, note: str) -> None:
        """The share of the work that is done, and a note, if it is time."""
        if not self.silent and time.monotonic() - self._told > self.seconds:
            print(f"{done:.0%}  {note}", file=sys.stderr)
            self._told = time.monotonic()
