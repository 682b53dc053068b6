"""What the trainings of painting networks have in common: sources, unseen pictures, reports, the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.collection.card import Card
from impasto.encoders import weights_path
from impasto.encoders.encoder import Encoder
from impasto.errors import InputError
from impasto.losses.terms import Targets
from impasto.models import ModelKind
from impasto.models.instant import STYLE_LAYERS
from impasto.provenance import Source
from impasto.training.lesson import Choice, StyleLesson
from impasto.training.loop import Progress
from impasto.training.pictures import Crops, Split, find_pictures, split
from impasto.training.settings import Training
from impasto.weights.files import sha256


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


def split_sources(sources: Sequence[Path], settings: Training) -> Split:
    parts = split([path for paths in find_pictures(sources) for path in paths], settings.seed)
    if not parts.validation or not parts.test or len(parts.training) < settings.batch:
        count = len(parts.training) + len(parts.validation) + len(parts.test)
        raise InputError(
            f"{', '.join(map(str, sources))} holds {count} pictures; a training needs {max(21, 2 * settings.batch)} or "
            "more, for learning, validation and testing: give more, or a smaller --batch."
        )
    return parts


def channels_of(encoder: Encoder) -> dict[str, int]:
    """{layer: channels} of the layers that styles are described by."""
    return {layer: encoder.architecture.convolutions[layer.removeprefix("relu")] for layer in STYLE_LAYERS}


def unseen(photos: Sequence[Path], styles: Targets, count: int, settings: Training) -> tuple[Tensor, Targets, Choice]:
    """Crops (count, 3, S, S) of photos that are not learned from, each with one of the M `styles` in turn."""
    crops = Crops([photos], settings.crop_size, seed=settings.seed, disturbed=0.0).draw(count)
    means = styles[STYLE_LAYERS[0]]["mean"]
    order = torch.arange(count) % len(means)
    return crops.to(means.device), styles, Choice(torch.stack([order, order], 1), torch.zeros(count))


def training_record(progress: Progress, settings: Training, start: Path | None) -> dict[str, Any]:
    """What the card says of a training."""
    return {
        "settings": settings.model_dump(mode="json"),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "from": Source(name=start.name, sha256=sha256(start)).model_dump() if start else None,
    }


def tested(lesson: StyleLesson, progress: Progress, test: tuple[Tensor, Targets, Choice]) -> dict[str, float]:
    """Losses of the best weights on pictures that neither learning nor choosing has seen."""
    network = lesson.network
    network.load_state_dict(progress.network())
    lesson.validation = test
    return {name: round(value, 4) for name, value in lesson.validate(network).items()}


def model_card(
    kind: ModelKind, description: str, architecture: dict[str, Any], record: dict[str, Any], styles: Sequence[str] = ()
) -> Card:
    """The card of what was trained here."""
    compact = weights_path("compact")
    return Card(
        kind=kind,
        description=description,
        architecture=architecture,
        styles=tuple(styles),
        encoder=Source(name=compact.name, sha256=sha256(compact)),
        licence="MIT",
        training=record,
    )
