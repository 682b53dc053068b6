"""What a picture costs: time and memory of a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.errors import InputError


@dataclass(frozen=True)
class Cost:
    """Seconds from start to end, and the largest resident set in megabytes."""

    seconds: float
    megabytes: float


def cost_of(arguments: Sequence[str]) -> Cost:
    """What `impasto` with these arguments takes, in a process of its own.

    Raises:
        InputError: it failed.
    """
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "impasto", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise InputError(f"impasto {' '.join(arguments)} failed, so its time is not known.")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(time.perf_counter() - began, usage.ru_maxrss * unit / 1e6)
