"""Processes and threads that work for another."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

_WAITING = 4


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started inside the block hear no Ctrl-C and no hang-up; the one that started them does."""
    heard = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        heard = []
    before = [signal.signal(number, signal.SIG_IGN) for number in heard]
    try:
        yield
    finally:
        for number, handler in zip(heard, before):
            signal.signal(number, handler)


@contextmanager
def in_background() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Do one thing after another in a thread, a few of which may wait; what goes wrong there is raised here."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as pool:

        def do(work: Callable[[], None]) -> None:
            waiting.append(pool.submit(work))
            if len(waiting) > _WAITING:
                waiting.popleft().result()

        yield do
        while waiting:
            waiting.popleft().result()
