"""What is kept of a painting while it is under way: a preview, and what is needed to go on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.cli.streams import is_stdout
from impasto.errors import OutputError

if TYPE_CHECKING:
    from impasto.recipes.output import Output
    from impasto.recipes.painting import Painting, Step

_PREVIEW_SECONDS = 2.0
_CHECKPOINT_SECONDS = 30.0


class Keeper:
    """Writes the preview and the checkpoint now and then; where one cannot be written, it says so and paints on."""

    def __init__(self, painting: Painting, unfinished: Path, preview: Path | None) -> None:
        self.painting, self.unfinished, self.preview = painting, unfinished, preview
        self.saved, self.shown = time.monotonic(), 0.0

    def see(self, step: Step) -> None:
        """What has become of the picture."""
        now = time.monotonic()
        if self.preview is not None and (now - self.shown > _PREVIEW_SECONDS or step.done == 1):
            self._show(step, self.preview)
            self.shown = time.monotonic()
        if now - self.saved > _CHECKPOINT_SECONDS:
            self.keep(step)
            self.saved = time.monotonic()

    def keep(self, step: Step | None) -> bool:
        """Write the checkpoint; whether there is one now."""
        from impasto.recipes.checkpoint import save_checkpoint

        state = step.state() if step else None
        if is_stdout(self.unfinished.with_suffix("")):
            return False
        if state is None:
            return self.unfinished.is_file()
        try:
            save_checkpoint(self.unfinished, state, self.painting.record)
        except OutputError as error:
            print(f"impasto: no checkpoint: {error}", file=sys.stderr)
            return False
        return True

    def write(self, step: Step | None, output: Output) -> None:
        """Write the picture.

        Raises:
            OutputError: it cannot be written; if anything can be, what is needed to try again is kept.
        """
        try:
            output.write(step.picture() if step else self.painting.unpainted())
        except OutputError as error:
            if self.keep(step):
                advice = "What was painted is kept: the same command with --resume writes it."
                raise OutputError(f"{error} {advice}") from error
            raise

    def _show(self, step: Step, preview: Path) -> None:
        from impasto.media.writing import write

        try:
            write(step.preview(), preview, force=True)
        except OutputError as error:
            print(f"impasto: no preview from now on: {error}", file=sys.stderr)
            self.preview = None
