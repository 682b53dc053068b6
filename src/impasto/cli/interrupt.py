"""Ctrl-C that lets the step in hand finish; a second one does not wait; while files are written, none is heard."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_HANGUP = getattr(signal, "SIGHUP", None)
_AGAIN_SECONDS = 0.05
_TERMINALS = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]  # asked now, as one that is gone says no


@dataclass
class Interrupt:
    """Whether the user has asked to stop; `writing`: nothing may be cut short now."""

    requested: bool = False
    writing: bool = False


@contextmanager
def stop_between_steps(ends_with: str = "this step", *, at_once: bool = False) -> Iterator[Interrupt]:
    """Turn the first interrupt inside the block into a request, and say so; the second into `KeyboardInterrupt`.

    SIGINT, SIGTERM and SIGHUP (the terminal is closed) count alike. `at_once`: there is one step, so that the first
    interrupt ends it.
    """
    interrupt = Interrupt()

    def handle(number: int, frame: FrameType | None) -> None:
        if number == _HANGUP:
            _mute()
        if interrupt.writing:
            _tell("The picture is being written; one moment.")
        elif interrupt.requested or at_once:
            _raise_where_it_is_heard(number, frame)
        else:
            interrupt.requested = True
            _tell(f"Stopping after {ends_with}; press Ctrl-C again not to wait for it.")

    heard = [number for number in _SIGNALS if number != _HANGUP or signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, handle) for number in heard]
    try:
        yield interrupt
    finally:
        for number, handler in zip(heard, before):
            signal.signal(number, handler)


def raise_on_interrupt() -> None:
    """Let Ctrl-C and its like raise `KeyboardInterrupt` in this process, wherever they come."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if number == _HANGUP:
            _mute()
        _raise_where_it_is_heard(number, frame)

    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, handle)


def _raise_where_it_is_heard(number: int, frame: FrameType | None) -> None:
    """`KeyboardInterrupt`; in the midst of pyvips, whose callbacks swallow it, the same signal a little later."""
    if frame is None or "pyvips" not in frame.f_code.co_filename:
        raise KeyboardInterrupt
    timer = threading.Timer(_AGAIN_SECONDS, _thread.interrupt_main, (number,))
    timer.daemon = True
    timer.start()


def _tell(message: str) -> None:
    os.write(2, f"\n{message}\n".encode())


def _mute() -> None:
    """The terminal is gone: what was said to it goes nowhere from now on, rather than ending the work."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in _TERMINALS:
        os.dup2(nowhere, descriptor)
