"""The estimate of memory, against what a process really takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from impasto.encoders.compact import load_compact
from impasto.engine.memory import bytes_per_pixel
from impasto.recipes.recipe import Recipe

MEASURE = """
import resource, sys
from fakes import picture
from impasto.encoders.compact import load_compact
from impasto.media.image import Picture
from impasto.recipes.optimize import Painter
from impasto.recipes.recipe import Recipe
size = int(sys.argv[1])
recipe = Recipe(size=size, steps=(2,), pyramid=False)
list(Painter(Picture(picture(size, size)), [Picture(picture(size, size, 1))], (1.0,), recipe, load_compact()).paint())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is Linux's")
def test_the_estimate_is_near_and_not_below() -> None:
    def peak(size: int) -> int:
        command = [sys.executable, "-c", MEASURE, str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        return int(done.stdout)

    measured = (peak(1024) - peak(512)) / (1024**2 - 512**2)
    estimated = bytes_per_pixel(load_compact().architecture, Recipe().layers())
    assert 0.4 * estimated < measured < estimated
