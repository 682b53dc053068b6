"""Neural style transfer that works at once, offline, on a laptop: a photo in the manner of a painting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.brief import Brief as Brief
    from impasto.brief import Region as Region
    from impasto.client import Client as Client
    from impasto.errors import ImpastoError as ImpastoError
    from impasto.media.image import Picture as Picture
    from impasto.media.image import read as read
    from impasto.media.writing import write as write
    from impasto.presets import PRESETS as PRESETS
    from impasto.presets import preset as preset
    from impasto.recipes.painting import paint as paint
    from impasto.recipes.stylize import film as film
    from impasto.recipes.stylize import stylize as stylize
    from impasto.settings import Look as Look
    from impasto.settings import Recipe as Recipe

_HOMES = {
    "Brief": "impasto.brief",
    "Client": "impasto.client",
    "ImpastoError": "impasto.errors",
    "Look": "impasto.settings",
    "PRESETS": "impasto.presets",
    "Picture": "impasto.media.image",
    "Recipe": "impasto.settings",
    "Region": "impasto.brief",
    "film": "impasto.recipes.stylize",
    "paint": "impasto.recipes.painting",
    "preset": "impasto.presets",
    "read": "impasto.media.image",
    "stylize": "impasto.recipes.stylize",
    "write": "impasto.media.writing",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import impasto` does not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
