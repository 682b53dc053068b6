"""The estimate of memory, against what a process really takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.encoders.compact import load_compact
from impasto.engine.memory import bytes_per_pixel
from impasto.settings import Recipe

MEASURE = """
import sys
from pathlib import Path
from fakes import picture
import impasto
size, count = map(int, sys.argv[1:])
parts = {f"mask {n}": impasto.Picture(picture(size, size, n)) for n in range(count)}
given = {"style": impasto.Picture(picture(size, size, 1)), **parts}
settings = impasto.Recipe(size=size, steps=(2,), pyramid=False, start="content")
regions = [impasto.Region(styles=["style"], mask=name) for name in [*parts, None][:max(1, count)]]
brief = impasto.Brief(regions=regions, engine="optimize", settings=settings)
list(impasto.paint(impasto.Picture(picture(size, size)), brief, given))
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's: ru_maxrss counts the parent's memory, too")
@pytest.mark.parametrize("regions", [0, 2])
def test_the_estimate_is_near_and_not_below(regions: int) -> None:
    returned_when_freed = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}

    def peak(size: int) -> int:
        command = [sys.executable, "-c", MEASURE, str(size), str(regions)]
        tests = Path(__file__).parent.parent
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tests, env=returned_when_freed)
        return int(done.stdout)

    measured = (peak(1024) - peak(512)) / (1024**2 - 512**2)
    estimated = bytes_per_pixel(load_compact().architecture, Recipe().layers(), regions)
    assert 0.6 * estimated < measured < estimated
