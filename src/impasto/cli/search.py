"""`impasto search`: settings for one pair, found by trial."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.errors import SettingsError


def search(
    *,
    content: Path,
    style: Path,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    trials: int = 40,
    minutes: float = 30.0,
    over: Annotated[list[str] | None, Parameter(negative="")] = None,
    objective: Annotated[list[str] | None, Parameter(negative="")] = None,
    preset: str = "draft",
    size: int = 512,
    workers: int = 1,
    seed: int = 0,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Try settings on a photo and a style, and write the best ones found as a preset.

    The first trial is the preset as it is; what is written is never worse than that in any objective. All trials lie
    in NAME.sqlite beside the output (a database of Optuna): the same command goes on where it was left.

    Examples:

    - `impasto search --content photo.jpg --style starry.jpg --trials 40 --minutes 30 -o best.json`
    - `impasto search --content c.jpg --style s.jpg --over style_weight=0.3:3 --over color=style,match -o best.json`

    Args:
        content: The photo.
        style: The painting.
        output: The .json file to write, for `impasto paint --preset`.
        trials: How many trials in all.
        minutes: Time limit of this run.
        over: A setting and its range (content_weight=0.03:0.6) or choices (color=style,match); repeat it.
        objective: A measure of `impasto evaluate`: style, content, ssim, color, ...; repeat it for a compromise.
        preset: Where the search begins; a name or a file.
        size: Long side at which it tries, in pixels.
        workers: Processes that try at once.
        seed: Fixes the order of trials, if there is one worker.
        force: Replace the output if it exists.
    """
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import progress_line
    from impasto.device import cores
    from impasto.media.files import check_writable, replacing
    from impasto.metrics.plots import bars
    from impasto.recipes.recipe import read_settings, write_settings
    from impasto.search import AXES, OBJECTIVES, Axis, Search, run_in_processes

    storage = output.with_suffix(".sqlite")
    check_writable(output, force=force or storage.exists())
    if output.suffix != ".json" or trials < 1 or workers < 1 or not minutes > 0:
        raise SettingsError("Expected an output that ends in .json, and 1 or more trials, minutes and workers.")
    job = Search(
        content,
        style,
        read_settings(preset, size=size),
        [Axis.parse(text) for text in over or AXES],
        objective or OBJECTIVES,
        storage,
        seed,
    )
    job.open()
    job.forget_unfinished()
    with stop_between_steps() as interrupt, progress_line() as progress:
        task = progress.add_task(output.stem, total=trials, note="")
        if workers > 1:
            for done in run_in_processes(job, trials, minutes, workers, max(1, cores() // workers)):
                progress.update(task, completed=done)
                if interrupt.requested:
                    break
        else:
            for tried in job.run(trials, time.monotonic() + 60 * minutes):
                values = "  ".join(f"{name} {tried.values[name]:.3f}" for name in job.objectives if tried.values)
                progress.update(task, completed=tried.done, note=values or "given up")
                if interrupt.requested:
                    break
    chosen = job.chosen()
    write_settings(output, job.recipe_of(chosen.settings))
    for one in job.front():
        mark = "*" if one.done == chosen.done else " "
        figures = "  ".join(f"{name} {value:.3f}" for name, value in one.values.items())
        print(f"{mark} {figures}  " + "  ".join(f"{name} {_short(value)}" for name, value in one.settings.items()))
    importances = job.importances()
    if importances:
        with replacing(output.with_suffix(".importance.svg")) as temporary:
            temporary.write_text(bars(importances, "importance"), encoding="utf-8")
        print("importance: " + "  ".join(f"{name} {share:.2f}" for name, share in importances.items()))
    print(output)
    if interrupt.requested:
        print("Stopped; this is the best so far, and the same command goes on.", file=sys.stderr)
        sys.exit(130)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
