"""The folder of a training: its checkpoint, and its curves and pictures for TensorBoard."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from impasto.errors import OutputError, PartedError, RecordError, SettingsError
from impasto.media.files import make_folder, replacing
from impasto.training.loop import Progress, State, learn
from impasto.training.pictures import Crops
from impasto.training.settings import Training
from impasto.training.task import Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.utils.tensorboard import SummaryWriter

_LOG_EVERY = 10


class RunFolder:
    """`NAME.training` beside the model that is to come, which outlives interrupts and is reused by `--resume`."""

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(output.stem + ".training")
        self.checkpoint = self.folder / "checkpoint.pt"
        self.began = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since the training was begun, or taken up again."""
        return time.monotonic() - self.began

    def check(self, *, resume: bool, force: bool) -> None:
        """Refuse to overwrite a training that could be resumed, or to resume one that is not there.

        Raises:
            RecordError: there is no checkpoint to resume.
            SettingsError: there is one, and neither `resume` nor `force` was asked for.
        """
        if resume and not self.checkpoint.is_file():
            raise RecordError(f"There is no training to resume in {self.folder}; run without --resume.")
        if self.checkpoint.is_file() and not resume and not force:
            raise SettingsError(
                f"{self.folder} holds an earlier training; go on with --resume, or replace it with --force."
            )

    def load(self, settings: Training) -> State:
        """The checkpoint.

        Raises:
            RecordError: it is damaged, or belongs to other settings; the message says which.
        """
        try:
            state: State = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            before = type(settings).model_validate_json(state["settings"])
        except Exception as error:
            raise RecordError(
                f"{self.checkpoint} is damaged ({type(error).__name__}); remove it and run without --resume."
            ) from error
        differing = settings.differences(before)
        if differing:
            raise RecordError(
                f"{self.folder} was trained with other settings ({', '.join(differing)}); give the same again, or "
                "start anew with --from."
            )
        return state

    def train(
        self, task: Task, crops: Crops, settings: Training, fabric: Fabric, resume: State | None
    ) -> Iterator[Progress]:
        """`learn`, with a checkpoint every few minutes and when the loop is left, whatever for but a diverged loss."""
        leader, begun_before = fabric.is_global_zero, self.folder.exists()
        if leader:
            make_folder(self.folder)
        journal = self._journal(purge=resume["step"] if resume else 0) if leader else None
        progress, saved, whole = None, time.monotonic(), False
        steps = learn(task, crops, settings, fabric, resume, self.spent)
        try:
            for progress in steps:
                if journal:
                    _write(journal, progress)
                if leader and time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                    self._try_to_save(progress)
                    saved = time.monotonic()
                yield progress
            whole = True
        except (GeneratorExit, PartedError):
            if leader and progress:
                self.save(progress)
            raise
        finally:
            steps.close()  # type: ignore[attr-defined]
            if journal:
                journal.close()
            if leader and not (whole or begun_before or self.checkpoint.is_file()):
                shutil.rmtree(self.folder, ignore_errors=True)
        if leader and progress:
            self.save(progress)

    def _try_to_save(self, progress: Progress) -> None:
        """Write the checkpoint; where that cannot be done now, it may be later."""
        try:
            self.save(progress)
        except OutputError as error:
            logging.getLogger("impasto").warning("No checkpoint: %s", error)

    def save(self, progress: Progress) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: it cannot be written; the one before is left as it was.
        """
        with replacing(self.checkpoint) as temporary:
            torch.save(progress.state(), temporary)

    def _journal(self, purge: int) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=purge)


def _write(journal: SummaryWriter, progress: Progress) -> None:
    if progress.step % _LOG_EVERY == 0:
        for name, value in progress.losses.items():
            journal.add_scalar(f"training/{name}", value, progress.step)
        journal.add_scalar("learning_rate", progress.learning_rate, progress.step)
        journal.add_scalar("samples_per_second", progress.samples_per_second, progress.step)
    if progress.validation:
        for name, value in progress.validation.items():
            journal.add_scalar(f"validation/{name}", value, progress.step)
        if math.isfinite(progress.best):
            journal.add_scalar("validation/best", progress.best, progress.step)
        journal.add_image("validation", progress.sheet(), progress.step)
