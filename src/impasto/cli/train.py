"""`impasto train`: make the models anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from impasto.cli.train_encoder import encoder
from impasto.training.settings import CollectionTraining, InstantTraining, PainterTraining

if TYPE_CHECKING:
    from impasto.training.job import Kind, TrainingJob
    from impasto.training.report import Report
    from impasto.training.settings import Training

train = App(name="train", help="Train the models that come with the package, or your own.")


train.command(encoder)


@train.command
def instant(
    *,
    photos: Annotated[list[Path], Parameter(negative="")],
    paintings: Annotated[list[Path], Parameter(negative="")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    start: Annotated[str | None, Parameter(name="--from")] = None,
    preset: Path | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    on: str | None = None,
    settings: Annotated[InstantTraining | None, Parameter(name="*")] = None,
) -> None:
    """Train a network for any style on your photos and paintings.

    Ctrl-C keeps a checkpoint in NAME.training, beside the output, and the same command with `--resume` goes on; curves
    and pictures there are for TensorBoard.

    Examples:

    - `impasto train instant --photos photos --paintings paintings --minutes 60 -o mine.impasto`
    - `impasto train instant --photos photos --paintings more --from mine.impasto --minutes 20 -o better.impasto`

    Args:
        photos: Folder, archive (.zip, .tar) or list (.txt, .csv) of photos; repeat it for more.
        paintings: The same of paintings.
        output: The .impasto file to write.
        start: A model to go on from, with new data or settings: a file, or a name on the shelf.
        preset: A .json file of settings, such as `impasto search` writes; options count more.
        resume: Go on with a training that was interrupted.
        force: Replace files that exist.
        on: ray, or the address of a Ray cluster, whose --devices train; all its machines see the same files.
    """
    work = training_job("instant", photos, paintings, start, preset, settings)
    _train(work, output, on, resume=resume, force=force)


@train.command
def painter(
    *,
    style: Annotated[list[Path], Parameter(negative="")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    photos: Annotated[list[Path] | None, Parameter(negative="")] = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    preset: Path | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    on: str | None = None,
    settings: Annotated[PainterTraining | None, Parameter(name="*")] = None,
) -> None:
    """Train a small, fast network for one style, or for several and all mixtures of them.

    Ctrl-C keeps a checkpoint in NAME.training, beside the output, and the same command with `--resume` goes on; curves
    and pictures there are for TensorBoard.

    Examples:

    - `impasto train painter --style starry.jpg --minutes 20 -o starry.impasto`
    - `impasto train painter --style a.jpg --style b.jpg --photos holidays --minutes 60 -o mine.impasto`

    Args:
        style: A painting; repeat it, and one network learns them all.
        output: The .impasto file to write.
        photos: Folder, archive (.zip, .tar) or list (.txt, .csv) of photos to learn on; a few come with the package.
        start: A painter to go on from, a file or a name on the shelf; looks by default; `none` starts from nothing.
        preset: A .json file of settings, such as `impasto search` writes; options count more.
        resume: Go on with a training that was interrupted.
        force: Replace files that exist.
        on: ray, or the address of a Ray cluster, whose --devices train; all its machines see the same files.
    """
    work = training_job("painter", photos or [], style, start, preset, settings)
    _train(work, output, on, resume=resume, force=force)


@train.command
def collection(
    *,
    photos: Annotated[list[Path], Parameter(name="--from", negative="")],
    paintings: Annotated[list[Path], Parameter(name="--to", negative="")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    start: str | None = None,
    preset: Path | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    on: str | None = None,
    settings: Annotated[CollectionTraining | None, Parameter(name="*")] = None,
) -> None:
    """Train a network that turns pictures of one collection into pictures of another, without pairs.

    Ctrl-C keeps a checkpoint in NAME.training, beside the output, and the same command with `--resume` goes on; curves
    and pictures there are for TensorBoard.

    Examples:

    - `impasto train collection --from photos --to pointillist.txt --minutes 60 -o pointillist.impasto`
    - `impasto train collection --from photos --to mine --method cyclegan --pool 50 --minutes 90 -o mine.impasto`

    Args:
        photos: Folder, archive (.zip, .tar) or list (.txt, .csv) of the pictures to change; repeat it for more.
        paintings: The same of the pictures whose manner they are to have.
        output: The .impasto file to write.
        start: A painter or translator to go on from, a file or a name on the shelf, or none; `looks` where the
            generator is a painter.
        preset: A .json file of settings, such as `impasto search` writes; options count more.
        resume: Go on with a training that was interrupted.
        force: Replace files that exist.
        on: ray, or the address of a Ray cluster, whose --devices train; all its machines see the same files.
    """
    work = training_job("collection", photos, paintings, start, preset, settings)
    _train(work, output, on, resume=resume, force=force)


def training_job(
    kind: Kind,
    photos: list[Path],
    paintings: list[Path],
    start: str | None,
    preset: Path | None,
    settings: Training | None,
) -> TrainingJob:
    """The training that options describe; those that were given count more than the preset.

    Raises:
        SettingsError: a preset that cannot be used.
        UnknownName: no such model to go on from.
    """
    from impasto.cli.options import explicit
    from impasto.presets import read_preset
    from impasto.training.job import SETTINGS, TrainingJob

    chosen = read_preset(preset, SETTINGS[kind], **explicit(settings)) if preset else settings or SETTINGS[kind]()
    return TrainingJob.begin(kind, photos, paintings, start, chosen)


def _train(work: TrainingJob, output: Path, on: str | None, *, resume: bool, force: bool) -> None:
    """Train, here or on a cluster."""
    _check(work, output, resume=resume, force=force)
    if on:
        from impasto.cluster.training import train_on_ray

        return _follow(train_on_ray(work, output, on, resume=resume), output)
    return _follow(work.run(output, resume=resume), output)


def _check(work: TrainingJob, output: Path, *, resume: bool, force: bool) -> None:
    """Say before the work what would prevent its result from being written."""
    from impasto.errors import SettingsError
    from impasto.media.files import check_apart, check_writable
    from impasto.shelf.card import SUFFIX
    from impasto.training.run_folder import RunFolder

    if output.suffix != SUFFIX:
        raise SettingsError(f"Expected a name that ends in {SUFFIX} for the model; got {output}.")
    check_writable(output, force=force or resume)
    check_apart([output], [work.start, *work.photos, *work.paintings])
    RunFolder(output).check(resume=resume, force=force)


def _follow(reports: Iterator[Report], output: Path) -> None:
    """Show how a training goes, and stop it between steps when asked to."""
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import Log, progress_line

    report = None
    with stop_between_steps() as interrupt, progress_line() as progress:
        task, log = progress.add_task(output.name, total=1.0, note=""), Log(progress)
        for report in reports:
            if not report.silent:
                progress.update(task, completed=report.done, note=report.message)
                log.tell(report.done, report.message)
            if interrupt.requested:
                break
        interrupt.writing = True
        reports.close()  # type: ignore[attr-defined]
    if report is None or report.silent:
        return
    print(report.message)
    if interrupt.requested:
        print(f"Stopped at {report.done:.0%}. The same command with --resume goes on.", file=sys.stderr)
        sys.exit(130)
    print(output)
