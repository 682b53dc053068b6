"""The short way: a photo and paintings in, a picture out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impasto.brief import of_painting
from impasto.media.image import Picture
from impasto.recipes.painting import open_brief, painted
from impasto.settings import preset as preset_named
from impasto.shelf.engines import chosen_engine


def stylize(
    content: str | Path | Picture,
    *styles: str | Path,
    engine: str | None = None,
    preset: str = "balanced",
    blend: Sequence[float] = (),
    weights: Path | None = None,
    **settings: object,
) -> Picture:
    """Paint the photo `content` in the manner of `styles`: paintings, saved styles, or a painter like "looks:swirls".

    `engine` is "optimize" (the default), "instant", or the file of a model; `preset` and `weights` are for the first.
    `settings` change the preset: `size=1024`, `strength=0.7`, and all others of `impasto.Recipe`; in one pass, those of
    `impasto.Look`. Parts of a picture are for `impasto.paint` and a `Brief`.

    Raises:
        InputError: a picture, setting or weights file that cannot be used.
        TooLargeError: it would not fit into memory.
        DivergedError: the loss became NaN.
    """
    names = [str(style) for style in styles]
    engine = chosen_engine(engine, names)
    chosen = preset_named(preset, **settings) if engine == "optimize" else settings
    brief = of_painting(names, engine, chosen, blend=tuple(blend), weights=weights and str(weights))
    return painted(open_brief(brief).on(content))
