"""Painters of a studio on a Ray cluster: as many as there is work for, wherever there is room.

They take jobs from the studio's queue themselves, as its own processes do. So previews, stopping and going on are the
same, and the job of one that is lost waits again when its lease has run out.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.cluster.on_ray import joined
from impasto.jobs.database import DatabaseQueue
from impasto.jobs.queue import QueueAwayError
from impasto.processes import own_folder
from impasto.serving.worker import Worker, warm
from impasto.storage import Storage, is_remote

_TICK_SECONDS, _IDLE_SECONDS, _LEAVE_SECONDS = 1.0, 60.0, 15.0
_MOST_BYTES = 4_000_000_000


@dataclass
class RayCrew:
    """Painters on a cluster, from one up to `workers`: one more while jobs wait, one less when they have not for long.

    Args:
        database: the queue, which all machines of the cluster reach.
        storage: likewise.
        workers: painters at most.
        signs: whether results are signed, by the key of the machine that paints.
        on: `ray`, or the address of a cluster.
    """

    database: str
    storage: str
    workers: int
    signs: bool
    on: str = "ray"
    _actors: list[Any] = field(default_factory=list)
    _leaving: threading.Event = field(default_factory=threading.Event)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Join the cluster, begin with one painter, and see to it that there are enough.

        Raises:
            SettingsError: Ray is missing, or the cluster cannot be joined.
        """
        self._ray = self._stack.enter_context(joined(self.on))
        self._queue = DatabaseQueue(self.database)
        self._add()
        threading.Thread(target=self._watch, daemon=True, name="crew").start()

    def complete(self) -> bool:
        """Whether there is somebody to paint."""
        return self.count() > 0

    def count(self) -> int:
        """How many are there."""
        return len(self._actors)

    def leave(self) -> None:
        """Tell all to stop between two steps; what they were at waits to go on."""
        self._leaving.set()
        asked = [actor.leave.remote() for actor in self._actors]
        self._ray.wait(asked, num_returns=len(asked), timeout=_LEAVE_SECONDS)
        self._queue.close()
        self._stack.close()

    def _watch(self) -> None:
        calm_since = time.monotonic()
        while not self._leaving.wait(_TICK_SECONDS):
            try:
                counts = self._queue.counts()
            except QueueAwayError:
                continue
            wanted = min(self.workers, max(1, counts.get("waiting", 0) + counts.get("running", 0)))
            if wanted >= len(self._actors):
                calm_since = time.monotonic()
            if wanted > len(self._actors):
                self._add()
            elif time.monotonic() - calm_since > _IDLE_SECONDS:
                self._actors.pop().leave.remote()
                calm_since = time.monotonic()

    def _add(self) -> None:
        gpus = {"num_gpus": 1} if self._ray.cluster_resources().get("GPU", 0) >= 1 else {"num_cpus": 1}
        storage = self.storage if is_remote(self.storage) else str(Path(self.storage).absolute())
        actor = self._ray.remote(max_restarts=-1, **gpus)(_Painter)
        self._actors.append(actor.remote(self.database, storage, self.signs))


class _Painter:
    """A worker of the studio in an actor; one that leaves ends the actor when its job is done or waits again."""

    def __init__(self, database: str, storage: str, signs: bool) -> None:
        import torch

        torch.set_num_threads(1)
        warm()
        queue = DatabaseQueue(database)
        self._worker = Worker(queue, Storage(storage), False, own_folder(), os.getppid(), _MOST_BYTES, signs)
        self._thread = threading.Thread(target=self._worker.run, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Stop between two steps."""
        import ray

        self._worker.leaving.set()
        self._thread.join()
        ray.actor.exit_actor()  # type: ignore[no-untyped-call]
