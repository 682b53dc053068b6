"""Which engine paints, read from the names of styles: the slow road, or a network in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from impasto.errors import SettingsError, UnknownName
from impasto.media.image import MAX_PIXELS
from impasto.settings import Look, describe

if TYPE_CHECKING:
    from impasto.provenance import Source
    from impasto.recipes.quick import Manner, Model

ENGINES = ("optimize", "instant")
_MODEL = ".impasto"


@dataclass(frozen=True)
class Choice:
    """A model by name or file, or None for the slow road; `paintings`, or `names` that a painter has learned."""

    model: str | None
    paintings: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()


def choose(engine: str | None, styles: Sequence[str], usual: str = "optimize") -> Choice:
    """Read `--engine` and the styles: pictures, saved codes, `painter.impasto`, `looks`, or `looks:swirls`.

    `usual` is the engine for paintings where none is named.

    Raises:
        SettingsError: no style, or styles of different kinds.
        UnknownName: no such engine.
    """
    if not styles:
        raise SettingsError("Expected at least one painting after the photo; give one to take the manner from.")
    painters = {style: _painter(style) for style in styles}
    models = {model for model, _ in painters.values() if model}
    if not models:
        paintings = tuple(Path(style) for style in styles)
        if engine is None:
            engine = "instant" if any(painting.suffix == ".style" for painting in paintings) else usual
        if engine == "optimize":
            return Choice(None, paintings)
        if engine != "instant" and Path(engine).suffix not in (_MODEL, ".onnx"):
            if _painter(engine)[0]:
                raise SettingsError(f"{engine} paints in its own styles; give it in place of {paintings[0].name}.")
            raise UnknownName("engine", engine, [*ENGINES, "a model file"])
        return Choice(engine, paintings)
    if len(models) > 1 or not all(model for model, _ in painters.values()):
        raise SettingsError("Expected styles of one kind: paintings, or styles of one painter; paint in two runs.")
    if engine is not None:
        raise SettingsError(f"{styles[0]} paints by itself; leave out --engine, or give a painting.")
    return Choice(models.pop(), names=tuple(name for _, name in painters.values() if name))


def _painter(style: str) -> tuple[str | None, str | None]:
    """(model, style in it) if `style` names a trained painter."""
    from impasto.shelf.models import models

    if Path(style).is_file() and Path(style).suffix not in (_MODEL, ".onnx"):
        return None, None
    model, _, name = style.partition(":") if ":" in Path(style).name else (style, "", "")
    if Path(model).suffix in (_MODEL, ".onnx") or model in models():
        return model, name or None
    return None, None


def look_of(changes: Mapping[str, Any]) -> Look:
    """The settings of a painting in one pass.

    Raises:
        SettingsError: a setting that only the slow road has.
    """
    foreign = [name for name in changes if name not in Look.model_fields]
    if foreign:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise SettingsError(f"{flags} steers painting by optimisation; leave it out, or add --engine optimize.")
    try:
        return Look(**changes)
    except ValidationError as error:
        raise SettingsError(describe(error)) from error


def manner_of(choice: Choice, look: Look, blend: Sequence[float] | None, max_pixels: int = MAX_PIXELS) -> Manner:
    """The network and its styles, ready to paint.

    Raises:
        InputError: a model, picture or setting that cannot be used.
    """
    from impasto.recipes.quick import prepare_manner

    assert choice.model is not None
    model = open_model(choice.model, look)
    return prepare_manner(model, look, choice.paintings, names=choice.names, blend=blend, max_pixels=max_pixels)


def open_model(name: str, look: Look) -> Model:
    """The network in a file (.impasto, .onnx), or of that name on the shelf.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if name.endswith(".onnx"):
        from impasto.recipes.onnx import OnnxModel

        return OnnxModel.open(Path(name))
    from impasto.recipes.feedforward import FeedForward

    return FeedForward.open(name, look)


def model_of(source: Source) -> str | None:
    """The name on the shelf of a model that a record names, if the shelf still has it as it was."""
    from impasto.shelf.models import models
    from impasto.weights.files import sha256

    return next((name for name, path in models().items() if sha256(path) == source.sha256), None)


def model_hash(engine: str | None, style: str, usual: str) -> str | None:
    """The SHA-256 of the network that paints in `style`, None for the slow road."""
    from impasto.shelf.models import find
    from impasto.weights.files import sha256

    choice = choose(engine, [style], usual)
    if choice.model is None:
        return None
    return sha256(Path(choice.model) if choice.model.endswith(".onnx") else find(choice.model))
