"""Codes of styles that the instant network adapts to: made once, for all photos and frames."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from impasto.losses.terms import Targets
from impasto.models.instant import STYLE_LAYERS, Instant
from impasto.models.stages import Style

if TYPE_CHECKING:
    from impasto.recipes.feedforward import FeedForward

_JUDGED = "judged "


def with_judged(descriptions: Targets, judged: Targets) -> Targets:
    """What the network sees of a style and what the judge sees, in one."""
    return descriptions | {_JUDGED + layer: statistics for layer, statistics in judged.items()}


def adapted_code(engine: FeedForward, descriptions: Targets) -> Style:
    """The code of N styles {layer: statistics (N, ...)}, of which `with_judged` knows all."""
    facts = [f"{engine.path} {engine.card.training} {engine.device} {engine.bfloat16} {engine.adapt}".encode()]
    facts += [value.cpu().numpy().tobytes() for named in descriptions.values() for value in named.values()]
    return _code(_Asked(hashlib.sha256(b"".join(facts)).digest(), engine, descriptions))


@dataclass(frozen=True)
class _Asked:
    digest: bytes
    engine: FeedForward = field(compare=False)
    descriptions: Targets = field(compare=False)


@lru_cache(maxsize=16)
def _code(asked: _Asked) -> Style:
    from impasto.training.adaptation import adapted

    engine, known = asked.engine, asked.descriptions
    network, judge = engine.network, engine.judge
    assert isinstance(network, Instant)
    assert judge is not None
    wants = {layer: known[_JUDGED + layer] for layer in STYLE_LAYERS}
    style = network.style(known)
    return adapted(network, engine.encoder, judge, style, wants, engine.adapt, bfloat16=engine.bfloat16)
