"""`impasto train painter`: a small network for one style, or for several and all between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from impasto.errors import PictureError, SettingsError, UnknownName
from impasto.losses.terms import Targets, joined, part_of
from impasto.media.image import read
from impasto.models.instant import STYLE_LAYERS
from impasto.models.painter import WIDTHS, Painter
from impasto.settings import style_size
from impasto.shelf.card import load_model, write_model
from impasto.training.eyes import JUDGE, Eyes, channels_of, device_of
from impasto.training.loop import Progress
from impasto.training.pictures import Crops, Split, shipped_photos, split_sources
from impasto.training.processes import launch
from impasto.training.report import Report, model_card, training_record
from impasto.training.run_folder import RunFolder
from impasto.training.settings import PainterTraining
from impasto.training.styles import STYLE, Book, describe_style
from impasto.training.task import Choice, StyleTask, tested, unseen
from impasto.weights.files import sha256

_TRIED = 8
_VALIDATION, _TEST = 32, 64


class PainterTask(StyleTask):
    """A fixed set of styles, one row of scales and shifts for each."""

    content_layers = Painter.content_layers

    def __init__(self, network: Painter, eyes: Eyes, book: Book, validation: tuple[Tensor, Book, Choice],
                 settings: PainterTraining, names: Sequence[str]) -> None:  # fmt: skip
        super().__init__(network, eyes, book, validation, settings)
        own = [settings.content_weights.get(name, settings.content_weight) for name in names]
        rows = torch.tensor(own).repeat_interleave(len(network.sizes))
        self._content_weights = rows.to(device_of(eyes.own))

    def content_weights(self, choice: Choice) -> Tensor:
        return choice.mix(self._content_weights)

    def paint(self, network: nn.Module, seen: Mapping[str, Tensor], styles: Book, choice: Choice) -> Tensor:
        assert isinstance(network, Painter)
        rows = torch.eye(network.styles * len(network.sizes), device=next(network.parameters()).device)
        painted: Tensor = network(seen, network.mixed(choice.mix(rows)))
        return painted


def train_painter(
    styles: Sequence[Path],
    output: Path,
    settings: PainterTraining,
    *,
    photos: Sequence[Path] = (),
    resume: bool = False,
    start: Path | None = None,
) -> Iterator[Report]:
    """Train a painter of `styles` and write it to `output`, reporting as it goes.

    `photos`, those of the package if there are none, are learned on; `start` is a painter to go on from, of the same
    number of styles or of another: new styles begin from the learned one that is nearest.

    Raises:
        InputError: a style that cannot be used, too few photos, a model or checkpoint that cannot be used.
        DivergedError: the loss is no longer a finite number; the last checkpoint is kept.
        OutputError: something cannot be written; what was written before is kept.
    """
    names = [style.stem for style in styles]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SettingsError(f"The styles need names of their own, but two are called {twice}; rename one file.")
    for name in settings.content_weights:
        if name not in names:
            raise UnknownName("style to be learned", name, names)
    run_folder = RunFolder(output)
    state = run_folder.load(settings) if resume else None
    photo_split = split_sources(photos, settings) if photos else Split(*[shipped_photos()] * 3)
    fabric = launch(settings)
    eyes = Eyes.of(fabric)
    torch.manual_seed(settings.seed)

    sizes = tuple(sorted({*settings.sizes}))
    described = [_described(eyes, style, size, settings.style_scale) for style in styles for size in sizes]
    book = Book(joined(described), reads={})
    validation = unseen(photo_split.validation, book, _VALIDATION, settings)
    network = _begin(start, names, settings, eyes, book.wants, validation[0])
    task = PainterTask(network, eyes, book, validation, settings, names)
    crops = Crops([photo_split.training], settings.crop_size, seed=settings.seed, disturbed=0.0)

    progress: Progress | None = None
    for progress in run_folder.train(task, crops, settings, fabric, state):
        yield Report.of(progress, crops.broken, silent=not fabric.is_global_zero)
    assert progress is not None
    if not fabric.is_global_zero:
        return

    test = unseen(photo_split.test, book, _TEST, settings)
    description = f"{names[0]}, in one pass." if len(names) == 1 else f"{len(names)} styles in one pass."
    record = {
        **training_record(progress, settings, start, JUDGE),
        "photos": [path.name for path in photos] or "those of the package",
        "styles": {name: {"name": style.name, "sha256": sha256(style)} for name, style in zip(names, styles)},
        "test": tested(task, progress, test),
    }
    write_model(output, model_card("painter", description, network.architecture, record, names), progress.network())


def _described(eyes: Eyes, style: Path, size: int, scale: float) -> Targets:
    """What the judge wants of a style that is seen at a long side of `size`, times `scale`.

    Raises:
        PictureError: it cannot be read, or is all one colour.
    """
    picture = read(style, style_size(size, scale)).pixels
    if float(picture.amax((2, 3)).sub(picture.amin((2, 3))).max()) < 2 / 255:
        raise PictureError(f"{style} is all one colour, so there is no manner in it to learn; give another painting.")
    with eyes.autocast():
        return describe_style(eyes.judge, picture.to(device_of(eyes.judge)))


def _begin(
    start: Path | None,
    names: Sequence[str],
    settings: PainterTraining,
    eyes: Eyes,
    book: Targets,
    crops: Tensor,
) -> Painter:
    """A new painter, or that of `start` with rows for each of the styles, widened if that is asked for."""
    channels, sizes = {"relu3_1": channels_of(eyes.own)["relu3_1"]}, tuple(sorted({*settings.sizes}))
    if start is None:
        return Painter(channels, len(names), settings.widths or WIDTHS, sizes=sizes)
    card, learned = load_model(start)
    if not isinstance(learned, Painter):
        raise SettingsError(f"{start} is an {card.kind} network; a painter goes on from another painter.")
    learned = widened(learned, settings.widths) if settings.widths else learned
    learned.requires_grad_(True).to(crops.device)
    if card.styles == tuple(names) and learned.sizes == sizes:
        return learned
    known = [name in card.styles for name in names]
    nearest = [] if all(known) else _nearest(learned, eyes, book, crops[:_TRIED])
    rows: list[int] = []
    for name in names:
        for size in sizes:
            like = learned.sizes.index(min(learned.sizes, key=lambda each: abs(each - size)))
            own = card.styles.index(name) * len(learned.sizes) + like if name in card.styles else nearest[len(rows)]
            rows.append(own)
    return restyled(learned, rows, sizes).to(crops.device)


def restyled(learned: Painter, rows: Sequence[int], sizes: tuple[int, ...] = (512,)) -> Painter:
    """A copy of a painter with these of its rows, for each style one for each of `sizes`."""
    architecture = {**learned.architecture, "styles": len(rows) // len(sizes), "sizes": sizes}
    network = Painter(**architecture)
    state = learned.state_dict()
    network.load_state_dict(
        {key: value[list(rows)] if key.startswith(("scales", "shifts")) else value for key, value in state.items()}
    )
    return network


def widened(learned: Painter, widths: Sequence[int]) -> Painter:
    """A painter of more channels, which paints like `learned` until the new ones have learned something (Net2Net).

    Raises:
        SettingsError: fewer channels than it has.
    """
    known = learned.architecture["widths"]
    if any(wide < narrow for wide, narrow in zip(widths, known)):
        raise SettingsError(f"The painter to go on from has widths {known}, which can only grow; not {list(widths)}.")
    network = Painter(**{**learned.architecture, "widths": list(widths)})
    convolutions = [
        [*(stage.convolution for stage in painter.stages), painter.output] for painter in (learned, network)
    ]
    with torch.no_grad():
        before = after = 0
        for narrow, wide in zip(*convolutions):
            count = narrow.out_channels
            wide.weight[:count, before:after] = 0
            wide.weight[:count, :before] = narrow.weight[:, :before]
            wide.weight[:count, after:] = narrow.weight[:, before:]
            before, after = count, wide.out_channels
        cast(Tensor, network.output.bias).copy_(cast(Tensor, learned.output.bias))
        for narrow, wide in zip([*learned.scales, *learned.shifts], [*network.scales, *network.shifts]):
            wide[:, : narrow.shape[1]] = narrow
    return network


@torch.no_grad()
def _nearest(learned: Painter, eyes: Eyes, book: Targets, crops: Tensor) -> list[int]:
    """For each row of the book, the learned one whose results come nearest to its statistics."""
    seen = eyes.own(crops.contiguous(memory_format=torch.channels_last), learned.content_layers)
    distances = []
    count = learned.styles * len(learned.sizes)
    for row in torch.eye(count, device=crops.device):
        features = eyes.judge(learned(seen, learned.mixed(row.expand(len(crops), -1))), STYLE_LAYERS)
        described = {layer: STYLE.describe(seen) for layer, seen in features.items()}
        distances.append([_distance(described, book, style) for style in range(len(book[STYLE_LAYERS[0]]["mean"]))])
    return [min(range(count), key=lambda row: distances[row][style]) for style in range(len(distances[0]))]


def _distance(described: Targets, book: Targets, style: int) -> float:
    return sum(
        float(STYLE.compare(named, STYLE.prepare(part_of(book, style)[layer])).mean())
        for layer, named in described.items()
    )
