"""What a run over a manifest has left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from impasto.cluster.painting import Outcome, outcomes_of
from impasto.storage import Storage

PATIENCE = 280.0
"""Seconds after which something hangs; anything less has failed on slow, shared machines."""

_beside: list[subprocess.Popen[str]] = []


def outcomes(place: str | Path) -> list[Outcome]:
    """What has become of all photos."""
    storage = Storage(place)
    return [one for name in sorted(storage.names("ledger/")) for one in outcomes_of(storage.get(name) or b"")]


def contents(folder: Path) -> dict[str, bytes]:
    """All files by name, but for the markers of attempts."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith("attempts/")}


def in_background(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """A command that runs beside; it ends with the test at the latest."""
    command = [sys.executable, "-m", "impasto", *map(str, arguments)]
    process: subprocess.Popen[str] = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )  # type: ignore[call-overload]
    _beside.append(process)
    return process


def end_what_runs_beside() -> None:
    """Kill what a failed test has left behind, that it does not fail the next ones too."""
    while _beside:
        with _beside.pop() as process:
            process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to be true."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)
