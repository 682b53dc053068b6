"""Styles that the instant network adapts to: once in each process, for all photos and frames."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor

from impasto.losses.terms import Targets
from impasto.models.instant import Instant

if TYPE_CHECKING:
    from impasto.recipes.feedforward import FeedForward

_MOST = 16
_codes: OrderedDict[bytes, Tensor] = OrderedDict()


def adapted_code(engine: FeedForward, known: Targets, wants: Targets) -> Tensor:
    """By how much (1, K) the code of a style changes: `known` by the engine's encoder, `wants` by its judge."""
    facts = [f"{engine.path} {engine.card.training} {engine.device} {engine.bfloat16} {engine.adapt}".encode()]
    facts += [value.cpu().numpy().tobytes() for named in known.values() for value in named.values()]
    digest = hashlib.sha256(b"".join(facts)).digest()
    if digest not in _codes:
        from impasto.training.adaptation import adapt

        assert isinstance(engine.network, Instant)
        assert engine.judge is not None
        network, own, judge = engine.network, engine.encoder, engine.judge
        _codes[digest] = adapt(network, own, judge, known, wants, engine.adapt, bfloat16=engine.bfloat16)
        while len(_codes) > _MOST:
            _codes.popitem(last=False)
    return _codes[digest]
