"""`impasto film`: a moving picture in the manner of a painting."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import FILES, WORK, RecipeOptions, RegionOptions, StyleOptions, explicit
from impasto.cli.progress import Log, progress_line
from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.recipes.film import FilmStep, FilmWork

FILM = Group("Film", sort_key=2)
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
_TOLD_SECONDS = 10.0


@dataclass(frozen=True)
class MovingOptions:
    """How a film is painted and written.

    Args:
        steady: From 0, each frame on its own, to 1, as steady as can be.
        start: Where to begin, as 12.5 or 1:02:03.5.
        stop: Where to end.
        codec: h264, h265, vp9, av1, prores, ffv1, or an encoder of FFmpeg's like h264_nvenc.
        quality: The codec's own number (CRF): smaller is better, and larger files.
        drop: Kinds of streams to leave out: audio, subtitle, data, attachment; repeat it for more.
    """

    steady: Annotated[float, Parameter(group=FILM)] = 0.95
    start: Annotated[str | None, Parameter(name="--from", group=FILM)] = None
    stop: Annotated[str | None, Parameter(name="--to", group=FILM)] = None
    codec: Annotated[str | None, Parameter(group=FILM)] = None
    quality: Annotated[int | None, Parameter(group=FILM)] = None
    drop: Annotated[
        list[Literal["audio", "subtitle", "data", "attachment"]] | None, Parameter(group=FILM, negative="")
    ] = None


@dataclass(frozen=True)
class FilmWorkOptions:
    """What is done.

    Args:
        preview: Paint only the frame at this time, to a picture.
        resume: Go on with a film that was interrupted.
        force: Replace files that exist, but never an input.
    """

    preview: Annotated[str | None, Parameter(group=WORK)] = None
    resume: Annotated[bool, Parameter(group=WORK, negative="")] = False
    force: Annotated[bool, Parameter(group=FILES, negative="")] = False


def film(
    source: Annotated[Path, Parameter(group=FILES)],
    /,
    *styles: Annotated[str, Parameter(group=FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=FILES)],
    how: Annotated[StyleOptions, Parameter(name="*")] = StyleOptions(),
    where: Annotated[RegionOptions, Parameter(name="*")] = RegionOptions(),
    moving: Annotated[MovingOptions, Parameter(name="*")] = MovingOptions(),
    work: Annotated[FilmWorkOptions, Parameter(name="*")] = FilmWorkOptions(),
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Paint a film, an animation or a row of numbered pictures, without flicker; sound and subtitles are kept.

    The picture is painted in one pass at its own size, unless you say otherwise. Ctrl-C leaves a film of what is
    painted, and the same command with `--resume` goes on.

    Examples:

    - `impasto film clip.mp4 starry.jpg -o painted.mp4`
    - `impasto film clip.mp4 looks:swirls --steady 0.9 --from 0:03 --to 0:08 -o part.mp4`
    - `impasto film clip.mp4 starry.jpg --preview 12.5 -o frame.png`
    - `impasto film party.gif starry.jpg -o painted.gif`
    - `impasto film clip.mp4 starry.jpg -o frames/frame_%04d.png`

    Args:
        source: The film: any that FFmpeg reads, a GIF, WebP or APNG, a folder or pattern of numbered pictures.
        styles: The paintings whose manner it takes; or a trained painter: a file, or a name like looks:swirls.
        output: The film to write: .mp4 .mov .mkv .webm .avi .gif .webp .png; or pictures like frame_%04d.png.
    """
    from impasto.library.folder import licence_of
    from impasto.recipes import film as recipe_of_films
    from impasto.recipes.asked import Asked, parse_blend
    from impasto.recipes.pictures import Pictures

    if not 0 <= moving.steady <= 1:
        raise SettingsError(f"Expected --steady from 0 to 1, not {moving.steady:g}.")
    pictures, changes = Pictures(licence_of=licence_of), {"size": "max", **explicit(recipe)}
    brief = Asked(
        styles, how.engine, how.preset, changes, parse_blend(how.blend), how.weights, where.region or [],
        where.mask, where.keep, (where.regions, where.style_regions), usual="instant",
    ).brief(pictures)  # fmt: skip
    options = recipe_of_films.FilmOptions(
        moving.steady, _seconds(moving.start, "--from") or Fraction(0), _seconds(moving.stop, "--to"),
        moving.codec, moving.quality, tuple(moving.drop or ()),
    )  # fmt: skip
    job = recipe_of_films.FilmWork(source, brief, output, options, pictures)
    if work.preview is not None:
        _preview(job, _seconds(work.preview, "--preview") or Fraction(0), force=work.force)
        return
    job.check(force=work.force, resume=work.resume)
    _run(job, resume=work.resume)


def _preview(job: FilmWork, at: Fraction, *, force: bool) -> None:
    from impasto.recipes.output import Output

    target = Output(job.output)
    target.check([job.source, *job.brief.files()], force=force)
    target.write(job.preview(at))
    print(job.output)


def _run(job: FilmWork, *, resume: bool) -> None:
    """Paint, showing how it goes; write the film, also when interrupted."""
    began, step = time.monotonic(), None
    with stop_between_steps("this frame") as interrupt, progress_line() as progress:
        task, first = progress.add_task(job.output.name, total=1.0, note=""), None
        log = Log(progress, _TOLD_SECONDS)
        steps = job.steps(resume=resume)
        try:
            for step in steps:
                first = step.frames - 1 if first is None else first
                note = _note(step, first, time.monotonic() - began)
                progress.update(task, completed=step.done, note=note)
                log.tell(step.done, note)
                if interrupt.requested:
                    break
        except KeyboardInterrupt:
            interrupt.requested = True
        interrupt.writing = True
        steps.close()  # type: ignore[attr-defined]
        frames = job.write()
    for note in job.notes:
        print(f"impasto: {note}", file=sys.stderr)
    if job.held:
        print(f"impasto: {job.held} frames could not be decoded; the ones before are held.", file=sys.stderr)
    if interrupt.requested:
        what = f"{job.output} holds what is painted." if frames else "Nothing is painted yet."
        print(f"Stopped after {frames} frames. {what} The same command with --resume goes on.", file=sys.stderr)
        sys.exit(130)
    job.clean()
    height, width = job.written_size
    print(f"{job.output}  {width}x{height}  {frames} frames  {time.monotonic() - began:.1f} s")


def _note(step: FilmStep, first: int, seconds: float) -> str:
    return f"{step.frames} frames, {(step.frames - first) / max(seconds, 1e-3):.1f}/s"


def _seconds(written: str | None, name: str) -> Fraction | None:
    """Of `12.5`, `0:03` or `1:02:03.5`.

    Raises:
        SettingsError: it is no time.
    """
    if written is None:
        return None
    match = _TIME.fullmatch(written.strip())
    if match is None:
        raise SettingsError(f"Expected a time like 12.5 or 1:02:03 for {name}, not {written!r}.")
    hours, minutes, seconds = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + Fraction(seconds)
