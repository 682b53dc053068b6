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
from impasto.encoders.compact import load_compact
from impasto.media.image import Picture
from impasto.recipes.optimize import Painter
from impasto.settings import Recipe
size = int(sys.argv[1])
recipe = Recipe(size=size, steps=(2,), pyramid=False)
list(Painter(Picture(picture(size, size)), [Picture(picture(size, size, 1))], (1.0,), recipe, load_compact()).paint())
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's: ru_maxrss counts the parent's memory, too")
def test_the_estimate_is_near_and_not_below() -> None:
    returned_when_freed = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}

    def peak(size: int) -> int:
        command = [sys.executable, "-c", MEASURE, str(size)]
        tests = Path(__file__).parent.parent
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tests, env=returned_when_freed)
        return int(done.stdout)

    measured = (peak(1024) - peak(512)) / (1024**2 - 512**2)
    estimated = bytes_per_pixel(load_compact().architecture, Recipe().layers())
    assert 0.6 * estimated < measured < estimated
