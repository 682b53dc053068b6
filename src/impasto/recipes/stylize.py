"""The short way: a photo or a film and paintings in, pictures out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from impasto.brief import Brief, of_painting
from impasto.errors import SettingsError
from impasto.media.film import open_film
from impasto.media.image import Picture
from impasto.presets import preset as preset_named
from impasto.recipes.frames import STEADY, FramePainter, PaintedFrame
from impasto.recipes.painting import open_brief, painted
from impasto.shelf.engines import chosen_engine, named_model


def stylize(
    content: str | Path | Picture,
    *styles: str | Path,
    engine: str | None = None,
    preset: str | None = None,
    blend: Sequence[float] = (),
    weights: Path | None = None,
    **settings: object,
) -> Picture:
    """Paint the photo `content` in the manner of `styles`: paintings, saved styles, or a painter like "looks:swirls".

    `engine` is "optimize" (the default), "instant", or the file of a model; `preset` ("balanced" unless you say
    otherwise) and `weights` are for the first.
    `settings` change the preset: `size=1024`, `strength=0.7`, and all others of `impasto.Recipe`; in one pass, those of
    `impasto.Look`. Parts of a picture are for `impasto.paint` and a `Brief`.

    Raises:
        InputError: a picture, setting or weights file that cannot be used.
        TooLargeError: it would not fit into memory.
        DivergedError: the loss became NaN.
    """
    names = [str(style) for style in styles]
    engine = chosen_engine(engine, names)
    return painted(open_brief(_brief(names, engine, preset, blend, weights, settings)).on(content))


def film(
    source: str | Path,
    *styles: str | Path,
    steady: float = STEADY,
    engine: str | None = None,
    preset: str | None = None,
    blend: Sequence[float] = (),
    weights: Path | None = None,
    start: float = 0.0,
    stop: float | None = None,
    **settings: object,
) -> Iterator[PaintedFrame]:
    """Paint a film, frame by frame: `frame.picture` as it is painted, `frame.frame.time` when it is shown.

    `engine` is "instant" (the default), "optimize", or the file of a model; `steady` is from 0 to 1, `start` and `stop`
    are in seconds; all else is as for `stylize`, the size that of the film. `impasto film` writes films.

    Raises:
        InputError: a film, picture or setting that cannot be used, or an extra that is missing.
    """
    names = [str(style) for style in styles]
    engine = chosen_engine(engine, names) if engine or any(named_model(name)[0] for name in names) else "instant"
    brief = _brief(names, engine, preset, blend, weights, {"size": "max", **settings})
    frames = open_film(Path(source)).frames(_exact(start), None if stop is None else _exact(stop))
    return FramePainter(brief, steady=steady).paint(frames)


def _brief(
    styles: Sequence[str],
    engine: str,
    preset: str | None,
    blend: Sequence[float],
    weights: Path | None,
    settings: Mapping[str, object],
) -> Brief:
    if preset and engine != "optimize":
        raise SettingsError("A preset steers painting by optimisation; leave it out in one pass.")
    chosen = preset_named(preset or "balanced", **settings) if engine == "optimize" else settings
    return of_painting(styles, engine, chosen, blend=tuple(blend), weights=weights and str(weights))


def _exact(seconds: float) -> Fraction:
    """What is meant by a number with some decimals."""
    return Fraction(seconds).limit_denominator(1_000_000)
