"""What a painting will take, before it is begun: measured on a small copy, and carried over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from impasto.engine.scales import SMALLEST_SIDE
from impasto.media.geometry import fit

TRIAL = 256


@dataclass(frozen=True)
class Estimate:
    """The size of a result (height, width) in pixels, and about what time and memory it takes."""

    size: tuple[int, int]
    seconds: float
    bytes: float

    def __str__(self) -> str:
        height, width = self.size
        return f"{width}x{height} pixels, about {self.seconds:.0f} s and {self.bytes / 1e9:.1f} GB"


def trial_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a small copy of a result, to measure on."""
    long_side = max(TRIAL, -(-SMALLEST_SIDE * max(size) // min(size)))
    return size if max(size) <= long_side else fit(*size, long_side)


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes the second time."""
    work()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
