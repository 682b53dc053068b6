"""Standard input and output in place of files, called `-`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STREAM = Path("-")
_INPUT, _OUTPUT = "standard_input", "standard_output.png"


@contextmanager
def files_for_streams(photo: Path, output: Path) -> Iterator[tuple[Path, Path]]:
    """Both paths, with files in place of streams: what came in, and a PNG that goes out in the end, however it ends."""
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / _INPUT, Path(folder) / _OUTPUT
        if photo == _STREAM:
            with given.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield given if photo == _STREAM else photo, written if output == _STREAM else output
        finally:
            if written.is_file():
                with written.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.flush()


def is_stdout(path: Path) -> bool:
    """Whether this file goes to standard output, where nothing else may be said then."""
    return path.name == _OUTPUT
