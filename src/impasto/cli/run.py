"""`impasto batch` over a manifest: on this machine, or on a cluster."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from impasto.errors import ImpastoError, SettingsError

if TYPE_CHECKING:
    from impasto.cluster.here import Running
    from impasto.cluster.run import RunOptions
    from impasto.recipes.asked import Asked

_TOLD = 20
MANY = Group("Manifests", sort_key=9)


@dataclass(frozen=True)
class ManyOptions:
    """How the photos of a manifest are painted.

    Args:
        shards: Results in one tar, in the layout of WebDataset; by default each result is a file.
        on: ray, which starts a Ray cluster here or joins the one of RAY_ADDRESS; or the address of one.
        part: 3/16: of 16 machines that share the work, this is number 3 (the first is 0).
    """

    shards: Annotated[int, Parameter(group=MANY)] = 0
    on: Annotated[str | None, Parameter(group=MANY)] = None
    part: Annotated[str | None, Parameter(group=MANY)] = None


def paint_manifest(asked: RunOptions, place: str, workers: int | None, many: ManyOptions) -> None:
    """Paint what is left of a run, and say how it went; the status says whether all is there."""
    from impasto.cluster.painting import done_shards
    from impasto.cluster.run import begin
    from impasto.storage import Storage, is_remote

    began, storage = time.monotonic(), Storage(place)
    paint = _engine(many.on, workers)
    run = begin(asked, storage)
    done = done_shards(storage)
    left = [shard for shard in _part(many.part, run.shards) if shard not in done]
    whole = place if is_remote(place) else str(Path(place).absolute())
    counts, interrupted = _follow(paint(whole, left), len(left), place)
    told = {"painted": "done", "there before": "there", "copies": "same", "failed": "failed"}
    words = [f"{counts[state]:,} {what}" for what, state in told.items() if counts[state] or state == "done"]
    there = len(done) + counts["shards"]
    print(f"{place}: {', '.join(words)}; {there:,} of {run.shards:,} shards  {time.monotonic() - began:.1f} s")
    if interrupted and counts["shards"] < len(left):
        print("Stopped. The same command goes on.", file=sys.stderr)
        sys.exit(130)
    if counts["failed"] or counts["shards"] < len(left):
        sys.exit(1)


def asked_for_many(
    suffix: str,
    quality: int | None,
    engine: str | None,
    preset: str | None,
    changes: Mapping[str, Any],
    mask: str | None = None,
    keep: str | None = None,
) -> Asked:
    """How each of many photos is painted, in one pass unless another engine is asked for.

    Raises:
        InputError: results cannot be written so.
    """
    from impasto.media.writing import check_format
    from impasto.recipes.asked import Asked

    told = {"format": check_format(Path(f"result{suffix}"), quality=quality), "quality": quality, "depth": None}
    return Asked((), engine, preset, changes, mask=mask, keep=keep, output=told, usual="instant")


def run_of(
    sources: Sequence[str],
    styles: Sequence[str],
    how: Asked,
    *,
    suffix: str,
    quality: int | None,
    max_pixels: int,
    many: ManyOptions,
) -> RunOptions:
    """What a user asks for: the photos of one manifest, painted in each style.

    Raises:
        InputError: it cannot be painted.
    """
    from impasto.batch.plan import style_name, styles_in
    from impasto.cluster.run import RunOptions
    from impasto.device import choose_device, in_bfloat16
    from impasto.provenance import labelled

    if len(sources) != 1:
        raise SettingsError("Expected one manifest and nothing beside it; put all photos into one.")
    if many.shards < 0:
        raise SettingsError(f"Expected 1 result in a shard or more; got {many.shards}.")
    found = [one for style in styles for one in styles_in(style)]
    if not found:
        raise SettingsError("Expected a --style; give it once or more.")
    briefs = dict(zip(labelled([style_name(one) for one in found]), [how.brief_of([one]) for one in found]))
    settings = next(iter(briefs.values())).settings
    bfloat16 = in_bfloat16(choose_device(settings.device), settings.precision)
    return RunOptions(
        Path(sources[0]), briefs, suffix, quality, many.shards, max_pixels, "bfloat16" if bfloat16 else "float32"
    )


def _engine(on: str | None, workers: int | None) -> Callable[[str, Sequence[int]], Running]:
    from impasto.device import cores

    if workers is not None and workers < 1:
        raise SettingsError(f"Expected 1 worker or more; got {workers}.")
    if on is None:
        from impasto.cluster.here import paint_here

        return partial(paint_here, workers=workers or cores())
    from impasto.cluster.on_ray import paint_on_ray

    return partial(paint_on_ray, on=on, workers=workers)


def _part(part: str | None, shards: int) -> range:
    """The shards of a part of the work."""
    if part is None:
        return range(shards)
    number, _, of = part.partition("/")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise SettingsError(f"Expected --part as 3/16, from 0/16 to 15/16; got {part}.")
    return range(int(number), shards, int(of))


def _follow(running: Running, shards: int, place: str) -> tuple[Counter[str], bool]:
    """Show how it goes; how many results are in each state and how many shards are done, and whether it was stopped."""
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import progress_line

    counts = Counter[str]()
    with stop_between_steps("the pictures in hand") as interrupt, progress_line() as progress, closing(running):
        task = progress.add_task(Path(place).name, total=shards, note="")

        def say(text: str) -> None:
            progress.console.print(text, style="", markup=False, highlight=False, soft_wrap=True)

        for one in running:
            if interrupt.requested:
                break
            if isinstance(one, ImpastoError):
                say(str(one))
            elif one is not None:
                for problem in one.problems[: max(0, _TOLD - counts["failed"])]:
                    say(problem)
                counts.update({**one.counts, "shards": 1})
                progress.update(task, completed=counts["shards"], note=f"{counts['done']:,} pictures")
        if counts["failed"] > _TOLD:
            say(f"and {counts['failed'] - _TOLD:,} more; {place}/ledger has all.")
    return counts, interrupt.requested
