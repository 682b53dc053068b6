"""`impasto train instant`: one network for any style, from a folder of photos and one of paintings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from impasto.collection.card import Card, load_model, write_model
from impasto.encoders import load_encoder, weights_path
from impasto.encoders.encoder import Encoder
from impasto.errors import InputError, SettingsError
from impasto.losses.terms import Targets
from impasto.models.instant import STYLE_LAYERS, Instant
from impasto.provenance import Source
from impasto.training.lesson import Choice, Lesson
from impasto.training.loop import Progress, launch
from impasto.training.pictures import Crops, Split, find_pictures, split
from impasto.training.settings import InstantTraining, Training
from impasto.training.styles import bind, describe_styles
from impasto.training.workshop import Workshop
from impasto.weights.files import sha256

SCALES = (1.0, 0.66)
_VALIDATION, _TEST = 32, 96


@dataclass(frozen=True)
class Report:
    """How far a training has come; `silent` in all processes but one."""

    done: float
    message: str
    silent: bool = False


class InstantLesson(Lesson):
    """Any style: the network reads it from the statistics that it is to reach."""

    content_layers = Instant.content_layers

    def paint(self, network: nn.Module, seen: Mapping[str, Tensor], styles: Targets, choice: Choice) -> Tensor:
        assert isinstance(network, Instant)
        painted: Tensor = network(seen, network.style(styles))
        return painted


def train_instant(
    photos: Sequence[Path],
    paintings: Sequence[Path],
    output: Path,
    settings: InstantTraining,
    *,
    resume: bool = False,
    start: Path | None = None,
) -> Iterator[Report]:
    """Train the network and write it to `output`, reporting as it goes; leaving early keeps what is needed to resume.

    `start` is a model to go on from, with new data or settings.

    Raises:
        InputError: a source without pictures, or too few of them; a model or checkpoint that cannot be used.
        DivergedError: the loss is no longer a finite number; the last checkpoint is kept.
        OutputError: something cannot be written; what was written before is kept.
    """
    workshop = Workshop(output)
    state = workshop.load(settings) if resume else None
    photo_split, painting_split = _split(photos, settings), _split(paintings, settings)
    fabric = launch(settings)
    encoder = load_encoder("compact").to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.manual_seed(settings.seed)

    broken: set[Path] = set()
    descriptions = []
    for share, description in describe_styles(encoder, painting_split.training, SCALES, broken):
        descriptions.append(description)
        yield Report(0.0, f"describing paintings, {share:.0%}", silent=not fabric.is_global_zero)

    card, network = load_model(start) if start else (None, Instant(channels_of(encoder)))
    if card and card.kind != "instant":
        raise SettingsError(f"{start} is a {card.kind}; an instant network goes on from another instant network.")
    network.requires_grad_(True)
    validation = unseen(encoder, photo_split.validation, painting_split.validation, _VALIDATION, settings)
    lesson = InstantLesson(network, encoder, bind(descriptions), validation, settings)
    crops = Crops([photo_split.training], settings.crop_size, seed=settings.seed, disturbed=0.0)

    progress: Progress | None = None
    for progress in workshop.train(lesson, crops, settings, fabric, state):
        yield Report(progress.done, message(progress, broken | crops.broken), silent=not fabric.is_global_zero)
    assert progress is not None
    if not fabric.is_global_zero:
        return

    test = unseen(encoder, photo_split.test, painting_split.test, _TEST, settings)
    description = "Any style in one pass."
    architecture = {"channels": channels_of(encoder)}
    sources = {"photos": [path.name for path in photos], "paintings": [path.name for path in paintings]}
    record = {**training_record(lesson, progress, settings, start), **sources, "test": tested(lesson, progress, test)}
    write_model(output, model_card("instant", description, architecture, record), progress.network())


def _split(sources: Sequence[Path], settings: Training) -> Split:
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


def unseen(
    encoder: Encoder, photos: Sequence[Path], paintings: Sequence[Path], count: int, settings: Training
) -> tuple[Tensor, Targets, Choice]:
    """Crops (count, 3, S, S) of photos and the styles for them, none of which is learned from."""
    chosen = list(paintings[:count])
    styles = bind([described for _, described in describe_styles(encoder, chosen, [1.0], set())])
    crops = Crops([photos], settings.crop_size, seed=settings.seed, disturbed=0.0).draw(count)
    known = len(styles[STYLE_LAYERS[0]]["mean"])
    order = torch.arange(count) % known
    device = next(encoder.parameters()).device
    return crops.to(device), styles, Choice(torch.stack([order, order], 1), torch.zeros(count))


def message(progress: Progress, broken: set[Path]) -> str:
    """One line: losses, speed, what was passed over."""
    losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items() if name != "total")
    skipped = f"  {len(broken)} broken pictures" if broken else ""
    return f"step {progress.step}  {losses}  {progress.samples_per_second:.1f} samples/s{skipped}"


def training_record(lesson: Lesson, progress: Progress, settings: Training, start: Path | None) -> dict[str, Any]:
    """What the card says of a training."""
    return {
        "settings": settings.model_dump(mode="json"),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "from": Source(name=start.name, sha256=sha256(start)).model_dump() if start else None,
    }


def tested(lesson: Lesson, progress: Progress, test: tuple[Tensor, Targets, Choice]) -> dict[str, float]:
    """Losses of the best weights on pictures that neither learning nor choosing has seen."""
    network = lesson.network
    network.load_state_dict(progress.network())
    lesson.validation = test
    return {name: round(value, 4) for name, value in lesson.validate(network).items()}


def model_card(
    kind: Any, description: str, architecture: dict[str, Any], record: dict[str, Any], styles: Sequence[str] = ()
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
