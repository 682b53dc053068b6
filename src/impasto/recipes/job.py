"""From files to a painter with its record; from a painter to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from impasto.device import choose_device, free_memory, in_bfloat16, telling_when_memory_ends
from impasto.encoders import load_encoder, weights_path
from impasto.encoders.encoder import Encoder
from impasto.engine.memory import bytes_per_pixel
from impasto.engine.optimize import Step
from impasto.errors import SettingsError, TooLargeError
from impasto.media.geometry import fit
from impasto.media.image import MAX_PIXELS, Picture, dimensions, read
from impasto.provenance import Record, Source, versions
from impasto.recipes.engines import choose, look_of, manner_of
from impasto.recipes.estimate import Estimate
from impasto.recipes.optimize import Painter
from impasto.settings import Recipe, preset, style_size
from impasto.shelf.models import find
from impasto.weights.files import sha256

_MEMORY_SHARE = 0.8
_BASE_BYTES = 350e6


@dataclass(frozen=True)
class Job:
    """A painter, and the record of what it was made from."""

    painter: Painter
    record: Record

    def writing(self, output: dict[str, object]) -> Job:
        """The same job, whose record says how the file is written."""
        return replace(self, record=self.record.model_copy(update={"output": output}))

    def record_after(self, step: Step | None) -> Record:
        """The record of the picture as it is after `step`."""
        return self.record.model_copy(update={"done": 1.0 if step is None else step.done})

    def estimate(self) -> Estimate:
        """About what time and memory it takes."""
        size, recipe = self.painter.size(), self.painter.recipe
        per_pixel = bytes_per_pixel(self.painter.encoder.architecture, recipe.layers())
        return Estimate(size, self.painter.seconds(), _BASE_BYTES + size[0] * size[1] * per_pixel)

    def finish(self, step: Step | None) -> Picture:
        """The picture after `step` with its record inside."""
        return replace(self.painter.finish(step), metadata=self.record_after(step).to_xmp())


def prepare(
    content: str | Path,
    styles: Sequence[str | Path],
    recipe: Recipe,
    *,
    blend: Sequence[float] | None = None,
    weights: Path | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Job:
    """Read everything that a painting needs; `recipe.size` of the result is a number.

    `blend` weighs the styles, equally if None; `weights` is a file for the encoder, the usual ones if None.

    Raises:
        InputError: a picture, setting or weights file that cannot be used.
        TooLargeError: it would not fit into memory.
    """
    shares = tuple(blend) if blend is not None else (1.0,) * len(styles)
    if not styles or len(shares) != len(styles) or min(shares) < 0 or max(shares) <= 0:
        raise SettingsError(
            f"Expected a blend of {len(styles)} weights of 0 or more, one for each style, with one above 0; "
            f"got {':'.join(f'{share:g}' for share in shares) or 'none'}."
        )
    shape = dimensions(content, max_pixels=max_pixels)
    encoder = load_encoder(recipe.encoder, weights, pooling=recipe.pooling)
    encoder.check(sorted(recipe.layers()))
    recipe = recipe.model_copy(update={"size": _size_that_fits(recipe, shape, encoder)})
    assert isinstance(recipe.size, int)

    device, enlarged = choose_device(recipe.device), style_size(recipe.size, recipe.style_scale)
    with telling_when_memory_ends(fit(*shape, recipe.size)):
        photo = read(content, recipe.size, max_pixels=max_pixels)
        paintings = [read(style, enlarged, max_pixels=max_pixels) for style in styles]
    record = Record(
        method="optimize",
        content=_source(content),
        styles=tuple(_source(style) for style in styles),
        blend=shares,
        recipe=recipe.model_dump(mode="json"),
        encoder=_source(weights_path(recipe.encoder, weights)),
        model=_source(find("instant")) if recipe.start == "instant" else None,
        versions=versions(device, bfloat16=in_bfloat16(device, recipe.precision)),
    )
    return Job(Painter(photo, paintings, shares, recipe, encoder), record)


def stylize(
    content: str | Path,
    *styles: str | Path,
    engine: str | None = None,
    preset: str = "balanced",
    blend: Sequence[float] | None = None,
    weights: Path | None = None,
    **settings: object,
) -> Picture:
    """Paint the photo `content` in the manner of `styles`: paintings, saved styles, or a painter like "looks:swirls".

    `engine` is "optimize" (the default), "instant", or the file of a model; `preset` and `weights` are for the first.
    `settings` change the preset: `size=1024`, `strength=0.7`, and all others of `impasto.Recipe`; in one pass, those of
    `impasto.settings.Look`.

    Raises:
        InputError: a picture, setting or weights file that cannot be used.
        TooLargeError: it would not fit into memory.
        DivergedError: the loss became NaN.
    """
    choice = choose(engine, [str(style) for style in styles])
    if choice.model:
        return manner_of(choice, look_of(settings), blend).paint(content)
    job = prepare(content, choice.paintings, _preset(preset, **settings), blend=blend, weights=weights)
    step = None
    for step in job.painter.paint():
        pass
    return job.finish(step)


_preset = preset


def _source(path: str | Path) -> Source:
    return Source(name=Path(path).name, sha256=sha256(Path(path)))


def _size_that_fits(recipe: Recipe, shape: tuple[int, int], encoder: Encoder) -> int:
    """The size asked for if it fits into memory; the largest that does, up to the photo's own, for `max`."""
    per_pixel = bytes_per_pixel(encoder.architecture, recipe.layers())
    free = free_memory(choose_device(recipe.device))
    square = max(shape) ** 2 / (shape[0] * shape[1])
    fitting = int((_MEMORY_SHARE * free / per_pixel * square) ** 0.5) // 64 * 64
    if recipe.size == "max":
        return max(64, min(fitting, max(shape)))
    height, width = fit(*shape, recipe.size)
    if recipe.size > fitting:
        raise TooLargeError(
            f"Painting {width}x{height} pixels takes about {height * width * per_pixel / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; give --size {max(64, fitting)} or less, or --size max."
        )
    return recipe.size
