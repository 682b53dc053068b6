"""What a painting will take, before it is begun: measured on a small copy, and carried over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from impasto.engine.scales import SMALLEST_SIDE
from impasto.errors import TooLargeError
from impasto.media.geometry import fit
from impasto.settings import SMALLEST_SIZE, Look

T = TypeVar("T")
TRIAL = 256


@dataclass(frozen=True)
class Estimate:
    """The size of a result (height, width) in pixels, and about what time and memory it takes."""

    size: tuple[int, int]
    seconds: float
    bytes: float

    def after(self, seconds: float) -> Estimate:
        """The same where so many have passed."""
        return replace(self, seconds=self.seconds + seconds)

    def __str__(self) -> str:
        height, width = self.size
        return f"{width}x{height} pixels, about {self.seconds:.0f} s and {self.bytes / 1e9:.1f} GB"


def trial_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a small copy of a result, to measure on."""
    long_side = max(TRIAL, -(-SMALLEST_SIDE * max(size) // min(size)))
    return size if max(size) <= long_side else fit(*size, long_side)


def refused(work: str, needed: float, free: float, look: Look, fitting: int) -> TooLargeError:
    """The refusal of `work` that takes `needed` bytes: what there is, and the size that would be `fitting`."""
    there = f"--memory is {look.memory_bytes / 1e9:.2f} GB" if look.memory_bytes else f"{free / 1e9:.2f} GB are free"
    ways = []
    if look.memory_bytes and needed < free:
        ways.append(f"--memory {math.ceil(needed / 1e7) / 100:.2f}GB or more")
    if fitting >= SMALLEST_SIZE:
        ways.append(f"--size {fitting} or less")
    advice = f"give {', or '.join(ways)}" if ways else "close other programs"
    return TooLargeError(f"{work} takes about {needed / 1e9:.2f} GB, and {there}; {advice}.")


class Timed(NamedTuple, Generic[T]):
    """How many seconds work takes, how many more the first time, and what comes of it."""

    seconds: float
    warming: float
    result: T


def timed(work: Callable[[], T]) -> Timed[T]:
    """The least of two times after the first."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    least = min(times[1:])
    return Timed(least, max(0.0, times[0] - least), result)
