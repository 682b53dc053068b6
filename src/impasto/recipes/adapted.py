"""How the instant network adapts to a style: found out once, for all photos and frames."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from torch import Tensor

from impasto.losses.terms import Targets
from impasto.models.instant import Instant

if TYPE_CHECKING:
    from impasto.recipes.feedforward import FeedForward


def adaptation(engine: FeedForward, known: Targets, wants: Targets) -> Tensor:
    """By how much (1, K) the code of a style changes: `known` by the engine's encoder, `wants` by its judge."""
    facts = [f"{engine.path} {engine.card.training} {engine.device} {engine.bfloat16} {engine.adapt}".encode()]
    facts += [value.cpu().numpy().tobytes() for named in known.values() for value in named.values()]
    return _adaptation(_Asked(hashlib.sha256(b"".join(facts)).digest(), engine, known, wants))


@dataclass(frozen=True)
class _Asked:
    digest: bytes
    engine: FeedForward = field(compare=False)
    known: Targets = field(compare=False)
    wants: Targets = field(compare=False)


@lru_cache(maxsize=16)
def _adaptation(asked: _Asked) -> Tensor:
    from impasto.training.adaptation import adapted

    engine = asked.engine
    assert isinstance(engine.network, Instant)
    assert engine.judge is not None
    network, own, judge = engine.network, engine.encoder, engine.judge
    return adapted(network, own, judge, asked.known, asked.wants, engine.adapt, bfloat16=engine.bfloat16)
