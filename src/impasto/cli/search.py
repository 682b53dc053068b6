"""`impasto search`: settings of a painting or of a training, found by trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import CycloptsError, Parameter

from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.search.painting import PaintingSubject
    from impasto.search.study import Search, Subject
    from impasto.search.training import TrainingSubject

_TRIAL = "trial.impasto"


@dataclass(frozen=True)
class SearchOptions:
    """What is searched, and for how long.

    Args:
        content: The photo.
        style: The painting.
        trials: How many trials in all.
        minutes: Time limit of this run; the trial that is under way when it is over comes to its end.
        over: A setting and its range (content_weight=0.03:0.6) or choices (color=style,match); repeat it.
        objective: A measure of `impasto evaluate`: style, content, ssim, color, ...; for a training style (of a
            collection: manner), content or total; repeat it for a compromise.
        preset: Where the search for a painting begins; a name or a file.
        size: Long side at which it tries, in pixels.
        workers: Processes that try at once.
        seed: Fixes the order of trials, if there is one worker.
    """

    content: Path | None = None
    style: Path | None = None
    trials: int = 40
    minutes: float = 30.0
    over: Annotated[list[str] | None, Parameter(negative="")] = None
    objective: Annotated[list[str] | None, Parameter(negative="")] = None
    preset: str = "draft"
    size: int = 512
    workers: int = 1
    seed: int = 0


def search(
    *training: Annotated[str, Parameter(allow_leading_hyphen=True)],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    how: Annotated[SearchOptions, Parameter(name="*")] = SearchOptions(),
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Try settings, and write the best ones found as a preset: of a photo and a style, or of a training.

    The first trial is the preset as it is; what is written is never worse than that in any objective. All trials lie
    in NAME.sqlite beside the output (a database of Optuna): the same command goes on where it was left.

    Examples:

    - `impasto search --content photo.jpg --style starry.jpg --trials 40 --minutes 30 -o best.json`
    - `impasto search --content c.jpg --style s.jpg --over style_weight=0.3:3 --over color=style,match -o best.json`
    - `impasto search --over learning_rate=1e-4:1e-2 -o best.json -- train painter --style starry.jpg --steps 200`

    Args:
        training: Behind `--`, a whole training without its output; each trial is one, judged by its test pictures.
        output: The .json file to write, for the `--preset` of `impasto paint` or of that training.
        force: Replace the output if it exists.
    """
    from impasto.presets import write_settings

    job = _opened(training, output, how, force=force)
    interrupted = _tried(job, output.stem, how)
    chosen = job.chosen()
    write_settings(output, job.settings_of(chosen.settings))
    _tell(job)
    _tell_importances(job, output)
    print(output)
    if interrupted:
        print("Stopped; this is the best so far, and the same command goes on.", file=sys.stderr)
        sys.exit(130)


def _opened(training: Sequence[str], output: Path, how: SearchOptions, *, force: bool) -> Search:
    """The search, new or as it was left, and nothing in its way."""
    from impasto.media.files import check_apart, check_writable
    from impasto.search.axis import Axis
    from impasto.search.study import Search

    storage = output.with_suffix(".sqlite")
    if output.suffix != ".json" or how.trials < 1 or how.workers < 1 or not how.minutes > 0:
        raise SettingsError("Expected an output that ends in .json, and 1 or more trials, minutes and workers.")
    if bool(training) == bool(how.content or how.style):
        raise SettingsError("Expected --content and --style, or a training behind `--`.")
    subject: Subject = _training(training) if training else _painting(how.content, how.style, how.preset, how.size)
    axes = [Axis.parse(text, type(subject.base)) for text in how.over or subject.axes]
    subject.check()
    job = Search(subject, axes, how.objective or subject.objectives, storage, how.seed)
    check_apart([output, storage], [how.content, how.style, how.preset])
    goes_on = storage.exists()
    if goes_on:
        job.open()
    check_writable(output, force=force or goes_on)
    job.open()
    job.forget_unfinished()
    return job


def _tried(job: Search, name: str, how: SearchOptions) -> bool:
    """Run the trials, showing how it goes; whether the user has stopped them."""
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import progress_line
    from impasto.device import cores
    from impasto.search.study import run_in_processes

    with stop_between_steps("this trial") as interrupt, progress_line() as progress:
        task = progress.add_task(name, total=how.trials, note="")
        if how.workers > 1:
            threads = max(1, cores() // how.workers)
            with closing(run_in_processes(job, how.trials, how.minutes, how.workers, threads)) as running:
                for done in running:
                    progress.update(task, completed=done)
                    if interrupt.requested:
                        break
        else:
            for tried in job.run(how.trials, time.monotonic() + 60 * how.minutes):
                values = "  ".join(f"{name} {tried.values[name]:.3f}" for name in job.objectives if tried.values)
                progress.update(task, completed=tried.done, note=values or "given up")
                if interrupt.requested:
                    break
    return interrupt.requested


def _tell_importances(job: Search, output: Path) -> None:
    from impasto.media.files import replacing
    from impasto.metrics.plots import bars

    importances = job.importances()
    if importances:
        with replacing(output.with_suffix(".importance.svg")) as temporary:
            temporary.write_text(bars(importances, "importance"), encoding="utf-8")
        print("importance: " + "  ".join(f"{name} {share:.2f}" for name, share in importances.items()))


def _painting(content: Path | None, style: Path | None, preset: str, size: int) -> PaintingSubject:
    from impasto.presets import read_settings
    from impasto.search.painting import PaintingSubject

    if content is None or style is None:
        raise SettingsError("Expected a photo and a style; give --content and --style.")
    return PaintingSubject(content, style, read_settings(preset, size=size))


def _training(tokens: Sequence[str]) -> TrainingSubject:
    """The training that is written in a command line."""
    from impasto.cli.train import train, training_job
    from impasto.search.training import TrainingSubject
    from impasto.training.job import SETTINGS

    kind = tokens[1] if len(tokens) > 1 else ""
    if tokens[0] != "train" or kind not in SETTINGS:
        raise SettingsError(f"Expected `-- train {'|'.join(SETTINGS)} ...`; got {' '.join(tokens)}.")
    try:
        _, bound, _ = train.parse_args([*tokens[1:], "-o", _TRIAL], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise SettingsError(f"impasto {' '.join(tokens)}: {error}") from error
    given: dict[str, Any] = bound.arguments
    paintings = given["style"] if kind == "painter" else given["paintings"]
    options = (given.get(name) for name in ("start", "preset", "settings"))
    return TrainingSubject(training_job(kind, given.get("photos") or [], paintings, *options))  # type: ignore[arg-type]


def _tell(job: Search) -> None:
    """The trials that no other beats; the chosen one is marked."""
    chosen = job.chosen()
    for one in job.front():
        mark = "*" if one.done == chosen.done else " "
        figures = "  ".join(f"{name} {value:.3f}" for name, value in one.values.items())
        print(f"{mark} {figures}  " + "  ".join(f"{name} {_short(value)}" for name, value in one.settings.items()))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
