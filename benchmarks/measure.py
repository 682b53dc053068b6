"""Time and memory of whole processes, and how an independent judge finds pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

IMPASTO = str(Path(sys.executable).with_name("impasto"))


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the clock, seconds of all cores, and its largest resident set in MB."""

    seconds: float
    core_seconds: float
    megabytes: float


def run(*arguments: object) -> Cost:
    """Run `impasto` with `arguments` in a process of its own, its output put away.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.execv(IMPASTO, [IMPASTO, *map(str, arguments)])
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(
            f"impasto {' '.join(map(str, arguments))} failed with status {os.waitstatus_to_exitcode(status)}"
        )
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def judged(shared: Path, size: int | str, photo: Path, painting: Path, result: Path) -> tuple[float, float, float]:
    """Style and content distances and weave of a result of that long side, by the judge in the folder `shared`."""
    judge = [sys.executable, shared / "judge" / "judge.py", "--size", str(size), photo, painting, result]
    found = json.loads(subprocess.run(judge, check=True, capture_output=True, text=True).stdout)
    return found["style"], found["content"], found["grid"]
