"""Settings that go together: presets of a painting by name, those of anything in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from impasto.errors import SettingsError, UnknownName
from impasto.media.files import replacing
from impasto.settings import Recipe, describe

S = TypeVar("S", bound=BaseModel)


def balanced() -> Recipe:
    """A good picture in little time."""
    return Recipe()


def draft() -> Recipe:
    """A first look."""
    return Recipe(content_weight=0.17, learning_rate=0.025, decay=0.5, averaging=0.2, steps=(0, 0, 5, 3))


def best() -> Recipe:
    """As good as it gets."""
    return Recipe(
        content_weight=0.1325,
        content_growth=0.75,
        learning_rate=0.04,
        decay=0.3,
        averaging=0.8,
        steps=(0, 0, 60, 28),
        jitter=True,
    )


def gatys() -> Recipe:
    """The paper as written (Gatys et al., 2016): VGG-19, Gram matrices, L-BFGS, one size."""
    return Recipe(
        encoder="vgg19",
        pooling="average",
        start="content",
        style_loss="gram",
        content_loss="gatys",
        content_layers={"relu4_2": 1.0},
        content_weight=10.0,
        style_weight=1e6,
        optimizer="lbfgs",
        learning_rate=1.0,
        decay=1.0,
        averaging=0.0,
        steps=(500,),
        pyramid=False,
        precision="float32",
    )


PRESETS: dict[str, Callable[[], Recipe]] = {"draft": draft, "balanced": balanced, "best": best, "gatys": gatys}


def preset(name: str, **changes: object) -> Recipe:
    """The preset called `name`, with some of its settings changed.

    Raises:
        UnknownName: no such preset or setting.
        SettingsError: a value that the setting cannot take.
    """
    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    return _validated(Recipe, {**PRESETS[name]().model_dump(exclude_defaults=True), **changes})


def read_preset(path: Path, kind: type[S], **changes: object) -> S:
    """Settings of this kind in a JSON file, with some changed; those that it does not name are the defaults.

    Raises:
        UnknownName: no such setting.
        SettingsError: the file is missing or no JSON object, or a value that the setting cannot take.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as JSON ({error}); give a file of settings.") from error
    if not isinstance(settings, dict):
        raise SettingsError(f'{path} holds no JSON object; give settings like {{"size": 1024}}.')
    return _validated(kind, {**settings, **changes})


def read_settings(name: str, **changes: object) -> Recipe:
    """The preset of that name, or the settings in that .json file, with some changed.

    Raises:
        UnknownName: no such preset or setting.
        SettingsError: an unreadable file, or a value that the setting cannot take.
    """
    return read_preset(Path(name), Recipe, **changes) if name.endswith(".json") else preset(name, **changes)


def write_settings(path: Path, settings: BaseModel) -> None:
    """The settings that differ from the defaults, as a file that `read_preset` reads.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(settings.model_dump(mode="json", exclude_defaults=True), indent=1), encoding="utf-8"
        )


def _validated(kind: type[S], settings: dict[str, object]) -> S:
    for name in settings:
        if name not in kind.model_fields:
            raise UnknownName("setting", name, kind.model_fields)
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        raise SettingsError(describe(error)) from error
