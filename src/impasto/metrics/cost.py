"""What a picture costs: time and memory of a whole process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import InputError

# a small process of its own, as a child's peak counts the memory of the parent that it was forked from
_WATCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run([sys.executable, "-c", *sys.argv[1:]])
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
_PAINT = """
import sys, impasto
from impasto.recipes.painting import open_brief, painted
impasto.write(painted(open_brief(impasto.Brief.from_json(sys.argv[2])).on(sys.argv[1])), sys.argv[3], force=True)
"""


@dataclass(frozen=True)
class Cost:
    """Seconds from start to end, and the largest resident set in megabytes."""

    seconds: float
    megabytes: float


def cost_of(photo: Path, brief: str) -> Cost:
    """What painting a photo by a brief (JSON) takes, in a process of its own.

    Raises:
        InputError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WATCH, _PAINT, str(photo), brief, str(Path(folder) / "out.png")]
        watched = subprocess.run(command, capture_output=True, text=True, check=False)
    if watched.returncode:
        problem = (watched.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{photo} could not be painted to take the time: {problem}")
    seconds, largest = map(float, watched.stdout.split())
    return Cost(seconds, largest * (1 if sys.platform == "darwin" else 1024) / 1e6)
