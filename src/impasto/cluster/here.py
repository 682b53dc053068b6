"""Shards painted by processes of this machine; one that dies is replaced, and its shard painted again."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from impasto.cluster.painting import PaintedShard, ShardPainter, Stopped
from impasto.errors import ImpastoError
from impasto.processes import deaf_to_interrupts

_TRIES, _TICK_SECONDS = 5, 0.2
_painter: ShardPainter | None = None
_stop: Event | None = None

Told = PaintedShard | Exception | None
Running = Generator[PaintedShard | ImpastoError | None, None, None]


def paint_here(place: str, shards: Sequence[int], workers: int) -> Running:
    """What has become of each shard, as they are done, None now and then; leaving early stops all between two pictures.

    A shard that could not be painted, for want of storage or because its process died again and again, is an error.
    """
    waiting, told = queue.SimpleQueue[int](), queue.SimpleQueue[Told]()
    for shard in shards:
        waiting.put(shard)
    stop = multiprocessing.get_context("spawn").Event()
    hands = [_Hand(place, waiting, told, stop) for _ in range(min(workers, len(shards)))]
    with deaf_to_interrupts():
        for hand in hands:
            hand.begin()
    try:
        working = len(hands)
        while working:
            try:
                one = told.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if one is None:
                working -= 1
            elif isinstance(one, PaintedShard | ImpastoError):
                yield one
            else:
                raise one
    finally:
        stop.set()
        for hand in hands:
            hand.thread.join()


@dataclass
class _Hand:
    """A process, and the thread that gives it one shard after another."""

    place: str
    waiting: queue.SimpleQueue[int]
    told: queue.SimpleQueue[Told]
    stop: Event

    def begin(self) -> None:
        self._renew()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _renew(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, context, _open, (self.stop,))
        self._process.submit(os.getpid)  # so that it starts now

    def _work(self) -> None:
        try:
            while not self.stop.is_set():
                painted = self._paint(self.waiting.get_nowait())
                if painted is not None:
                    self.told.put(painted)
        except queue.Empty:
            pass
        except Exception as error:  # a bug: told where it is seen
            self.told.put(error)
        finally:
            self._process.shutdown()
            self.told.put(None)

    def _paint(self, shard: int) -> Told:
        """The shard, or why it cannot be painted; None if it was given up."""
        for _ in range(_TRIES):
            if self.stop.is_set():
                return None
            try:
                return self._process.submit(_paint, self.place, shard).result()
            except BrokenProcessPool:
                self._renew()
            except Stopped:
                return None
        return ImpastoError(f"The process that painted shard {shard} died {_TRIES} times.")


def _open(stop: Event) -> None:
    """A process begins: with one thread, as there are others beside it, and not longer than who began it."""
    global _stop
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _stop = stop


def _end_with_parent() -> None:
    process = multiprocessing.parent_process()
    if process is not None:
        process.join()
    os._exit(1)


def _paint(place: str, shard: int) -> PaintedShard | ImpastoError:
    global _painter
    if _painter is None:
        assert _stop is not None
        _painter = ShardPainter(place, _stop.is_set)
        atexit.register(_painter.close)
    return _painter.try_to_paint(shard)
