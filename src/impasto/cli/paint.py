"""`impasto paint`: a photo in the manner of one or several paintings."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import LOOK, RecipeOptions, explicit, parse_blend
from impasto.cli.progress import progress_line
from impasto.errors import SettingsError
from impasto.recipes.recipe import Recipe, preset

if TYPE_CHECKING:
    from impasto.engine.optimize import Step
    from impasto.recipes.job import Job

_FILES = Group("Files", sort_key=1)
_WORK = Group("Work", sort_key=3)
_PREVIEW_SECONDS = 2.0
_CHECKPOINT_SECONDS = 30.0


def paint(
    photo: Annotated[Path, Parameter(group=_FILES)],
    /,
    *styles: Annotated[Path, Parameter(group=_FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=_FILES)],
    force: Annotated[bool, Parameter(group=_FILES, negative="")] = False,
    quality: Annotated[int | None, Parameter(group=_FILES)] = None,
    depth: Annotated[int | None, Parameter(group=_FILES)] = None,
    json: Annotated[Path | None, Parameter(group=_FILES)] = None,
    max_pixels: Annotated[int, Parameter(group=_FILES)] = 250_000_000,
    weights: Annotated[Path | None, Parameter(group=_FILES)] = None,
    preset: Annotated[str, Parameter(group=LOOK)] = "balanced",
    blend: Annotated[str | None, Parameter(group=LOOK)] = None,
    preview: Annotated[Path | None, Parameter(group=_WORK)] = None,
    resume: Annotated[bool, Parameter(group=_WORK, negative="")] = False,
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Paint a photo in the manner of one or several paintings.

    The picture's suffix chooses its format. It carries the recipe of its making inside, which `impasto reproduce`
    follows. Ctrl-C keeps the picture as it is and what is needed to go on with `--resume`.

    Examples:

    - `impasto paint photo.jpg starry.jpg -o out.png`
    - `impasto paint photo.jpg starry.jpg -o quick.jpg --preset draft`
    - `impasto paint photo.jpg a.jpg b.jpg --blend 2:1 --preset best --size 1600 --strength 0.7 -o out.tif`
    - `impasto paint photo.jpg starry.jpg --color content --style-scale 2 -o out.webp`

    Args:
        photo: The photo to paint.
        styles: The paintings whose manner it takes.
        output: The picture to write: .png .jpg .webp .tif .avif .heic .bmp .gif.
        force: Replace a file that exists.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
        depth: Bits per channel, 8 or 16 (PNG and TIFF); as the photo has it by default.
        json: Also write the record of the picture's making to this file.
        max_pixels: Largest picture to read; a guard against decompression bombs.
        weights: A file of weights for the encoder: .safetensors, or .pth without code.
        preset: draft, balanced, best, gatys (the 2016 paper; needs VGG-19), or a JSON file of settings.
        blend: Weights of several styles, like 2:1; equal by default.
        preview: A picture file to refresh while painting.
        resume: Go on with a painting that was interrupted.
    """
    from impasto.media.files import check_writable
    from impasto.media.writing import check_target

    if not styles:
        raise SettingsError("Expected at least one painting after the photo; give one to take the manner from.")
    kind = check_target(output, quality=quality, depth=depth, force=force or resume)
    if preview is not None:
        check_target(preview, force=True)
    if json is not None:
        check_writable(json, force=force or resume)
    settings = _recipe(preset, explicit(recipe))

    from impasto.recipes.job import prepare

    job = prepare(photo, styles, settings, blend=parse_blend(blend), weights=weights, max_pixels=max_pixels)
    job = job.writing({"format": kind, "quality": quality, "depth": depth})
    _Session(job, output, preview, json).run(resume=resume)


def _recipe(name: str, changes: dict[str, Any]) -> Recipe:
    """The preset of that name, or in that JSON file, with `changes`."""
    if not name.endswith(".json"):
        return preset(name, **changes)
    from impasto.recipes.recipe import read_recipe

    return read_recipe(Path(name), **changes)


@dataclass
class _Session:
    """One painting from the first step to the file."""

    job: Job
    output: Path
    preview: Path | None
    json: Path | None

    def run(self, *, resume: bool) -> None:
        """Paint, showing how it goes; write the picture, also when interrupted."""
        from impasto.recipes.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint

        unfinished = checkpoint_path(self.output)
        state = load_checkpoint(unfinished, self.job.record) if resume else None
        step, saved, began = None, time.monotonic(), time.monotonic()
        with stop_between_steps() as interrupt, progress_line() as progress:
            task = progress.add_task(self.output.name, total=1.0, note="")
            for step in self.job.painter.paint(state):
                progress.update(task, completed=step.done, note=_note(step))
                self._show(step)
                if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                    save_checkpoint(unfinished, step.state(), self.job.record)
                    saved = time.monotonic()
                if interrupt.requested:
                    save_checkpoint(unfinished, step.state(), self.job.record)
                    break
        self._write(step)
        if step is not None and interrupt.requested:
            print(
                f"Stopped at {step.done:.0%}; {self.output} holds the picture so far. "
                "The same command with --resume goes on.",
                file=sys.stderr,
            )
            sys.exit(130)
        unfinished.unlink(missing_ok=True)
        height, width = self.job.painter.finish(step).size
        print(f"{self.output}  {width}x{height}  {time.monotonic() - began:.1f} s")

    def _show(self, step: Step) -> None:
        if self.preview is None:
            return
        age = time.time() - self.preview.stat().st_mtime if self.preview.exists() else _PREVIEW_SECONDS
        if age >= _PREVIEW_SECONDS or step.done == 1:
            from impasto.media.writing import write

            write(self.job.painter.finish(step), self.preview, force=True)

    def _write(self, step: Step | None) -> None:
        from impasto.media.files import replacing
        from impasto.media.writing import WITHOUT_METADATA, write

        picture = self.job.finish(step)
        settings = self.job.record.output
        write(picture, self.output, quality=settings["quality"], depth=settings["depth"], force=True)
        beside = self.output.with_name(self.output.name + ".json")
        for path in {self.json, beside if settings["format"] in WITHOUT_METADATA else None} - {None}:
            assert path is not None
            with replacing(path) as temporary:
                temporary.write_text(self.job.record_after(step).model_dump_json(indent=2) + "\n")


def _note(step: Step) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in step.losses.items())
    return f"size {step.scale}/{step.scales}  step {step.step}/{step.steps}  {losses}"
