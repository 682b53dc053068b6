"""From what a user writes to a brief: styles, regions, masks, colour maps, saved styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impasto.brief import Brief, Region
from impasto.controls.color import COLORS
from impasto.errors import SettingsError, UnknownName
from impasto.presets import read_settings
from impasto.recipes.pictures import Pictures
from impasto.recipes.styles import SavedStyle
from impasto.shelf.engines import STYLE_SUFFIX, chosen_engine

REST = "rest"
_OPTIONS = ("blend", "strength", "color", "style_scale", "part")


@dataclass(frozen=True)
class Asked:
    """What a user asked for.

    Args:
        styles: paintings, saved styles or styles of a painter, for all of the photo or for what no region covers.
        engine: an engine, or None for what the styles ask for, or `usual`.
        preset: a preset or file of settings for optimize.
        changes: settings that were given.
        regions: `MASK=STYLE`, with `+STYLE` for more and `,option=value`.
        mask: where the photo is painted.
        keep: where it is not.
        maps: a map of the photo's regions by colour, and one of the painting's.
    """

    styles: Sequence[str] = ()
    engine: str | None = None
    preset: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    blend: Sequence[float] = ()
    weights: Path | None = None
    regions: Sequence[str] = ()
    mask: str | None = None
    keep: str | None = None
    maps: tuple[str | None, str | None] = (None, None)
    output: Mapping[str, Any] = field(default_factory=dict)
    usual: str = "optimize"

    def brief_of(self, styles: Sequence[str]) -> Brief:
        """The brief that says the same of other styles; it raises what `brief` does."""
        return replace(self, styles=styles).brief()

    def brief(self, pictures: Pictures | None = None) -> Brief:
        """The brief that says it.

        Raises:
            InputError: something that does not go together, or cannot be read.
        """
        saved = self._saved(pictures or Pictures())
        if saved is not None:
            return self._changed(saved)
        regions = self._regions(pictures or Pictures())
        styles = [style for region in regions for style in region["styles"]]
        engine = chosen_engine(self.engine, styles, self.usual)
        changes = {name: value for name, value in self.changes.items() if name != "strength"}
        strength = self.changes.get("strength")
        if isinstance(strength, str) and strength != "auto":
            regions = [{"strength": strength, **region} for region in regions]
        elif strength is not None:
            changes["strength"] = strength
        if self.preset and engine != "optimize":
            raise SettingsError("--preset steers painting by optimisation; leave it out in one pass.")
        return Brief(
            regions=regions,
            keep=self.keep,
            engine=engine,
            settings=read_settings(self.preset or "balanced", **changes) if engine == "optimize" else changes,
            weights=self.weights and str(self.weights),
            output=dict(self.output),
        )

    def _regions(self, pictures: Pictures) -> list[dict[str, Any]]:
        """The regions, which are not checked yet."""
        photo_map, style_map = self.maps
        if photo_map or style_map:
            return self._regions_of_maps(pictures)
        regions = [parse_region(text) for text in self.regions]
        if self.mask and regions:
            raise SettingsError("--mask is for one way of painting, --region for several; give one of them.")
        if self.styles:
            if any(region["mask"] is None for region in regions):
                raise SettingsError(
                    f"{self.styles[0]} would be for what no region covers, and so is --region {REST}; leave one out."
                )
            regions.append({"mask": self.mask, "styles": tuple(self.styles), "blend": tuple(self.blend)})
        elif self.blend:
            raise SettingsError("--blend weighs the styles after the photo; in a region, write ,blend=2:1 behind them.")
        if not regions:
            raise SettingsError("Expected at least one painting after the photo; give one to take the manner from.")
        return regions

    def _regions_of_maps(self, pictures: Pictures) -> list[dict[str, Any]]:
        """Like to like, by the colours of two maps; colours that the painting's map lacks keep the photo."""
        from impasto.controls.maps import alike
        from impasto.recipes.regions import colors_in

        photo_map, style_map = self.maps
        if not (photo_map and style_map):
            raise SettingsError("--regions and --style-regions go together: a map of the photo, a map of the painting.")
        if self.regions or self.mask or self.blend or len(self.styles) != 1:
            raise SettingsError("Maps of regions are for one painting, without --region and --mask; give just one.")
        own, theirs = colors_in(photo_map, pictures), colors_in(style_map, pictures)
        pairs = [(color, alike(color, theirs)) for color in own]
        regions = [
            {"mask": f"{photo_map}#{color}", "styles": tuple(self.styles), "style_masks": (f"{style_map}#{other}",)}
            for color, other in pairs
            if other
        ]
        if not regions:
            raise SettingsError(
                f"{photo_map} and {style_map} share no colour: #{', #'.join(own)} against #{', #'.join(theirs)}; "
                "give both maps the same colours."
            )
        return regions

    def _saved(self, pictures: Pictures) -> SavedStyle | None:
        """The saved style, if its brief is what is to be painted by."""
        if (
            len(self.styles) != 1
            or not self.styles[0].endswith(STYLE_SUFFIX)
            or self.regions
            or self.maps != (None, None)
        ):
            return None
        saved = SavedStyle.read(self.styles[0], pictures)
        return saved if saved.brief else None

    def _changed(self, saved: SavedStyle) -> Brief:
        """A saved brief with what was given besides; that counts for all of its regions."""
        brief = saved.opened()
        if self.engine not in (None, brief.engine) or self.preset or self.blend:
            raise SettingsError(f"{self.styles[0]} says how to paint; leave out --engine, --preset and --blend.")
        if "style_scale" in self.changes and not saved.paintings:
            raise SettingsError(f"{self.styles[0]} has the size of its strokes fixed; leave out --style-scale.")
        own = {name: value for name, value in self.changes.items() if name in Region.model_fields}
        regions = [
            Region(**{**region.model_dump(), **own, **({"mask": self.mask} if self.mask else {})})
            for region in brief.regions
        ]
        if self.mask and len(regions) > 1:
            raise SettingsError(f"{self.styles[0]} has regions of its own; leave out --mask.")
        settings = {**brief.settings.model_dump(exclude_unset=True)}
        settings |= {name: value for name, value in self.changes.items() if name not in own}
        return Brief(
            regions=regions, keep=self.keep or brief.keep, engine=brief.engine, settings=settings,
            weights=self.weights and str(self.weights),
            output=dict(self.output),
        )  # fmt: skip


def parse_region(text: str) -> dict[str, Any]:
    """A region from `sky.png=starry.jpg+other.jpg,blend=2:1,strength=0.5`.

    Raises:
        SettingsError: it is not written like that.
    """
    places, *options = text.split(",")
    mask, _, styles = places.rpartition("=")
    if not mask or not styles:
        raise SettingsError(f"Expected MASK=STYLE for a region, as in sky.png=starry.jpg; got {text!r}.")
    given = dict(option.partition("=")[::2] for option in options)
    for name in given:
        if name.replace("-", "_") not in _OPTIONS:
            raise UnknownName("option of a region", name, _OPTIONS)
    region: dict[str, Any] = {"mask": None if mask == REST else mask, "styles": tuple(styles.split("+"))}
    for name, value in given.items():
        name = name.replace("-", "_")
        if name == "blend":
            region["blend"] = parse_blend(value)
        elif name == "part":
            region["style_masks"] = tuple(value.split("+"))
        elif name == "color":
            if value not in COLORS:
                raise UnknownName("color", value, COLORS)
            region["color"] = value
        else:
            region[name] = _number(name, value)
    return region


def parse_blend(text: str | None) -> tuple[float, ...]:
    """The weights in `2:1`.

    Raises:
        SettingsError: a part is no number.
    """
    if text is None:
        return ()
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError as error:
        raise SettingsError(f"Expected weights like 2:1 for --blend, one for each style; got {text!r}.") from error


def _number(name: str, value: str) -> float | str:
    try:
        return float(value)
    except ValueError as error:
        if name == "strength":
            return value
        raise SettingsError(f"Expected a number for {name} of a region; got {value!r}.") from error
