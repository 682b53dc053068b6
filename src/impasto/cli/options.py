"""Options that commands share, grouped for a reader; those of settings are made from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel, Field, create_model

from impasto.errors import SettingsError
from impasto.media.files import is_file
from impasto.media.image import MAX_PIXELS
from impasto.settings import Recipe

FILES = Group("Files", sort_key=1)
LOOK = Group("Look", sort_key=2)
WHERE = Group("Where it is painted", sort_key=3)
WORK = Group("Work", sort_key=4)
_GROUPS = {
    LOOK: ("size", "painted_size", "strength", "color", "style_scale", "adapt", "seed"),
    Group("What is seen", sort_key=5): ("encoder", "pooling"),
    Group("What is judged", sort_key=6): (
        "style_loss", "style_layers", "style_weight", "content_loss", "content_layers", "content_weight",
        "content_growth", "smoothness", "smoothness_weight",
    ),
    Group("How it is painted", sort_key=7): (
        "start", "detail", "steps", "jitter", "pyramid", "optimizer", "learning_rate", "decay", "averaging", "clip",
        "patience", "tolerance", "tile",
    ),
    Group("Where it runs", sort_key=8): ("device", "precision", "runtime", "memory"),
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
    strength = Field(
        1.0,
        union_mode="left_to_right",
        description="From the photo (0) to the full style (1); auto: as much as leaves its shapes; or a picture, whose "
        "grey is the strength.",
    )
    fields["strength"] = (Annotated[float | str, Parameter(group=LOOK)], strength)
    return create_model("RecipeOptions", __base__=Recipe, **fields)


RecipeOptions = _grouped()


@dataclass(frozen=True)
class FileOptions:
    """How the result is written, and what may be read.

    Args:
        force: Replace files that exist, but never an input.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
        depth: Bits per channel, 8 or 16 (PNG and TIFF); as the photo has it by default.
        dpi: Pixels per inch in print, for the file to say.
        json: Also write the record of the picture's making to this file.
        max_pixels: Largest picture to read; a guard against decompression bombs.
    """

    force: Annotated[bool, Parameter(group=FILES, negative="")] = False
    quality: Annotated[int | None, Parameter(group=FILES)] = None
    depth: Annotated[Literal[8, 16] | None, Parameter(group=FILES)] = None
    dpi: Annotated[float | None, Parameter(group=FILES)] = None
    json: Annotated[Path | None, Parameter(group=FILES)] = None
    max_pixels: Annotated[int, Parameter(group=FILES)] = MAX_PIXELS


@dataclass(frozen=True)
class StyleOptions:
    """Which engine paints, and how styles are mixed.

    Args:
        engine: optimize (by steps), instant (any painting in one pass), or a model file (.impasto, .onnx). Unless you
            or a style says otherwise, `paint` takes optimize, and other commands instant.
        preset: balanced, draft, best, gatys (the 2016 paper; needs VGG-19), or a JSON file of settings.
        blend: Weights of several styles, like 2:1; equal by default.
        weights: A file of weights for the encoder: .safetensors, or .pth without code.
    """

    engine: Annotated[str | None, Parameter(group=LOOK)] = None
    preset: Annotated[str | None, Parameter(group=LOOK)] = None
    blend: Annotated[str | None, Parameter(group=LOOK)] = None
    weights: Annotated[Path | None, Parameter(group=LOOK)] = None


@dataclass(frozen=True)
class RegionOptions:
    """Which parts of the photo are painted, and which of the painting are looked at.

    A mask is a picture (white is in), `map.png#ff0000` for the places of one colour in a map, `subject` or `face`.

    Args:
        mask: Where the photo is painted: a mask (white is in), a colour of a map (map.png#ff0000), subject or face.
        keep: Where the photo stays as it is, whatever else is said; as for --mask.
        region: MASK=STYLE, as in sky.png=starry.jpg or rest=monet.jpg; `+STYLE` for more, `,strength=0.5`,
            `,color=content`, `,style_scale=0.5`, `,blend=2:1` and `,part=MASK` of the painting behind it; repeat it.
        regions: A map of the photo: each colour is a region, painted like the place of that colour in the painting.
        style_regions: The map of the painting, in the same colours.
    """

    mask: Annotated[str | None, Parameter(group=WHERE)] = None
    keep: Annotated[str | None, Parameter(group=WHERE)] = None
    region: Annotated[list[str] | None, Parameter(group=WHERE, negative="")] = None
    regions: Annotated[str | None, Parameter(group=WHERE)] = None
    style_regions: Annotated[str | None, Parameter(group=WHERE)] = None


def explicit(options: BaseModel | None) -> dict[str, Any]:
    """The settings that the user gave, and no others.

    Raises:
        SettingsError: a strength that is neither a number from 0 to 1, nor `auto`, nor a file.
    """
    changes = {} if options is None else {name: getattr(options, name) for name in options.model_fields_set}
    strength = changes.get("strength")
    if isinstance(strength, str) and strength != "auto" and not is_file(strength):
        raise SettingsError(
            f"The setting strength is {strength!r}, but expected a number from 0 to 1, auto, or a grey picture."
        )
    return changes
