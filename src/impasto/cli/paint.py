"""`impasto paint`: a photo in the manner of one or several paintings."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import (
    FILES,
    WORK,
    FileOptions,
    RecipeOptions,
    RegionOptions,
    StyleOptions,
    explicit,
)
from impasto.cli.progress import progress_line
from impasto.cli.streams import is_stdout
from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.brief import Brief
    from impasto.recipes.output import Output
    from impasto.recipes.painting import Painting
    from impasto.recipes.pictures import Pictures


@dataclass(frozen=True)
class WorkOptions:
    """What happens while it is painted.

    Args:
        preview: A picture file to refresh while painting.
        resume: Go on with a painting that was interrupted.
        estimate: Only say how large the picture will be, and about what time and memory it takes.
    """

    preview: Annotated[Path | None, Parameter(group=WORK)] = None
    resume: Annotated[bool, Parameter(group=WORK, negative="")] = False
    estimate: Annotated[bool, Parameter(group=WORK, negative="")] = False


def paint(
    photo: Annotated[Path, Parameter(group=FILES, allow_leading_hyphen=True)],
    /,
    *styles: Annotated[str, Parameter(group=FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=FILES, allow_leading_hyphen=True)],
    files: Annotated[FileOptions, Parameter(name="*")] = FileOptions(),
    how: Annotated[StyleOptions, Parameter(name="*")] = StyleOptions(),
    where: Annotated[RegionOptions, Parameter(name="*")] = RegionOptions(),
    work: Annotated[WorkOptions, Parameter(name="*")] = WorkOptions(),
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
    - `impasto paint photo.jpg starry.jpg --keep subject -o out.png`
    - `impasto paint photo.jpg --region sky.png=starry.jpg --region rest=monet.jpg -o out.png`
    - `impasto paint photo.jpg starry.jpg --size 4096 --estimate -o out.png`
    - `cat photo.jpg | impasto paint - starry.jpg -o - > out.png`

    Args:
        photo: The photo to paint; - reads it from standard input.
        styles: The paintings whose manner it takes; or a trained painter: a file, or a name like looks:swirls.
        output: The picture to write: .png .jpg .webp .tif .avif .heic .bmp .gif; - writes a PNG to standard output.
    """
    from impasto.cli.streams import files_for_streams
    from impasto.library.folder import licence_of
    from impasto.media.files import check_apart
    from impasto.recipes.asked import Asked, parse_blend
    from impasto.recipes.output import Output
    from impasto.recipes.pictures import Pictures

    began, changes = time.monotonic(), explicit(recipe)
    with files_for_streams(photo, output) as (photo, path):
        target = Output(path, files.quality, files.depth, files.dpi, files.json)
        inputs = [photo, *styles, how.weights, how.engine, how.preset]
        _check(target, inputs, work, force=files.force)
        pictures = Pictures(max_pixels=files.max_pixels, licence_of=licence_of)
        brief = Asked(
            styles, how.engine, how.preset, changes, parse_blend(how.blend), how.weights, where.region or [],
            where.mask, where.keep, (where.regions, where.style_regions), target.told(),
        ).brief(pictures)  # fmt: skip
        check_apart([path, *target.records(), work.preview], brief.files())
        _refuse_in_one_pass(brief, work)
        painting = _painting(photo, brief, target, work, pictures)
        if work.estimate:
            opened = time.monotonic() - began
            print(painting.estimate().after(opened))
        else:
            _run(painting, target, work, began)


def _check(target: Output, inputs: list[str | Path | None], work: WorkOptions, *, force: bool) -> None:
    """Say before the work what would prevent the result from being written."""
    from impasto.recipes.output import Output

    target.check([str(path) for path in inputs if path is not None], force=force or work.resume, besides=[work.preview])
    if work.preview is not None:
        Output(work.preview).check(force=force or work.resume)
    if work.resume and is_stdout(target.path):
        raise SettingsError("Nothing is kept of a painting that goes to standard output; leave out --resume.")


def _refuse_in_one_pass(brief: Brief, work: WorkOptions) -> None:
    flags = [flag for flag, given in (("--preview", work.preview), ("--resume", work.resume)) if given]
    if flags and brief.engine != "optimize":
        raise SettingsError(f"{', '.join(flags)} steers painting by optimisation; leave it out in one pass.")


def _painting(photo: Path, brief: Brief, target: Output, work: WorkOptions, pictures: Pictures) -> Painting:
    """The photo, the brief and its pictures opened; what is `auto` or `max` has become a number."""
    from impasto.media.image import moves
    from impasto.recipes.output import checkpoint_path
    from impasto.recipes.painting import open_brief
    from impasto.recipes.strength import drafts, is_automatic, with_strength

    if work.resume and brief.settings.size == "max":
        from impasto.recipes.checkpoint import saved_brief

        brief = brief.sized(int(saved_brief(checkpoint_path(target.path)).settings.size))
    if is_automatic(brief):
        with progress_line() as progress:
            task = progress.add_task("strength", total=None, note="")
            for draft in drafts(brief, photo, pictures):
                progress.update(task, note=f"{draft.strength:.2f}: content distance {draft.content:.3f}")
        print(f"strength {draft.strength:g}, at a content distance of {draft.content:.2f}", file=sys.stderr)
        brief = with_strength(brief, draft.strength)
    painting = open_brief(brief, pictures).on(photo)
    target.check_holds(painting.size)
    if moves(photo):
        print(f"{photo.name} moves; its first frame is painted, and impasto film paints all.", file=sys.stderr)
    return painting


def _run(painting: Painting, target: Output, work: WorkOptions, began: float) -> None:
    """Paint, showing how it goes; write the picture, also when interrupted."""
    from impasto.cli.keeping import Keeper
    from impasto.recipes.output import checkpoint_path

    unfinished, state = checkpoint_path(target.path), None
    if work.resume:
        from impasto.recipes.checkpoint import load_checkpoint

        state = load_checkpoint(unfinished, painting.record)
    step, at_once = None, painting.record.brief["engine"] != "optimize"
    with stop_between_steps(at_once=at_once) as interrupt, progress_line() as progress:
        task = progress.add_task(target.path.name, total=1.0, note="")
        keeper = Keeper(painting, unfinished, work.preview)
        try:
            for step in painting.steps(state):
                progress.update(task, completed=step.done, note=step.message)
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
        keeper.write(step, target)
    if stopped and step is not None:
        where = "standard output" if is_stdout(target.path) else target.path
        advice = " The same command with --resume goes on." if kept else ""
        print(f"Stopped at {step.done:.0%}; {where} holds the picture so far.{advice}", file=sys.stderr)
        sys.exit(130)
    if not at_once:
        unfinished.unlink(missing_ok=True)
    _say_done(target, painting.size, began)


def _say_done(output: Output, size: tuple[int, int], began: float) -> None:
    where, name = (sys.stderr, "standard output") if is_stdout(output.path) else (sys.stdout, output.path)
    print(f"{name}  {size[1]}x{size[0]}  {time.monotonic() - began:.1f} s", file=where)
