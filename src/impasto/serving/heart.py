"""What keeps a worker's job its own."""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from impasto.jobs.queue import Job, Queue, QueueAwayError

LEASE, BEAT = 5.0, 0.2
_PREVIEW_SECONDS = 0.7
_LONGEST, _LONGEST_QUICK = 1800.0, 120.0


@dataclass
class Heart:
    """Beats beside the painting, so that the lease outlasts long steps; a painter that hangs is ended."""

    queue: Queue
    job: Job
    done: float = 0.0
    note: str = ""
    ended: bool = False
    lost: bool = False
    _shown: int = 0
    _shown_at: float = -math.inf
    _still: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Heart:
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._still.set()
        assert self._thread is not None
        self._thread.join()

    def tell(self, done: float, note: str) -> None:
        """How far the painting has come."""
        self.done, self.note = done, note

    @property
    def preview_is_due(self) -> bool:
        """Whether the last one was shown a while ago."""
        return time.monotonic() - self._shown_at > _PREVIEW_SECONDS

    def tell_of_preview(self) -> None:
        """There is a new one: only once it is kept, as who hears of it comes for it."""
        self._shown, self._shown_at = self._shown + 1, time.monotonic()

    def _beat(self) -> None:
        longest = time.monotonic() + (_LONGEST_QUICK if self.job.quick else _LONGEST)
        while not self._still.wait(BEAT):
            if time.monotonic() > longest:
                with suppress(QueueAwayError):
                    message = "It took too long; try a smaller size or fewer steps."
                    self.queue.end(self.job, "failed", "timeout", message)
                os._exit(1)
            note = f"{self.note}  preview {self._shown}" if self._shown else self.note
            try:
                goes_on = self.queue.beat(self.job, LEASE, self.done, note)
                current = None if goes_on else self.queue.get(self.job.id)
            except QueueAwayError:
                continue
            if not goes_on:
                self.lost = current is None or current.token != self.job.token or current.state != "running"
                self.ended = True
