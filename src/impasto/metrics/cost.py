"""What a picture costs: time and memory of a whole process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.errors import InputError

# a small process of its own, as a child's peak counts the memory of the parent that it was forked from
_WATCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run([sys.executable, "-m", "impasto", *sys.argv[1:]], stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


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
    command = [sys.executable, "-c", _WATCH, *arguments]
    watched = subprocess.run(command, capture_output=True, text=True, check=False)
    if watched.returncode:
        raise InputError(f"impasto {' '.join(arguments)} failed, so its time is not known: {watched.stderr.strip()}")
    seconds, largest = map(float, watched.stdout.split())
    return Cost(seconds, largest * (1 if sys.platform == "darwin" else 1024) / 1e6)
