"""Which engine paints, read from names: the slow road, the instant network, or a painter on the shelf or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impasto.errors import SettingsError, UnknownName
from impasto.media.files import is_file
from impasto.shelf.card import read_card
from impasto.shelf.models import find, models

ENGINES = ("optimize", "instant")
STYLE_SUFFIX = ".style"
_MODELS = (".impasto", ".onnx")


def chosen_engine(engine: str | None, styles: Sequence[str], usual: str = "optimize") -> str:
    """The engine that paints in `styles`: the one that is named, a painter's own, or the usual one for paintings.

    Raises:
        SettingsError: styles of different kinds, or that the engine does not paint in.
        UnknownName: no such engine.
    """
    models = {model for model, _ in map(named_model, styles) if model}
    if not models:
        if engine is None:
            return "instant" if any(Path(style).suffix == STYLE_SUFFIX for style in styles) else usual
        if engine not in ENGINES and Path(engine).suffix not in _MODELS:
            if not named_model(engine)[0]:
                raise UnknownName("engine", engine, [*ENGINES, "a model file"])
            if styles and not _is_instant(engine):
                raise SettingsError(f"{engine} paints in its own styles; give it in place of {Path(styles[0]).name}.")
        return engine
    if len(models) > 1 or not all(named_model(style)[0] for style in styles):
        raise SettingsError("Expected styles of one kind: paintings, or styles of one painter; paint in two runs.")
    model = models.pop()
    if engine not in (None, model):
        raise SettingsError(f"{styles[0]} paints by itself; leave out --engine, or give a painting.")
    return model


def named_model(style: str) -> tuple[str | None, str | None]:
    """(model, style in it) if `style` names a trained painter."""
    if is_file(style) and Path(style).suffix not in _MODELS:
        return None, None
    model, _, name = style.partition(":") if ":" in Path(style).name else (style, "", "")
    if Path(model).suffix in _MODELS or model in models():
        return model, name or None
    return None, None


def _is_instant(engine: str) -> bool:
    return read_card(find(engine)).kind == "instant"
