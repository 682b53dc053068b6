"""A training that is yet to run: of which kind, on what, from where, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from impasto.shelf.models import find
from impasto.training.settings import CollectionTraining, InstantTraining, PainterTraining, Training

if TYPE_CHECKING:
    from impasto.training.report import Report

Kind = Literal["instant", "painter", "collection"]
SETTINGS: dict[str, type[Training]] = {
    "instant": InstantTraining,
    "painter": PainterTraining,
    "collection": CollectionTraining,
}


@dataclass(frozen=True)
class TrainingJob:
    """What to train: `photos` and `paintings` are what its command takes; `start` is a model to go on from."""

    kind: Kind
    photos: Sequence[Path]
    paintings: Sequence[Path]
    start: Path | None
    settings: Training

    @staticmethod
    def begin(
        kind: Kind, photos: Sequence[Path], paintings: Sequence[Path], start: str | None, settings: Training
    ) -> TrainingJob:
        """With a model by file or name to go on from, `none`, or what is usual: looks, for what paints as it does.

        Raises:
            UnknownName: no such model.
        """
        alike = kind == "painter" or (isinstance(settings, CollectionTraining) and settings.generator == "painter")
        name = start or ("looks" if alike else "none")
        return TrainingJob(kind, photos, paintings, None if name == "none" else find(name), settings)

    def run(self, output: Path, *, resume: bool = False) -> Iterator[Report]:
        """Train, and write `output`.

        Raises:
            InputError: sources or settings that cannot be used.
            DivergedError: it led nowhere; the last checkpoint is kept.
        """
        settings = self.settings
        if isinstance(settings, CollectionTraining):
            from impasto.training.collection import train_collection

            return train_collection(self.photos, self.paintings, output, settings, resume=resume, start=self.start)
        if isinstance(settings, PainterTraining):
            from impasto.training.painter import train_painter

            return train_painter(self.paintings, output, settings, photos=self.photos, resume=resume, start=self.start)
        from impasto.training.instant import train_instant

        assert isinstance(settings, InstantTraining)
        return train_instant(self.photos, self.paintings, output, settings, resume=resume, start=self.start)
