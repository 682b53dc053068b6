"""Styles that the instant network adapts to: once in each process, for all photos and frames."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor

from impasto.losses.terms import Targets
from impasto.models.instant import ADAPTATION, Instant

if TYPE_CHECKING:
    from impasto.recipes.feedforward import FeedForward

_MOST = 16
_known: OrderedDict[bytes, Targets] = OrderedDict()


def adapted(engine: FeedForward, painting: Tensor, mask: Tensor | None) -> Targets:
    """What the engine knows of a style, and by how much it changes for it."""
    asked = f"{engine.path} {engine.card.training} {engine.device} {engine.bfloat16} {engine.adapt} {painting.shape}"
    digest = hashlib.sha256(asked.encode())
    for pixels in (painting, mask):
        if pixels is not None:
            digest.update(pixels.cpu().contiguous().numpy().data)
    key = digest.digest()
    known = _known.pop(key, None)
    if known is None:
        from impasto.training.adaptation import adapt

        assert isinstance(engine.network, Instant)
        assert engine.judge is not None
        seen, wants = engine.seen_by(engine.encoder, painting, mask), engine.seen_by(engine.judge, painting, mask)
        network, own, judge = engine.network, engine.encoder, engine.judge
        changes = adapt(network, own, judge, seen, wants, engine.adapt, bfloat16=engine.bfloat16)
        known = {**seen, ADAPTATION: changes}
    _known[key] = known
    while len(_known) > _MOST:
        _known.popitem(last=False)
    return known
