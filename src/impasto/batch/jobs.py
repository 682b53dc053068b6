"""From pairs and settings to a batch; from the name of a style to what paints photos in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from impasto.batch.plan import Pair
from impasto.batch.work import Batch, Paint
from impasto.errors import SettingsError
from impasto.media.image import MAX_PIXELS, Picture
from impasto.recipes.engines import Choice, choose, look_of, model_hash, open_model
from impasto.recipes.job import prepare
from impasto.recipes.quick import Model, prepare_manner
from impasto.settings import Look, read_settings


def prepare_batch(
    folder: Path,
    pairs: Sequence[Pair],
    *,
    engine: str | None,
    preset: str | None,
    changes: Mapping[str, Any],
    kind: str,
    quality: int | None = None,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Batch:
    """The batch that paints `pairs` into `folder`, entered into its ledger; `kind` is the format of the files.

    Raises:
        InputError: a model, picture or setting that cannot be used.
        OutputError: a result would replace a file that no batch has made.
    """
    how: dict[str, object] = {"format": kind, "quality": quality, "depth": None}
    opener = partial(open_style, engine=engine, preset=preset, changes=changes, output=how, max_pixels=max_pixels)
    opener(pairs[0].styles[0])
    settings = partial(_settings, engine=engine, preset=preset, changes=changes, output=how)
    return Batch(folder, opener, settings, quality, force).entered(pairs)


def _settings(
    style: str, *, engine: str | None, preset: str | None, changes: Mapping[str, Any], output: dict[str, object]
) -> dict[str, object]:
    """What a picture in `style` depends on besides photo and style: settings as they are, the network, the format."""
    model = model_hash(engine, style, "instant")
    how = look_of(changes) if model else read_settings(preset or "balanced", **changes)
    return {"settings": how.model_dump(mode="json"), "output": output, "model": model}


def open_style(
    style: str,
    *,
    engine: str | None,
    preset: str | None,
    changes: Mapping[str, Any],
    output: dict[str, object],
    max_pixels: int,
) -> Paint:
    """What paints a photo in `style`, by one pass unless `engine` is `optimize`; networks are loaded once.

    Raises:
        InputError: a model, picture or setting that cannot be used.
    """
    choice = choose(engine, [style], usual="instant")
    if choice.model is None:
        return _slow(choice, preset or "balanced", changes, output, max_pixels)
    if preset:
        raise SettingsError("--preset steers painting by optimisation; leave it out in one pass.")
    look = look_of(changes)
    manner = prepare_manner(
        _model(choice.model, look), look, choice.paintings, names=choice.names, max_pixels=max_pixels
    )
    return lambda photo: manner.paint(photo, max_pixels=max_pixels, output=output)


@lru_cache(maxsize=4)
def _model(name: str, look: Look) -> Model:
    return open_model(name, look)


def _slow(choice: Choice, preset: str, changes: Mapping[str, Any], output: dict[str, object], max_pixels: int) -> Paint:
    recipe = read_settings(preset, **changes)

    def paint(photo: str) -> Picture:
        job = prepare(Path(photo), choice.paintings, recipe, max_pixels=max_pixels).writing(output)
        step = None
        for step in job.painter.paint():
            pass
        return job.finish(step)

    return paint
