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
def from_stdin(path: Path) -> Iterator[Path]:
    """`path`, or a file with what comes from standard input."""
    if path != _STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / _INPUT
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield copy


@contextmanager
def to_stdout(path: Path) -> Iterator[Path]:
    """`path`, or a PNG file that goes to standard output in the end."""
    if path != _STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / _OUTPUT
        try:
            yield written
        finally:
            if written.is_file():
                with written.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.flush()


def is_stdout(path: Path) -> bool:
    """Whether this file goes to standard output, where nothing else may be said then."""
    return path.name == _OUTPUT
