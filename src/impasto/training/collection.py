"""`impasto train collection`: a network for the manner of a whole collection, from photos that are not its pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.errors import InputError, SettingsError
from impasto.losses.terms import Targets
from impasto.models import ModelKind
from impasto.models.critic import Critic, FeatureCritic, PatchCritic
from impasto.models.instant import STYLE_LAYERS
from impasto.models.painter import Painter
from impasto.models.translator import Translator
from impasto.shelf.card import Card, load_model, write_model
from impasto.training.adversarial import CONTRAST_LAYERS, Contrast, Cycle, Duel, Pool
from impasto.training.eyes import channels_of, encoder_on
from impasto.training.loop import Progress
from impasto.training.manner import Generator, described, manner_distance, paint, pooled
from impasto.training.painter import restyled
from impasto.training.pictures import Crops, Split, find_pictures, split
from impasto.training.processes import launch
from impasto.training.report import Report, model_card, training_record
from impasto.training.run_folder import RunFolder
from impasto.training.settings import CollectionTraining
from impasto.weights.files import sha256

_HELD_OUT = 0.2
_DESCRIBED = 256
_VALIDATION, _TEST = 48, 96
_TRIED = 8


def train_collection(
    photos: Sequence[Path],
    collection: Sequence[Path],
    output: Path,
    settings: CollectionTraining,
    *,
    resume: bool = False,
    start: Path | None = None,
) -> Iterator[Report]:
    """Train a network that gives photos the manner of `collection`, and write it to `output`, reporting as it goes.

    `start` is a painter or translator to go on from; of a painter's styles, the one nearest to the collection.

    Raises:
        InputError: a source without pictures, too few of them, or the same in both; a model that cannot be used.
        DivergedError: the loss is no longer a finite number, or the network collapsed; the last checkpoint is kept.
        OutputError: something cannot be written; what was written before is kept.
    """
    run_folder = RunFolder(output)
    state = run_folder.load(settings) if resume else None
    photo_split, painting_split = _splits(photos, collection, settings)
    fabric = launch(settings)
    encoder = encoder_on(fabric.device, "compact")
    torch.manual_seed(settings.seed)

    def crops_of(paths: Sequence[Path], count: int) -> Tensor:
        return _crops([paths], settings).draw(count).to(fabric.device, memory_format=torch.channels_last)

    yield Report(0.0, "describing the collection", silent=not fabric.is_global_zero)
    target = described(encoder, crops_of(painting_split.training, _DESCRIBED))
    validation = (
        crops_of(photo_split.validation, _VALIDATION),
        described(encoder, crops_of(painting_split.validation, _DESCRIBED)),
    )
    network = _generator(start, encoder, target, validation[0][:_TRIED], settings).to(fabric.device)
    critic, method = _critic(encoder, settings), _method(start, network, encoder, validation[0], settings)
    duel = Duel(network, critic, method, encoder, target, validation, settings).to(fabric.device)
    crops = _crops([photo_split.training, painting_split.training], settings)

    progress: Progress | None = None
    for progress in run_folder.train(duel, crops, settings, fabric, state):
        yield Report.of(progress, crops.broken, silent=not fabric.is_global_zero)
    assert progress is not None
    if not fabric.is_global_zero:
        return

    network.load_state_dict(progress.network())
    network.eval()
    theirs = described(encoder, crops_of(painting_split.test, _DESCRIBED))
    duel.validation = crops_of(photo_split.test, _TEST), theirs
    record = {
        **training_record(progress, settings, start),
        "photos": [path.name for path in photos],
        "collection": [path.name for path in collection],
        "test": {name: round(value, 4) for name, value in duel.validate(network).items()},
    }
    write_model(output, _card(network, collection, output, record), progress.network())


def _crops(sources: Sequence[Sequence[Path]], settings: CollectionTraining) -> Crops:
    size, smallest_scale = settings.crop_size, settings.smallest_scale
    return Crops(sources, size, seed=settings.seed, disturbed=0.0, smallest_scale=smallest_scale)


def _card(network: Generator, collection: Sequence[Path], output: Path, record: dict[str, Any]) -> Card:
    kind: ModelKind = "translator" if isinstance(network, Translator) else "painter"
    description = f"Photos in the manner of {collection[0].stem.replace('_', ' ')}, in one pass."
    return model_card(kind, description, network.architecture, record, [output.stem])


def _splits(photos: Sequence[Path], collection: Sequence[Path], settings: CollectionTraining) -> tuple[Split, Split]:
    found = [[path for paths in find_pictures(sources) for path in paths] for sources in (photos, collection)]
    both = _in_both(*found)
    if both:
        raise InputError(
            f"{len(both)} pictures are in both collections, {min(both).name} among them; a network cannot learn to "
            "tell them apart: take them out of one."
        )
    needed = 2 * settings.batch + 2
    for sources, paths in zip((photos, collection), found):
        if len(paths) < needed:
            raise InputError(
                f"{', '.join(map(str, sources))} holds {len(paths)} pictures; a training needs {needed} or more, for "
                "learning, validation and testing: give more, or a smaller --batch."
            )
    first, second = (split(paths, settings.seed, held_out=_HELD_OUT) for paths in found)
    return first, second


def _in_both(photos: Sequence[Path], collection: Sequence[Path]) -> list[Path]:
    """Those of the collection that are among the photos, under whatever name."""
    sizes = [{path: path.stat().st_size for path in paths if path.is_file()} for paths in (photos, collection)]
    common = set(sizes[0].values()) & set(sizes[1].values())
    known = {sha256(path) for path, size in sizes[0].items() if size in common}
    return [path for path, size in sizes[1].items() if size in common and sha256(path) in known]


def _generator(
    start: Path | None, encoder: Encoder, target: Targets, crops: Tensor, settings: CollectionTraining
) -> Generator:
    """A new network of the kind that is wanted, or that of `start`."""
    if start is None:
        if settings.generator == "painter":
            return Painter({"relu3_1": channels_of(encoder)["relu3_1"]}, 1)
        return Translator(settings.generator, settings.width, settings.blocks)
    _, learned = load_model(start)
    kind = (
        learned.layout if isinstance(learned, Translator) else "painter" if isinstance(learned, Painter) else "instant"
    )
    if kind != settings.generator:
        raise SettingsError(
            f"{start} holds a network of kind {kind}, not {settings.generator}; give --start another, or none, or "
            "another --generator."
        )
    learned.requires_grad_(True)
    assert isinstance(learned, Generator)
    return restyled(learned, [_nearest(learned, encoder, target, crops)]) if isinstance(learned, Painter) else learned


@torch.no_grad()
def _nearest(painter: Painter, encoder: Encoder, target: Targets, crops: Tensor) -> int:
    """The style of `painter` whose results come nearest to the collection."""
    distances = []
    for style in range(painter.styles * len(painter.sizes)):
        painted = paint(restyled(painter, [style]).eval().to(crops.device), encoder, crops)
        distances.append(float(manner_distance(pooled(encoder(painted, STYLE_LAYERS)), target)))
    return distances.index(min(distances))


def _critic(encoder: Encoder, settings: CollectionTraining) -> Critic:
    if settings.critic == "patches":
        return PatchCritic(settings.critic_width, settings.critic_scales, spectral=settings.spectral)
    return FeatureCritic(_contrast_channels(encoder), settings.critic_width, spectral=settings.spectral)


def _contrast_channels(encoder: Encoder) -> dict[str, int]:
    channels = channels_of(encoder)
    return {layer: channels[layer] for layer in CONTRAST_LAYERS}


def _method(
    start: Path | None, network: Generator, encoder: Encoder, crops: Tensor, settings: CollectionTraining
) -> Contrast | Cycle:
    if settings.method == "cyclegan":
        back = _generator(start, encoder, described(encoder, crops), crops[:_TRIED], settings)
        pool = Pool(settings.pool, settings.crop_size) if settings.pool else None
        return Cycle(back, _critic(encoder, settings), pool)
    channels = network.sketched if isinstance(network, Translator) else [*_contrast_channels(encoder).values()]
    return Contrast(channels, identity=settings.method == "cut")
