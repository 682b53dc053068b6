"""Settings of a training: what is searched is judged by pictures that the training kept for testing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from impasto.shelf.card import read_card
from impasto.training.job import TrainingJob
from impasto.training.pictures import find_pictures
from impasto.training.settings import Training
from impasto.weights.files import sha256


@dataclass(frozen=True)
class TrainingSubject:
    """A training, by its settings and by what is tried instead; each trial is trained from the same start."""

    training_job: TrainingJob

    axes = ("learning_rate=0.0003:0.01", "content_weight=0.03:0.6")

    @property
    def base(self) -> Training:
        """The settings where the search begins."""
        return self.training_job.settings

    @property
    def measures(self) -> Mapping[str, str]:
        """What a training says of pictures that it has not learned from."""
        first = "manner" if self.training_job.kind == "collection" else "style"
        return dict.fromkeys((first, "content", "total"), "lower")

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is sought if nothing else is said; `total` would be lowered by lower weights."""
        return tuple(name for name in self.measures if name != "total")

    def check(self) -> None:
        """See to it that there are pictures to learn from.

        Raises:
            InputError: there are none.
        """
        find_pictures([*self.training_job.photos, *self.training_job.paintings])

    def identity(self) -> list[object]:
        """What makes it another search."""
        work = self.training_job
        sources = [[path.name for path in paths] for paths in (work.photos, work.paintings)]
        return [work.kind, sources, work.start and sha256(work.start), self.base.model_dump(mode="json")]

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        """Measures in validation when each of the shares `looks` of the training is done, and on test pictures.

        Raises:
            InputError: sources that cannot be used.
            DivergedError: it led nowhere.
        """
        assert isinstance(settings, Training)
        wanted = list(looks)
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "trial.impasto"
            for report in replace(self.training_job, settings=settings).run(output):
                if wanted and report.validation and wanted[0] <= report.done < 1:
                    wanted.pop(0)
                    yield report.validation
            yield {name: float(value) for name, value in read_card(output).training["test"].items()}
