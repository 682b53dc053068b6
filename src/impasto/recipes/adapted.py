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
_codes: OrderedDict[bytes, tuple[Targets, Tensor]] = OrderedDict()


def adapted(engine: FeedForward, painting: Tensor, mask: Tensor | None) -> tuple[Targets, Tensor]:
    """What the engine knows of a style, and by how much (1, K) it changes the code that it reads of that."""
    asked = f"{engine.path} {engine.card.training} {engine.device} {engine.bfloat16} {engine.adapt} {painting.shape}"
    digest = hashlib.sha256(asked.encode())
    for pixels in (painting, mask):
        if pixels is not None:
            digest.update(pixels.cpu().contiguous().numpy().data)
    key = digest.digest()
    if key not in _codes:
        from impasto.training.adaptation import adapt

        assert isinstance(engine.network, Instant)
        assert engine.judge is not None
        known, wants = engine.describe(painting, mask), engine.seen_by(engine.judge, painting, mask)
        network, own, judge = engine.network, engine.encoder, engine.judge
        code = adapt(network, own, judge, known, wants, engine.adapt, bfloat16=engine.bfloat16)
        _codes[key] = known, code
        while len(_codes) > _MOST:
            _codes.popitem(last=False)
    return _codes[key]
