"""`impasto batch`: every photo in every style."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.options import FILES, LOOK, WHERE, WORK, RecipeOptions, explicit
from impasto.cli.run import ManyOptions, asked_for_many, paint_manifest, run_of
from impasto.errors import SettingsError
from impasto.media.image import MAX_PIXELS

if TYPE_CHECKING:
    from impasto.batch.work import Batch


@dataclass(frozen=True)
class WhereOptions:
    """Which parts of the photos are painted.

    Args:
        mask: Where photos are painted: subject or face, or a mask for photos of one shape.
        keep: Where they stay as they are.
    """

    mask: Annotated[str | None, Parameter(group=WHERE)] = None
    keep: Annotated[str | None, Parameter(group=WHERE)] = None


def batch(
    *photos: Annotated[str, Parameter(group=FILES)],
    output: Annotated[str, Parameter(name=["--output", "-o"], group=FILES)],
    style: Annotated[list[str] | None, Parameter(group=FILES, negative="")] = None,
    format: Annotated[str, Parameter(group=FILES)] = "png",
    quality: Annotated[int | None, Parameter(group=FILES)] = None,
    force: Annotated[bool, Parameter(group=FILES, negative="")] = False,
    max_pixels: Annotated[int, Parameter(group=FILES)] = MAX_PIXELS,
    workers: Annotated[int | None, Parameter(group=WORK)] = None,
    engine: Annotated[str | None, Parameter(group=LOOK)] = None,
    preset: Annotated[str | None, Parameter(group=LOOK)] = None,
    where: Annotated[WhereOptions, Parameter(name="*")] = WhereOptions(),
    many: Annotated[ManyOptions, Parameter(name="*")] = ManyOptions(),
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Paint every photo in every style, by one pass of the instant network.

    What is done already, from the same inputs and settings, is skipped: after an interrupt, a crash or new photos, the
    same command goes on. Broken photos are passed over and named at the end; the status is then 1.

    Examples:

    - `impasto batch photos/ --style a.jpg --style b.jpg -o results/`
    - `impasto batch "photos/*.jpg" --style looks:swirls --format jpg --size 1024 -o results/`
    - `impasto batch pairs.csv -o results/`
    - `impasto batch photos.parquet --style a.jpg -o s3://bucket/out --shards 1000 --on ray`

    Args:
        photos: Folders, pictures, globs in quotes, tables (.csv) with the columns content and style, maybe output; or
            a manifest (.parquet) as `impasto manifest` writes it.
        output: The folder for results; for a manifest also s3://, gs:// or az://.
        style: A painting, a folder of them, a saved style, or a trained painter; repeat it for more.
        format: Suffix of the results: png, jpg, webp, tif, avif.
        quality: 1 to 100, for JPEG, WebP and AVIF.
        force: Also replace files that no batch has made.
        max_pixels: Largest picture to read.
        workers: Processes that paint at once; as many as there are cores by default.
        engine: instant (the default), optimize, or a model file.
        preset: Preset for --engine optimize; balanced by default.
    """
    from impasto.batch.jobs import prepare_batch
    from impasto.batch.plan import plan

    suffix = f".{format.lower().lstrip('.')}"
    how = asked_for_many(suffix, quality, engine, preset, explicit(recipe), where.mask, where.keep)
    if any(photo.lower().endswith(".parquet") for photo in photos):
        asked = run_of(photos, style or [], how, suffix=suffix, quality=quality, max_pixels=max_pixels, many=many)
        paint_manifest(asked, output, workers, many)
        return
    folder = _folder(output, many)
    pairs = plan(photos, style or [], suffix, folder)
    _finish(prepare_batch(folder, pairs, how.brief_of, quality=quality, force=force, max_pixels=max_pixels), workers)


def _folder(output: str, many: ManyOptions) -> Path:
    """The folder for results of photos that are in no manifest."""
    from impasto.storage import is_remote

    if is_remote(output) or many != ManyOptions():
        raise SettingsError("A bucket, --on, --shards and --part need a manifest; make one with impasto manifest.")
    if Path(output).is_file():
        raise SettingsError(f"{output} is a file; give a folder for the results.")
    return Path(output)


def _finish(job: Batch, workers: int | None) -> None:
    """Paint what is left; the status says whether all is there."""
    began = time.monotonic()
    interrupted = follow(job, workers, job.folder.name)
    complete = _report(job, time.monotonic() - began)
    if interrupted and not complete:
        print("Stopped. The same command goes on.", file=sys.stderr)
        sys.exit(130)
    if not complete:
        sys.exit(1)


def follow(job: Batch, workers: int | None, name: str) -> bool:
    """Run a batch in as many processes as asked for, showing how it goes; whether the user has stopped it."""
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import progress_line
    from impasto.device import cores

    count = min(cores() if workers is None else workers, len(job.jobs))
    if count < 1:
        raise SettingsError(f"Expected 1 worker or more; got {workers}.")
    with stop_between_steps("the pictures in hand") as interrupt, progress_line() as progress:
        task = progress.add_task(name, total=len(job.jobs), note="")
        with closing(job.run(count, max(1, cores() // count))) as running:
            for states in running:
                ended = [state for state, _ in states.values() if state in ("done", "failed")]
                progress.update(task, completed=len(ended), note=f"{len(ended)} of {len(job.jobs)}")
                if interrupt.requested:
                    break
    return interrupt.requested


def _report(job: Batch, seconds: float) -> bool:
    """Say what was painted, skipped and left, and what failed; whether all is there."""
    states = job.states()
    failed = {name: error for name, (state, error) in states.items() if state == "failed"}
    done = sum(state == "done" for state, _ in states.values())
    for name, error in failed.items():
        print(f"{job.folder / name}: {error}", file=sys.stderr)
    counts = {
        "painted": done - job.skipped,
        "already there": job.skipped,
        "failed": len(failed),
        "left": len(job.jobs) - done - len(failed),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "painted")
    print(f"{job.folder}: {told}, of {len(job.jobs)} pictures  {seconds:.1f} s")
    return done == len(job.jobs)
