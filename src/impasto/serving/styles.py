"""Styles that the studio offers: those that networks have learned, and those of the library of this machine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from impasto.errors import ImpastoError
from impasto.library.catalogue import Catalogue, Entry
from impasto.library.folder import is_commercial
from impasto.shelf.card import read_card
from impasto.shelf.models import models


def offered() -> list[dict[str, Any]]:
    """Each with an `id` for a brief, a `name`, its `kind`, its licence, and whether it may be used commercially."""
    library = [
        {"id": entry.sha256, "name": entry.label, "kind": "library", **_rights(entry.facts["licence"])}
        for entry in _entries()
    ]
    return [*(dict(one) for one in _learned()), *library]


def in_library(id: str) -> bytes | None:
    """The picture with that hash, if the library has it."""
    found = next((entry for entry in _entries() if entry.sha256 == id), None)
    return found.path.read_bytes() if found else None


def _entries() -> list[Entry]:
    try:
        return [entry for entry in Catalogue().entries() if entry.here()]
    except ImpastoError:  # a library that cannot be read is no reason to paint nothing
        return []


def _rights(licence: str) -> dict[str, Any]:
    return {"licence": licence, "commercial": is_commercial(licence)}


@lru_cache(maxsize=1)
def _learned() -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for name, path in models().items():
        card = read_card(path)
        if card.kind != "instant":
            named = [(f"{name}:{style}", style) for style in card.styles] or [(name, name)]
            found += [{"id": id, "name": style, "kind": "learned", **_rights("")} for id, style in named]
    return tuple(found)
