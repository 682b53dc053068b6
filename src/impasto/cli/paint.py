"""`impasto paint`: a photo in the manner of one or several paintings."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import LOOK, RecipeOptions, explicit, parse_blend
from impasto.cli.progress import progress_line
from impasto.cli.streams import is_stdout
from impasto.errors import SettingsError
from impasto.recipes.engines import choose, look_of, manner_of
from impasto.settings import read_settings

if TYPE_CHECKING:
    from impasto.engine.optimize import Step
    from impasto.recipes.job import Job
    from impasto.recipes.output import Output
    from impasto.recipes.quick import Manner
    from impasto.search.strength import Paint
    from impasto.settings import Recipe

_FILES = Group("Files", sort_key=1)
_WORK = Group("Work", sort_key=3)


def paint(
    photo: Annotated[Path, Parameter(group=_FILES, allow_leading_hyphen=True)],
    /,
    *styles: Annotated[str, Parameter(group=_FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=_FILES, allow_leading_hyphen=True)],
    force: Annotated[bool, Parameter(group=_FILES, negative="")] = False,
    quality: Annotated[int | None, Parameter(group=_FILES)] = None,
    depth: Annotated[Literal[8, 16] | None, Parameter(group=_FILES)] = None,
    dpi: Annotated[float | None, Parameter(group=_FILES)] = None,
    json: Annotated[Path | None, Parameter(group=_FILES)] = None,
    max_pixels: Annotated[int, Parameter(group=_FILES)] = 250_000_000,
    weights: Annotated[Path | None, Parameter(group=_FILES)] = None,
    engine: Annotated[str | None, Parameter(group=LOOK)] = None,
    preset: Annotated[str | None, Parameter(group=LOOK)] = None,
    blend: Annotated[str | None, Parameter(group=LOOK)] = None,
    preview: Annotated[Path | None, Parameter(group=_WORK)] = None,
    resume: Annotated[bool, Parameter(group=_WORK, negative="")] = False,
    estimate: Annotated[bool, Parameter(group=_WORK, negative="")] = False,
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Paint a photo in the manner of one or several paintings.

    The picture's suffix chooses its format. It carries the recipe of its making inside, which `impasto reproduce`
    follows. Ctrl-C keeps the picture as it is and what is needed to go on with `--resume`.

    Examples:

    - `impasto paint photo.jpg starry.jpg -o out.png`
    - `impasto paint photo.jpg starry.jpg -o quick.jpg --engine instant`
    - `impasto paint photo.jpg looks:swirls -o swirls.jpg`
    - `impasto paint photo.jpg a.jpg b.jpg --blend 2:1 --preset best --size 1600 --strength 0.7 -o out.tif`
    - `impasto paint photo.jpg starry.jpg --color content --style-scale 2 -o out.webp`
    - `impasto paint photo.jpg starry.jpg --size 4096 --estimate -o out.png`
    - `cat photo.jpg | impasto paint - starry.jpg -o - > out.png`

    Args:
        photo: The photo to paint; - reads it from standard input.
        styles: The paintings whose manner it takes; or a trained painter: a file, or a name like looks:swirls.
        output: The picture to write: .png .jpg .webp .tif .avif .heic .bmp .gif; - writes a PNG to standard output.
        force: Replace files that exist, but never an input.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
        depth: Bits per channel, 8 or 16 (PNG and TIFF); as the photo has it by default.
        dpi: Pixels per inch in print, for the file to say.
        json: Also write the record of the picture's making to this file.
        max_pixels: Largest picture to read; a guard against decompression bombs.
        weights: A file of weights for the encoder: .safetensors, or .pth without code.
        engine: optimize (the default), instant (any painting in one pass), or a model file (.impasto, .onnx).
        preset: balanced (the default), draft, best, gatys (the 2016 paper; needs VGG-19), or a JSON file of settings.
        blend: Weights of several styles, like 2:1; equal by default.
        preview: A picture file to refresh while painting.
        resume: Go on with a painting that was interrupted.
        estimate: Only say how large the picture will be, and about what time and memory it takes.
    """
    from impasto.cli.streams import files_for_streams
    from impasto.recipes.output import Output

    began, choice = time.monotonic(), choose(engine, styles)
    with files_for_streams(photo, output) as (photo, path):
        target = Output(path, quality, depth, dpi, json)
        inputs = [photo, *styles, weights, engine, preset]
        target.check(inputs, force=force or resume, besides=[preview])
        if preview is not None:
            Output(preview).check(force=force or resume)
        if resume and is_stdout(path):
            raise SettingsError("Nothing is kept of a painting that goes to standard output; leave out --resume.")
        changes, automatic = _strength(recipe)
        job: OnePass | Slow
        if choice.model:
            given = {"--preset": preset, "--weights": weights, "--preview": preview, "--resume": resume or None}
            _refuse([name for name, value in given.items() if value is not None])
            manner = manner_of(choice, look_of(changes), parse_blend(blend), max_pixels)
            job = OnePass(photo, manner, target, max_pixels)
        else:
            settings = read_settings(preset or "balanced", **changes)
            job = Slow(photo, choice.paintings, settings, parse_blend(blend), weights, max_pixels, target, preview)
        if automatic:
            job = job.of_strength(_chosen(photo, job.drafted(), max_pixels))
        if estimate:
            print(job.estimated())
        else:
            job.run(resume=resume, began=began)


def _strength(recipe: BaseModel | None) -> tuple[dict[str, Any], bool]:
    """The settings that the user gave, and whether the strength is to be chosen."""
    changes = explicit(recipe)
    automatic = changes.get("strength") == "auto"
    return {name: value for name, value in changes.items() if name != "strength" or not automatic}, automatic


def _chosen(photo: Path, paint: Paint, max_pixels: int) -> float:
    """The strength that drafts are best in, said aloud."""
    from impasto.search.strength import drafts

    with progress_line() as progress:
        task = progress.add_task("strength", total=None, note="")
        for draft in drafts(paint, photo, max_pixels):
            progress.update(task, note=f"{draft.strength:.2f}: content distance {draft.content:.3f}")
    print(f"strength {draft.strength:g}, at a content distance of {draft.content:.2f}", file=sys.stderr)
    return draft.strength


def _refuse(flags: list[str]) -> None:
    if flags:
        raise SettingsError(f"{', '.join(flags)} steers painting by optimisation; leave it out in one pass.")


@dataclass(frozen=True)
class OnePass:
    """A painting by a network."""

    photo: Path
    manner: Manner
    output: Output
    max_pixels: int

    def drafted(self) -> Paint:
        """Drafts of any strength."""
        from impasto.search.strength import in_one_pass

        return in_one_pass(self.photo, self.manner, self.max_pixels)

    def of_strength(self, strength: float) -> OnePass:
        """The same of another strength."""
        look = self.manner.look.model_copy(update={"strength": strength})
        return replace(self, manner=replace(self.manner, look=look))

    def estimated(self) -> str:
        """What it takes, in words."""
        return str(self.manner.estimate(self.photo, self.max_pixels))

    def run(self, *, resume: bool, began: float) -> None:
        """Paint and write; the command was given at `began`."""
        picture = self.manner.paint(self.photo, max_pixels=self.max_pixels, output=self.output.told())
        self.output.write(picture)
        _say_done(self.output, picture.size, began)


@dataclass(frozen=True)
class Slow:
    """A painting by optimisation, from the first step to the file."""

    photo: Path
    styles: Sequence[Path]
    recipe: Recipe
    blend: list[float] | None
    weights: Path | None
    max_pixels: int
    output: Output
    preview: Path | None

    def drafted(self) -> Paint:
        """Drafts of any strength."""
        from impasto.search.strength import by_optimisation

        return by_optimisation(self.photo, self.styles, self.blend, self.recipe, self.max_pixels)

    def of_strength(self, strength: float) -> Slow:
        """The same of another strength."""
        return replace(self, recipe=self.recipe.model_copy(update={"strength": strength}))

    def estimated(self) -> str:
        """What it takes, in words."""
        return str(self._job(resume=False).estimate())

    def _job(self, *, resume: bool) -> Job:
        from impasto.recipes.checkpoint import checkpoint_path, saved_size
        from impasto.recipes.job import prepare

        recipe = self.recipe
        if resume and recipe.size == "max":
            recipe = recipe.model_copy(update={"size": saved_size(checkpoint_path(self.output.path))})
        job = prepare(
            self.photo, self.styles, recipe, blend=self.blend, weights=self.weights, max_pixels=self.max_pixels
        )
        return job.writing(self.output.told())

    def run(self, *, resume: bool, began: float) -> None:
        """Paint, showing how it goes; write the picture, also when interrupted."""
        from impasto.cli.keeping import Keeper
        from impasto.recipes.checkpoint import checkpoint_path, load_checkpoint

        job, unfinished = self._job(resume=resume), checkpoint_path(self.output.path)
        state = load_checkpoint(unfinished, job.record) if resume else None
        step = None
        with stop_between_steps() as interrupt, progress_line() as progress:
            task = progress.add_task(self.output.path.name, total=1.0, note="")
            keeper = Keeper(job, unfinished, self.preview)
            try:
                for step in job.painter.paint(state):
                    progress.update(task, completed=step.done, note=_note(step))
                    keeper.see(step)
                    if interrupt.requested:
                        break
            except KeyboardInterrupt:
                interrupt.requested = True
            if step is None and interrupt.requested:
                raise KeyboardInterrupt
            interrupt.writing = True
            stopped = step is not None and step.done < 1 and interrupt.requested
            kept = stopped and keeper.keep(step)
            keeper.write(step, self.output)
        if stopped and step is not None:
            where = "standard output" if is_stdout(self.output.path) else self.output.path
            advice = " The same command with --resume goes on." if kept else ""
            print(f"Stopped at {step.done:.0%}; {where} holds the picture so far.{advice}", file=sys.stderr)
            sys.exit(130)
        unfinished.unlink(missing_ok=True)
        _say_done(self.output, job.painter.size(), began)


def _say_done(output: Output, size: tuple[int, int], began: float) -> None:
    where, name = (sys.stderr, "standard output") if is_stdout(output.path) else (sys.stdout, output.path)
    print(f"{name}  {size[1]}x{size[0]}  {time.monotonic() - began:.1f} s", file=where)


def _note(step: Step) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in step.losses.items())
    return f"size {step.scale}/{step.scales}  step {step.step}/{step.steps}  {losses}"
