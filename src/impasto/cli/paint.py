"""`impasto paint`: a photo in the manner of one or several paintings."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from pydantic import BaseModel

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import LOOK, RecipeOptions, explicit, parse_blend
from impasto.cli.progress import progress_line
from impasto.errors import SettingsError
from impasto.recipes.engines import choose, look_of, manner_of
from impasto.recipes.recipe import read_settings

if TYPE_CHECKING:
    from impasto.engine.optimize import Step
    from impasto.media.image import Picture
    from impasto.recipes.job import Job
    from impasto.search.strength import Paint

_FILES = Group("Files", sort_key=1)
_WORK = Group("Work", sort_key=3)
_PREVIEW_SECONDS = 2.0
_CHECKPOINT_SECONDS = 30.0


def paint(
    photo: Annotated[Path, Parameter(group=_FILES)],
    /,
    *styles: Annotated[str, Parameter(group=_FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=_FILES)],
    force: Annotated[bool, Parameter(group=_FILES, negative="")] = False,
    quality: Annotated[int | None, Parameter(group=_FILES)] = None,
    depth: Annotated[int | None, Parameter(group=_FILES)] = None,
    json: Annotated[Path | None, Parameter(group=_FILES)] = None,
    max_pixels: Annotated[int, Parameter(group=_FILES)] = 250_000_000,
    weights: Annotated[Path | None, Parameter(group=_FILES)] = None,
    engine: Annotated[str | None, Parameter(group=LOOK)] = None,
    preset: Annotated[str | None, Parameter(group=LOOK)] = None,
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
    - `impasto paint photo.jpg starry.jpg -o quick.jpg --engine instant`
    - `impasto paint photo.jpg looks:swirls -o swirls.jpg`
    - `impasto paint photo.jpg a.jpg b.jpg --blend 2:1 --preset best --size 1600 --strength 0.7 -o out.tif`
    - `impasto paint photo.jpg starry.jpg --color content --style-scale 2 -o out.webp`

    Args:
        photo: The photo to paint.
        styles: The paintings whose manner it takes; or a trained painter: a file, or a name like looks:swirls.
        output: The picture to write: .png .jpg .webp .tif .avif .heic .bmp .gif.
        force: Replace a file that exists.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
        depth: Bits per channel, 8 or 16 (PNG and TIFF); as the photo has it by default.
        json: Also write the record of the picture's making to this file.
        max_pixels: Largest picture to read; a guard against decompression bombs.
        weights: A file of weights for the encoder: .safetensors, or .pth without code.
        engine: optimize (the default), instant (any painting in one pass), or a model file (.impasto, .onnx).
        preset: balanced (the default), draft, best, gatys (the 2016 paper; needs VGG-19), or a JSON file of settings.
        blend: Weights of several styles, like 2:1; equal by default.
        preview: A picture file to refresh while painting.
        resume: Go on with a painting that was interrupted.
    """
    from impasto.media.files import check_writable
    from impasto.media.writing import check_target

    choice = choose(engine, styles)
    kind = check_target(output, quality=quality, depth=depth, force=force or resume)
    if preview is not None:
        check_target(preview, force=True)
    if json is not None:
        check_writable(json, force=force or resume)
    how: dict[str, object] = {"format": kind, "quality": quality, "depth": depth}
    if choice.model:
        given = {"--preset": preset, "--weights": weights, "--preview": preview, "--resume": resume or None}
        _refuse([name for name, value in given.items() if value is not None])
        began = time.monotonic()
        changes, automatic = _strength(recipe)
        manner = manner_of(choice, look_of(changes), parse_blend(blend), max_pixels)
        if automatic:
            from impasto.search.strength import in_one_pass

            strength = _chosen(photo, in_one_pass(photo, manner), max_pixels)
            manner = replace(manner, look=manner.look.model_copy(update={"strength": strength}))
        _write(manner.paint(photo, max_pixels=max_pixels, output=how), output, json, how)
        print(f"{output}  {time.monotonic() - began:.1f} s")
        return

    from impasto.recipes.job import prepare

    changes, automatic = _strength(recipe)
    settings = read_settings(preset or "balanced", **changes)
    if automatic:
        from impasto.search.strength import by_optimisation

        drafted = by_optimisation(photo, choice.paintings, parse_blend(blend), settings)
        settings = settings.model_copy(update={"strength": _chosen(photo, drafted, max_pixels)})
    job = prepare(photo, choice.paintings, settings, blend=parse_blend(blend), weights=weights, max_pixels=max_pixels)
    _Session(job.writing(how), output, preview, json).run(resume=resume)


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
    print(f"strength {draft.strength:g}, at a content distance of {draft.content:.2f}")
    return draft.strength


def _refuse(flags: list[str]) -> None:
    if flags:
        raise SettingsError(f"{', '.join(flags)} steers painting by optimisation; leave it out in one pass.")


def _write(picture: Picture, output: Path, json: Path | None, how: dict[str, Any]) -> None:
    """Write a picture, and its record beside it where asked for or where the format cannot carry it."""
    from impasto.media.files import replacing
    from impasto.media.writing import WITHOUT_METADATA, write
    from impasto.provenance import Record

    write(picture, output, quality=how["quality"], depth=how["depth"], force=True)
    beside = output.with_name(output.name + ".json")
    for path in {json, beside if how["format"] in WITHOUT_METADATA else None} - {None}:
        assert path is not None
        with replacing(path) as temporary:
            temporary.write_text(Record.from_xmp(picture.metadata).model_dump_json(indent=2) + "\n")


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
        _write(self.job.finish(step), self.output, self.json, self.job.record.output)
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


def _note(step: Step) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in step.losses.items())
    return f"size {step.scale}/{step.scales}  step {step.step}/{step.steps}  {losses}"
