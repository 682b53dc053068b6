"""`impasto train instant`: one network for any style, from a folder of photos and one of paintings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from impasto.errors import SettingsError
from impasto.losses.terms import Targets
from impasto.models.instant import BLOCKS, READER, Instant, moments
from impasto.shelf.card import load_model, write_model
from impasto.training.eyes import JUDGE, Eyes, channels_of
from impasto.training.loop import Progress
from impasto.training.pictures import Crops, split_sources
from impasto.training.processes import launch
from impasto.training.report import Report, model_card, training_record
from impasto.training.run_folder import RunFolder
from impasto.training.settings import InstantTraining
from impasto.training.styles import Book, describe_styles
from impasto.training.task import Choice, StyleTask, tested, unseen

SCALES = (1.0, 0.66)
_VALIDATION, _TEST = 32, 96
_FLOOR = 1e-3  # of the variance of styles along the direction in which they differ most
_DESCRIBING = 0.5  # of the time limit, at most: what has not been described by then is not learned from


class InstantTask(StyleTask):
    """Any style, which the network reads from its statistics."""

    content_layers = Instant.content_layers

    def paint(self, network: nn.Module, seen: Mapping[str, Tensor], styles: Book, choice: Choice) -> Tensor:
        assert isinstance(network, Instant)
        painted: Tensor = network(seen, network.style(styles.reads))
        return painted


def _begin(start: Path | None, channels: Mapping[str, int], settings: InstantTraining) -> tuple[Instant, int]:
    """The network that is to learn, and how much of its reader has learned already."""
    if start is None:
        blocks = BLOCKS if settings.blocks is None else settings.blocks
        return Instant(channels, reader=settings.reader or READER, blocks=blocks), 0
    card, learned = load_model(start)
    if not isinstance(learned, Instant):
        raise SettingsError(f"{start} is a {card.kind}; an instant network goes on from another instant network.")
    return extended(learned, settings.reader, settings.blocks), learned.architecture["reader"]


def extended(learned: Instant, reader: int | None, blocks: int | None) -> Instant:
    """A copy with a wider reader and more blocks, which changes next to nothing until those have learned something.

    Raises:
        SettingsError: it has more already.
    """
    asked = {name: value for name, value in (("reader", reader), ("blocks", blocks)) if value is not None}
    for name, value in asked.items():
        known = learned.architecture[name]
        if value < known:
            raise SettingsError(f"The network to go on from has --{name} {known}, which can only grow; not {value}.")
    network = Instant(**{**learned.architecture, **asked})
    state = network.state_dict()
    for name, value in learned.state_dict().items():
        if name.startswith("heads"):
            state[name].zero_()
        state[name][tuple(map(slice, value.shape))] = value
    network.load_state_dict(state)
    return network


@torch.no_grad()
def tell_apart(styles: Targets, network: Instant, known: int) -> None:
    """Let the reader's units, beyond the first `known`, answer to directions in which `styles` differ.

    As they come, moments are almost one number, how strong the contrasts are, and a network learns slowly from them.
    """
    layer = cast(nn.Linear, network.reader[0])
    read = moments(styles).to(layer.weight)
    if known == layer.out_features or len(read) < 2:
        return
    centred = read - read.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(read))
    directions = torch.randn(len(vectors), layer.out_features - known).to(read)
    weight = vectors @ (directions / (values.clamp_min(0) + _FLOOR * values.max()).sqrt().unsqueeze(1))
    seen = read @ weight
    deviation = seen.std(0).clamp_min(1e-6)
    layer.weight[known:] = (weight / deviation).T
    layer.bias[known:] = torch.randn(len(deviation)).to(seen) - seen.mean(0) / deviation


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
    run_folder = RunFolder(output)
    state = run_folder.load(settings) if resume else None
    photo_split, painting_split = split_sources(photos, settings), split_sources(paintings, settings)
    fabric = launch(settings)
    eyes = Eyes.of(fabric)
    torch.manual_seed(settings.seed)

    def described(paths: Sequence[Path]) -> Book:
        return Book.joined([page for _, page in describe_styles(eyes, paths, [1.0], set())])

    network, known = _begin(start, channels_of(eyes.own), settings)
    broken: set[Path] = set()
    pages = []
    for share, page in describe_styles(eyes, painting_split.training, SCALES, broken):
        pages.append(page)
        if settings.minutes and run_folder.spent > _DESCRIBING * 60 * settings.minutes:
            break
        yield Report(0.0, f"describing paintings, {share:.0%}", silent=not fabric.is_global_zero)
    book = Book.joined(pages)
    pages.clear()
    tell_apart(book.reads, network, known)

    validation = unseen(
        photo_split.validation, described(painting_split.validation[:_VALIDATION]), _VALIDATION, settings
    )
    task = InstantTask(network, eyes, book, validation, settings)
    crops = Crops([photo_split.training], settings.crop_size, seed=settings.seed, disturbed=0.0)

    progress: Progress | None = None
    for progress in run_folder.train(task, crops, settings, fabric, state):
        yield Report.of(progress, broken | crops.broken, silent=not fabric.is_global_zero)
    assert progress is not None
    if not fabric.is_global_zero:
        return

    test = unseen(photo_split.test, described(painting_split.test[:_TEST]), _TEST, settings)
    sources = {"photos": [path.name for path in photos], "paintings": [path.name for path in paintings]}
    record = {**training_record(progress, settings, start, JUDGE), **sources, "test": tested(task, progress, test)}
    write_model(
        output, model_card("instant", "Any style in one pass.", network.architecture, record), progress.network()
    )
