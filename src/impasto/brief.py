"""All that there is to say about a painting except its pixels: regions, their styles, the engine and its settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from impasto.controls.color import Color
from impasto.errors import SettingsError, UnknownName
from impasto.settings import Look, Recipe, Strength, describe
from impasto.shelf.engines import chosen_engine, named_model

SELECTORS = ("subject", "face")
MOST_REGIONS = 32
_MAP = re.compile(r"(.+)#([0-9a-fA-F]{6})")

Share = Annotated[float, Field(ge=0)]


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise _sentence(error) from error


def _sentence(error: ValidationError) -> SettingsError:
    """The first thing that is wrong: as we put it where it was ours, or with the name of the part."""
    problem = error.errors()[0]
    ours = problem.get("ctx", {}).get("error")
    if isinstance(ours, SettingsError):
        return ours
    if problem["type"] == "value_error" and ours is not None and not isinstance(problem["input"], int | float | str):
        told = str(ours)
        return SettingsError(f"{told[0].upper()}{told[1:]}.")
    return SettingsError(describe(error))


class Region(_Checked):
    """A part of the photo and how it is to be painted; what is None is as the brief's settings say.

    Pictures are called by name: a file, or whatever is given with the brief.

    Args:
        mask: where it is: a picture (white is in, grey is partly in; where it has transparency, what is opaque is in);
            `map.png#ff0000`, the places of that colour in a map; `subject` or `face`, found in the photo; None is the
            rest, what no other region covers.
        styles: the paintings, saved styles, or styles that a painter has learned (`looks:swirls`).
        style_masks: for each painting, the part of it that is the style, given as `mask` is; `""` is all of it.
        blend: a weight for each style; equal if there is none.
        strength: from the photo (0) to the full style (1); `auto`; or a picture, whose grey is the strength.
        color: whose colours.
        style_scale: the size at which the paintings are seen.
    """

    mask: str | None = None
    styles: tuple[str, ...] = ()
    style_masks: tuple[str, ...] = ()
    blend: tuple[Share, ...] = ()
    strength: Strength | str | None = None
    color: Color | None = None
    style_scale: Annotated[float, Field(ge=0.1, le=8)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Region:
        if not self.styles:
            raise ValueError("a region has no style; give it a painting")
        if self.blend and (len(self.blend) != len(self.styles) or max(self.blend) <= 0):
            shares = ":".join(f"{share:g}" for share in self.blend)
            raise ValueError(
                f"the blend {shares} should hold {len(self.styles)} weights, one for each style, with one above 0"
            )
        if self.style_masks and len(self.style_masks) != len(self.styles):
            raise ValueError(f"{len(self.styles)} styles have {len(self.style_masks)} style masks; give one for each")
        return self

    @property
    def grade(self) -> str | None:
        """The picture whose grey is the strength, if it is one."""
        return self.strength if isinstance(self.strength, str) and self.strength != "auto" else None

    @property
    def shares(self) -> tuple[float, ...]:
        """A weight for each style."""
        return self.blend or (1.0,) * len(self.styles)


class Brief(_Checked):
    """What to paint and how; `impasto.paint` opens it on a photo.

    Args:
        version: of this form.
        regions: one for all of the photo, or several; where they overlap they share, where none is the photo stays.
        keep: where the photo stays, whatever the regions say: given as a region's mask is.
        engine: optimize, instant, a model file (.impasto, .onnx) or a name on the shelf; if None, what the styles
            ask for.
        settings: `Recipe` for optimize, `Look` for all others.
        weights: a file of weights for the encoder, for optimize.
        output: how the file is written; for the record.

    Raises:
        SettingsError: something is missing, unknown, out of range, or does not go together.
    """

    version: Literal[1] = 1
    regions: tuple[Region, ...]
    keep: str | None = None
    engine: str
    settings: Recipe | Look = Field(union_mode="left_to_right")
    weights: str | None = None
    output: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _with_engine(cls, given: Any) -> Any:
        """The engine that the styles ask for, and settings of its kind."""
        if not isinstance(given, dict):
            return given
        regions, engine = given.get("regions") or [], given.get("engine")
        if not isinstance(regions, list | tuple) or not isinstance(engine, str | None):
            raise ValueError("a brief should have a list of regions and the name of an engine")
        if not regions:
            raise ValueError("a brief has no region; give it one at least")
        styles = [style for region in regions for style in _styles_of(region)]
        engine, settings = chosen_engine(engine, styles), given.get("settings") or {}
        if isinstance(settings, BaseModel):
            settings = settings.model_dump(exclude_unset=True)
        if not isinstance(settings, Mapping):
            raise ValueError("the settings of a brief should be a JSON object")
        return {**given, "engine": engine, "settings": _settings(engine, settings)}

    @field_validator("regions")
    @classmethod
    def _not_too_many(cls, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        if len(regions) > MOST_REGIONS:
            raise ValueError(f"{len(regions)} regions are more than {MOST_REGIONS}; join some of them")
        if sum(region.mask is None for region in regions) > 1:
            raise ValueError("two regions are the rest; give all but one of them a mask")
        return regions

    @model_validator(mode="after")
    def _suits_the_engine(self) -> Brief:
        if self.engine == "optimize":
            if self.settings.adapt:
                raise ValueError("adapt is for painting in one pass; give --engine instant, or leave it out")
            return self
        if self.weights:
            raise ValueError("weights steer painting by optimisation; leave them out in one pass")
        exported = self.engine.endswith(".onnx") or self.settings.runtime != "torch"
        if exported and self.parted:
            raise ValueError("an exported network paints no regions; paint with the .impasto file, or without masks")
        if exported and self.settings.adapt:
            raise ValueError(
                "only the runtime torch adapts to a style, and no exported network; leave out adapt, or make it 0 for "
                "a style that was saved with it"
            )
        return self

    @staticmethod
    def from_json(text: str | bytes, where: str = "The brief") -> Brief:
        """The brief written as JSON.

        Raises:
            SettingsError: it is no JSON, of a newer version, or cannot be used.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{where} cannot be read as JSON ({error}).") from error
        if not isinstance(given, dict):
            raise SettingsError(f"{where} is no JSON object; give one with regions and settings.")
        version = given.get("version", 1)
        if isinstance(version, int) and version > 1:
            raise SettingsError(f"{where} was written by a newer version of impasto; this one reads version 1.")
        unknown = [name for name in given if name not in Brief.model_fields]
        if unknown:
            raise UnknownName("part of a brief", unknown[0], Brief.model_fields)
        return Brief(**given)

    def to_json(self) -> str:
        """What `from_json` reads."""
        return self.model_dump_json(exclude_defaults=True)

    def sized(self, size: int) -> Brief:
        """The same brief for a result of another size."""
        return self.model_copy(update={"settings": self.settings.model_copy(update={"size": size})})

    @property
    def recipe(self) -> Recipe:
        """The settings of an optimisation."""
        assert isinstance(self.settings, Recipe)
        return self.settings

    @property
    def parted(self) -> bool:
        """Whether not all of the photo is painted in one way."""
        first, *others = self.regions
        return bool(others or first.mask or first.grade or self.keep)

    @property
    def parts(self) -> int:
        """How many masks its engine will hold at most; 0 where all of the photo is painted in one way."""
        return sum(1 + (region.grade is not None) for region in self.regions) if self.parted else 0

    def look_of(self, region: Region) -> Region:
        """The region with nothing left to the settings."""
        given = {name: getattr(region, name) for name in ("strength", "color", "style_scale")}
        return region.model_copy(
            update={name: getattr(self.settings, name) if value is None else value for name, value in given.items()}
        )

    def painter_style(self, style: str) -> str | None:
        """The name of a style that the engine's own network has learned, None if it is a picture; "" is its first."""
        model, name = named_model(style)
        return (name or "") if model else None

    def pictures(self) -> list[str]:
        """The name of every picture but the photo, once."""
        names = [_picture(name) for name in self._references()]
        return list(dict.fromkeys(name for name in names if name))

    def files(self) -> list[str]:
        """Everything that it names and that may be a file."""
        return [*self.pictures(), self.engine, *([self.weights] if self.weights else [])]

    def renamed(self, names: Mapping[str, str]) -> Brief:
        """The same brief with pictures, models and weights called otherwise."""

        def new(reference: str | None) -> str | None:
            if not reference:
                return reference
            if reference in names:
                return names[reference]
            part, (model, style) = of_map(reference), named_model(reference)
            if part and part[0] in names:
                return f"{names[part[0]]}#{part[1]}"
            if model and model in names:
                return f"{names[model]}:{style}" if style else names[model]
            return reference

        regions = [
            region.model_copy(
                update={
                    "mask": new(region.mask),
                    "styles": tuple(new(style) or "" for style in region.styles),
                    "style_masks": tuple(new(mask) or "" for mask in region.style_masks),
                    "strength": new(region.grade) or region.strength,
                }
            )
            for region in self.regions
        ]
        changes = {"keep": new(self.keep), "engine": new(self.engine), "weights": new(self.weights)}
        return self.model_copy(update={"regions": tuple(regions), **changes})

    def _references(self) -> list[str | None]:
        found: list[str | None] = [self.keep]
        for region in self.regions:
            styles = [style for style in region.styles if self.painter_style(style) is None]
            found += [region.mask, *styles, *region.style_masks, region.grade]
        return found


def of_painting(
    styles: Sequence[str], engine: str | None = None, settings: Mapping[str, Any] | Look | None = None, **more: Any
) -> Brief:
    """The brief of a photo that is painted in one way all over; `more` are other parts of region or brief.

    Raises:
        SettingsError: as `Brief`.
    """
    own = {name: more.pop(name) for name in list(more) if name in Region.model_fields}
    if not styles:
        raise SettingsError("Expected at least one painting after the photo; give one to take the manner from.")
    return Brief(regions=[{"styles": tuple(styles), **own}], engine=engine, settings=settings or {}, **more)


def _settings(engine: str, settings: Mapping[str, Any]) -> Recipe | Look:
    kind: type[Look] = Recipe if engine == "optimize" else Look
    for name in settings:
        if name in kind.model_fields:
            continue
        if name in Recipe.model_fields:
            raise SettingsError(
                f"--{name.replace('_', '-')} steers painting by optimisation; leave it out, or add --engine optimize."
            )
        raise UnknownName("setting", name, kind.model_fields)
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        raise SettingsError(describe(error)) from error


def _styles_of(region: Any) -> Sequence[str]:
    styles = region.get("styles", ()) if isinstance(region, Mapping) else getattr(region, "styles", ())
    return [style for style in styles if isinstance(style, str)] if isinstance(styles, list | tuple) else []


def _picture(reference: str | None) -> str | None:
    """The picture that a reference names, if it does."""
    if not reference or reference in SELECTORS:
        return None
    part = of_map(reference)
    return part[0] if part else reference


def of_map(reference: str) -> tuple[str, str] | None:
    """(map, colour) of `map.png#ff0000`."""
    match = _MAP.fullmatch(reference)
    return (match[1], match[2].lower()) if match else None
