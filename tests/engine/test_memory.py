"""Memory: the estimate against what a process really takes, and tiles that keep it where it may be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from impasto.encoders.compact import load_compact
from impasto.engine.memory import IN_ONE_PIECE, SMALLEST_TILE, footprint
from impasto.settings import Recipe

MEASURE = """
import sys
from pathlib import Path
from fakes import picture
import impasto
size, count, tile = map(int, sys.argv[1:4])
parts = {f"mask {n}": impasto.Picture(picture(size, size, n)) for n in range(count)}
given = {"style": impasto.Picture(picture(size, size, 1)), **parts}
how = {"start": "content", "tile": tile, "precision": "float32", "style_loss": sys.argv[4]}
settings = impasto.Recipe(size=size, steps=(2,), pyramid=False, **how)
regions = [impasto.Region(styles=["style"], mask=name) for name in [*parts, None][:max(1, count)]]
brief = impasto.Brief(regions=regions, engine="optimize", settings=settings)
list(impasto.paint(impasto.Picture(picture(size, size)), brief, given))
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""
RECIPE, COMPACT = Recipe(), load_compact()


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's: ru_maxrss counts the parent's memory, too")
@pytest.mark.parametrize(
    ("regions", "tile", "loss"),
    [
        (0, IN_ONE_PIECE, "wasserstein"),
        (2, IN_ONE_PIECE, "wasserstein"),
        (0, 256, "wasserstein"),
        (0, IN_ONE_PIECE, "sliced"),
    ],
)
def test_the_estimate_is_within_a_quarter(regions: int, tile: int, loss: str) -> None:
    command = [sys.executable, "-c", MEASURE, "900", str(regions), str(tile), loss]
    tests = Path(__file__).parent.parent
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tests)
    own = footprint(COMPACT, RECIPE.layers(), RECIPE.content_layers, regions, value=4, ordered=loss == "sliced")
    expected = own.peak(900**2, tile)
    assert 0.75 < expected / int(done.stdout) < 1.33


def test_tiles_are_as_large_as_memory_allows() -> None:
    own = footprint(COMPACT, RECIPE.layers(), RECIPE.content_layers, 0, value=4)
    pixels = 4032 * 3024
    assert own.side(pixels, own.peak(pixels)) == IN_ONE_PIECE
    sides = [own.side(pixels, share * own.peak(pixels)) for share in (0.9, 0.7, 0.5)]
    assert sides == sorted(sides, reverse=True)
    assert sides[-1] >= SMALLEST_TILE
    assert own.side(pixels, own.least(pixels)) == SMALLEST_TILE
    assert own.side(pixels, 0.99 * own.least(pixels)) is None
    assert own.least(own.most_pixels(2e9)) == pytest.approx(2e9, rel=0.01)
