"""What a training tells: how far it has come, and in the end the card of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.encoders import EncoderName, weights_path
from impasto.models import ModelKind
from impasto.provenance import Source
from impasto.shelf.card import Card
from impasto.training.loop import Progress
from impasto.training.settings import Training


@dataclass(frozen=True)
class Report:
    """How far a training has come; `silent` in all processes but one; `validation` where there was one."""

    done: float
    message: str
    silent: bool = False
    validation: dict[str, float] | None = None

    @staticmethod
    def of(progress: Progress, broken: set[Path], *, silent: bool) -> Report:
        """What a step has come to, and what was passed over."""
        losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items() if name != "total")
        skipped = f"  {len(broken)} broken pictures" if broken else ""
        told = f"step {progress.step}  {losses}  {progress.samples_per_second:.1f} samples/s{skipped}"
        return Report(progress.done, told, silent, progress.validation)


def training_record(
    progress: Progress, settings: Training, start: Path | None, judge: EncoderName = "compact"
) -> dict[str, Any]:
    """What the card says of a training."""
    return {
        "settings": settings.model_dump(mode="json"),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "judge": Source.of(weights_path(judge)).model_dump(),
        "from": Source.of(start).model_dump() if start else None,
    }


def model_card(
    kind: ModelKind, description: str, architecture: dict[str, Any], record: dict[str, Any], styles: Sequence[str] = ()
) -> Card:
    """The card of what was trained here."""
    return Card(
        kind=kind,
        description=description,
        architecture=architecture,
        styles=tuple(styles),
        encoder=Source.of(weights_path("compact")),
        licence="MIT",
        training=record,
    )
