"""Processes and threads that work for another."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

_WAITING = 4

Given = TypeVar("Given")
Made = TypeVar("Made")


def own_folder() -> Path:
    """A temporary folder of this process; those of processes that were killed are removed."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"impasto-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != user:  # somebody else's, put there to be looked into
        return Path(tempfile.mkdtemp(prefix="impasto-"))
    for other in folder.iterdir():
        process = other.name.partition("-")[0]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(other, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))


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


def in_order(do: Callable[[Given], Made], all: Iterable[Given], threads: int) -> Iterator[Made]:
    """What `do` makes of each, in order, by so many threads, which are a little ahead."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for one in all:
                waiting.append(pool.submit(do, one))
                if len(waiting) > _WAITING * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
