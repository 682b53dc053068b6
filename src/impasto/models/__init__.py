"""Networks that paint in one pass, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

ModelKind = Literal["instant", "painter", "translator"]


def _instant(**architecture: Any) -> nn.Module:
    from impasto.models.instant import Instant

    return Instant(**architecture)


def _painter(**architecture: Any) -> nn.Module:
    from impasto.models.painter import Painter

    return Painter(**architecture)


def _translator(**architecture: Any) -> nn.Module:
    from impasto.models.translator import Translator

    return Translator(**architecture)


MODELS: dict[ModelKind, Callable[..., nn.Module]] = {
    "instant": _instant,
    "painter": _painter,
    "translator": _translator,
}
