"""Batches made ready in the background while the last one is learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from torch import Tensor

from impasto.training.pictures import Crops

_AHEAD = 4


@dataclass(frozen=True)
class Loader:
    """Crops for one of `world` processes; batch i depends on i alone, whatever came before and however many load."""

    crops: Crops
    batch: int
    workers: int = 1
    rank: int = 0
    world: int = 1

    def indices(self, number: int) -> list[int]:
        """The crops of batch `number`."""
        first = (number * self.world + self.rank) * self.batch
        return [*range(first, first + self.batch)]

    def batches(self, start: int = 0) -> Iterator[tuple[list[int], Tensor]]:
        """(indices, crops (N, 3, S, S)) of batch `start` and all that follow, without end."""
        pool = ThreadPoolExecutor(self.workers)
        ready: deque[tuple[list[int], Future[Tensor]]] = deque()
        try:
            for number in count(start):
                indices = self.indices(number)
                ready.append((indices, pool.submit(self.crops.batch, indices)))
                if len(ready) > _AHEAD * self.workers:
                    indices, future = ready.popleft()
                    yield indices, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
