"""How a run grows with its painters: shards handed out one after another, with stragglers and machines that vanish."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """What was measured of one painter.

    Args:
        shard_seconds: how long it takes for a shard.
        spread: of the logarithm of that: 0.1 is about ten per cent up or down.
        start_seconds: until a painter paints: its machine, its process, networks and styles.
        handing_seconds: between two shards.
    """

    shard_seconds: float
    spread: float = 0.1
    start_seconds: float = 10.0
    handing_seconds: float = 0.01


@dataclass(frozen=True)
class Troubles:
    """What goes wrong: the share of painters that are so many times slower, and how often one is lost in an hour."""

    slow_share: float = 0.02
    slowness: float = 2.0
    losses_an_hour: float = 0.0
    replaced_seconds: float = 180.0


@dataclass(frozen=True)
class Course:
    """How a run goes: its seconds, the share of them that painters paint what counts, and shards painted again."""

    seconds: float
    efficiency: float
    repainted: int


def simulate(shards: int, painters: int, pace: Pace, troubles: Troubles, seed: int = 0) -> Course:
    """The course of a run."""
    chance = random.Random(seed)
    speeds = [troubles.slowness if chance.random() < troubles.slow_share else 1.0 for _ in range(painters)]
    free = [(pace.start_seconds, number) for number in range(painters)]
    heapq.heapify(free)
    left, repainted, end, painted = shards, 0, 0.0, 0.0
    while left:
        at, number = heapq.heappop(free)
        own = pace.shard_seconds * chance.lognormvariate(0, pace.spread)
        takes = own * speeds[number] + pace.handing_seconds
        lost = chance.expovariate(troubles.losses_an_hour / 3600) if troubles.losses_an_hour else float("inf")
        if lost < takes:
            repainted += 1
            again = at + lost + troubles.replaced_seconds + pace.start_seconds
            heapq.heappush(free, (again, number))
            continue
        left -= 1
        painted += own
        end = max(end, at + takes)
        heapq.heappush(free, (at + takes, number))
    return Course(end, painted / (end * painters), repainted)
