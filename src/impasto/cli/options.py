"""The settings of a recipe as options, grouped for a reader."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel, Field, create_model

from impasto.errors import SettingsError
from impasto.settings import Recipe

LOOK = Group("Look", sort_key=2)
_GROUPS = {
    LOOK: ("size", "strength", "color", "style_scale", "seed"),
    Group("What is seen", sort_key=4): ("encoder", "pooling"),
    Group("What is judged", sort_key=5): (
        "style_loss", "style_layers", "style_weight", "content_loss", "content_layers", "content_weight",
        "smoothness", "smoothness_weight",
    ),
    Group("How it is painted", sort_key=6): (
        "start", "detail", "steps", "jitter", "pyramid", "optimizer", "learning_rate", "decay", "averaging", "clip",
        "patience", "tolerance",
    ),
    Group("Where it runs", sort_key=7): ("device", "precision"),
}  # fmt: skip


def _grouped() -> type[Recipe]:
    fields: dict[str, Any] = {}
    for group, names in _GROUPS.items():
        for name in names:
            field = Recipe.model_fields[name]
            parameter = Parameter(
                group=group, negative="" if name == "steps" else None, consume_multiple=name == "steps"
            )
            fields[name] = (Annotated[field.annotation, parameter], field)
    strength = Field(1.0, description="From the photo (0) to the full style (1); auto: as much as leaves its shapes.")
    number = Annotated[float, Field(ge=0, le=1)]
    fields["strength"] = (Annotated[number | Literal["auto"], Parameter(group=LOOK)], strength)
    return create_model("RecipeOptions", __base__=Recipe, **fields)


RecipeOptions = _grouped()


def explicit(options: BaseModel | None) -> dict[str, Any]:
    """The settings that the user gave, and no others."""
    return {} if options is None else {name: getattr(options, name) for name in options.model_fields_set}


def parse_blend(text: str | None) -> list[float] | None:
    """The weights in `2:1`.

    Raises:
        SettingsError: a part is no number.
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(":")]
    except ValueError as error:
        raise SettingsError(f"Expected weights like 2:1 for --blend, one for each style; got {text!r}.") from error
