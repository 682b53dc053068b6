"""Ctrl-C that lets the step in hand finish; a second one does not wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupt:
    """Whether the user has asked to stop."""

    requested: bool = False


@contextmanager
def stop_between_steps() -> Iterator[Interrupt]:
    """Turn the first SIGINT or SIGTERM inside the block into a request, the second into `KeyboardInterrupt`."""
    interrupt = Interrupt()

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupt.requested:
            raise KeyboardInterrupt
        interrupt.requested = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in signals]
    try:
        yield interrupt
    finally:
        for number, handler in zip(signals, before):
            signal.signal(number, handler)
