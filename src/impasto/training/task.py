"""What a painting network learns: to give crops the statistics of styles and leave their shapes."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from impasto.device import exactly
from impasto.encoders.encoder import Encoder
from impasto.engine.attack import attack, noisy
from impasto.losses.blotches import blotches
from impasto.losses.content import content_distances
from impasto.losses.grid import grid_regularity
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Targets
from impasto.media.geometry import shift
from impasto.models.instant import STYLE_LAYERS
from impasto.training.eyes import Eyes
from impasto.training.pictures import Crops
from impasto.training.settings import Training
from impasto.training.styles import STYLE, Book

if TYPE_CHECKING:
    from impasto.training.loop import Progress

SMOOTHNESS = TotalVariation("l1")
CONTENT_LAYERS = ("relu3_4", "relu4_2")
_SHEET = 8
_MIXED = 0.25
_FARTHEST, _EDGE = 6, 16


@dataclass(frozen=True)
class Choice:
    """Which styles each of N crops is to take: `styles` (N, 2) and the share of the second, `mixture` (N,)."""

    styles: Tensor
    mixture: Tensor

    @staticmethod
    def draw(indices: Sequence[int], count: int, seed: int) -> Choice:
        """For crops of these numbers, among `count` styles; some crops mix two."""
        styles, mixture = [], []
        for index in indices:
            chance = random.Random(f"{seed} {index} style")
            styles.append([chance.randrange(count), chance.randrange(count)])
            mixture.append(chance.random() if chance.random() < _MIXED else 0.0)
        return Choice(torch.tensor(styles), torch.tensor(mixture))

    def of(self, book: Book) -> Book:
        """The statistics (N, ...) of the N styles."""
        wants, reads = (
            {layer: {name: self.mix(rows) for name, rows in named.items()} for layer, named in targets.items()}
            for targets in (book.wants, book.reads)
        )
        return Book(wants, reads)

    def mix(self, rows: Tensor) -> Tensor:
        """(N, ...) of one row (M, ...) per style."""
        first, second = rows[self.styles[:, 0].to(rows.device)], rows[self.styles[:, 1].to(rows.device)]
        return first.lerp(second, self.mixture.to(rows.device).view(-1, *[1] * (rows.dim() - 1)))


class Task(nn.Module):
    """What a training teaches: called with crops (N, 3, S, S) and their numbers, it gives the loss () and its parts."""

    network: nn.Module
    encoder: Encoder
    settings: Training
    betas = (0.9, 0.99)

    def players(self) -> list[dict[str, Any]]:
        """Adam's groups of parameters; each moves at its `pace`, a multiple of the learning rate."""
        return [{"params": [p for p in self.network.parameters() if p.requires_grad], "pace": 1.0}]

    def habits(self, photos: Tensor, painted: Tensor, paint: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """How much () a network does what it should not, whatever it paints: weave, blotch, swim, flicker.

        `painted` (N, 3, S, S) is what `paint` makes of `photos`.
        """
        habits = self.seen_habits(photos, painted)
        if self.settings.shift_weight:
            habits["shift"] = self._swimming(photos, painted, paint)
        if self.settings.steady_weight:
            habits["unsteady"] = self._unsteadiness(photos, painted, paint)
        return habits

    def seen_habits(self, photos: Tensor, painted: Tensor) -> dict[str, Tensor]:
        """Those () that single results show: weave and blotches."""
        habits = dict[str, Tensor]()
        with exactly(photos.device):
            if self.settings.grid_weight:
                habits["grid"] = grid_regularity(painted.float())
            if self.settings.blotch_weight:
                habits["blotches"] = blotches(photos.float(), painted.float())
        return habits

    def weighed(self, habits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same, each by its weight."""
        weights = {
            "grid": self.settings.grid_weight,
            "blotches": self.settings.blotch_weight,
            "shift": self.settings.shift_weight,
            "unsteady": self.settings.steady_weight,
        }
        return {name: weights[name] * value for name, value in habits.items()}

    def _swimming(self, photos: Tensor, painted: Tensor, paint: Callable[[Tensor], Tensor]) -> Tensor:
        """How far () results of moved photos are from results that are moved alike, away from the edges."""
        down, right = torch.randint(-_FARTHEST, _FARTHEST + 1, (2,)).tolist()
        difference = paint(shift(photos, down, right)) - shift(painted, down, right)
        return difference[..., _EDGE:-_EDGE, _EDGE:-_EDGE].abs().mean()

    def _unsteadiness(self, photos: Tensor, painted: Tensor, paint: Callable[[Tensor], Tensor]) -> Tensor:
        """How far () results are from `painted` when their photos (N, 3, S, S) are disturbed."""
        epsilon, chance = self.settings.epsilon / 255, torch.rand(photos.shape).to(photos.device)
        if self.settings.disturbance == "noise":
            disturbed = noisy(photos, epsilon, chance)
        else:
            disturbed = attack(photos, painted.detach(), paint, epsilon, chance, steps=1)
        return (paint(disturbed) - painted).abs().mean()

    def check(self, recent: Sequence[Mapping[str, float]]) -> None:
        """Look at the losses of the last steps, the newest last.

        Raises:
            DivergedError: there is nothing more to be learned from going on like this.
        """

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Losses of `network` on what is not learned from; `total` is what should fall."""

    @abstractmethod
    def sheet(self, network: nn.Module) -> Tensor:
        """A picture (3, H, W) of some results."""


class StyleTask(Task):
    """A network, the frozen encoders that it sees and is judged by, and a book of styles to be learned.

    Args:
        network: what learns.
        eyes: what sees, and what judges.
        book: styles for training.
        validation: crops (V, 3, S, S) that are not learned from, with the book and the choice of their styles.
    """

    def __init__(
        self,
        network: nn.Module,
        eyes: Eyes,
        book: Book,
        validation: tuple[Tensor, Book, Choice],
        settings: Training,
    ) -> None:
        super().__init__()
        self.network, self.encoder, self.judge, self.settings = network, eyes.own, eyes.judge, settings
        self.book, self.validation = book, validation

    @property
    @abstractmethod
    def content_layers(self) -> Sequence[str]:
        """What the network sees of the photo."""

    @abstractmethod
    def paint(self, network: nn.Module, seen: Mapping[str, Tensor], styles: Book, choice: Choice) -> Tensor:
        """Pictures (N, 3, S, S) by `network`."""

    def content_weights(self, choice: Choice) -> Tensor | float:
        """How much content counts: for all crops, or for each of N (N,)."""
        return self.settings.content_weight

    def forward(self, crops: Tensor, indices: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss () of painting crops (N, 3, S, S), and its parts."""
        choice = Choice.draw(indices, self.book.count, self.settings.seed)
        styles = choice.of(self.book)
        painted, loss, parts = self._judged(self.network, crops, styles, choice)
        habits = self.habits(
            crops,
            painted,
            lambda photos: self.paint(self.network, self.encoder(photos, self.content_layers), styles, choice),
        )
        total = sum(self.weighed(habits).values(), start=loss)
        return total, parts | {name: value.detach() for name, value in habits.items()}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean losses of `network` on the crops kept for that."""
        crops, book, choice = self.validation
        sums: dict[str, float] = {}
        for rows in torch.arange(len(crops)).split(self.settings.batch):
            chosen = Choice(choice.styles[rows], choice.mixture[rows])
            photos = crops[rows.to(crops.device)]
            painted, loss, parts = self._judged(network, photos, chosen.of(book), chosen)
            habits = self.seen_habits(photos, painted)
            total = sum(self.weighed(habits).values(), start=loss)
            for name, value in {**parts, **habits, "total": total}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(rows) / len(crops)
        return sums

    @torch.no_grad()
    def sheet(self, network: nn.Module) -> Tensor:
        """Some of those crops above their paintings: (3, 2S, 8S)."""
        crops, book, choice = self.validation
        crops, chosen = crops[:_SHEET], Choice(choice.styles[:_SHEET], choice.mixture[:_SHEET])
        painted, _, _ = self._judged(network, crops, chosen.of(book), chosen)
        return torch.cat([torch.cat([*row], 2) for row in (crops, painted.float())], 1).cpu()

    def _judged(
        self, network: nn.Module, crops: Tensor, styles: Book, choice: Choice
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        crops = crops.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            seen, photo = self.encoder(crops, self.content_layers), self.judge(crops, CONTENT_LAYERS)
        painted = self.paint(network, seen, styles, choice)
        style, contents = distances(self.judge, painted, prepared(styles.wants), photo)
        with exactly(crops.device):
            smoothness = SMOOTHNESS.compare(SMOOTHNESS.describe(painted.float()), {})
            weights = self.settings
            loss = weights.style_weight * style + (self.content_weights(choice) * contents).mean()
            if weights.smoothness_weight:
                loss = loss + weights.smoothness_weight * smoothness
        return (
            painted,
            loss,
            {"style": style.detach(), "content": contents.detach().mean(), "smoothness": smoothness.detach()},
        )


def prepared(wants: Targets) -> Targets:
    """What the judge wants of N styles, ready to compare with."""
    with exactly(wants[STYLE_LAYERS[0]]["mean"].device):
        return {layer: STYLE.prepare(wants[layer]) for layer in STYLE_LAYERS}


def distances(judge: Encoder, painted: Tensor, styles: Targets, content: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """How far () `painted` (N, 3, H, W) is from the prepared `styles`, and each (N,) from its photo's shapes.

    `content` is what the judge sees of the photos at the content layers.
    """
    features = judge(painted, {*STYLE_LAYERS, *CONTENT_LAYERS})
    with exactly(painted.device):
        parts = [STYLE.compare(STYLE.describe(features[layer]), styles[layer]).mean() for layer in STYLE_LAYERS]
        return torch.stack(parts).mean(), content_distances(features, content, CONTENT_LAYERS)


def unseen(photos: Sequence[Path], styles: Book, count: int, settings: Training) -> tuple[Tensor, Book, Choice]:
    """Crops (count, 3, S, S) of photos that are not learned from, each with one of the M `styles` in turn."""
    crops = Crops([photos], settings.crop_size, seed=settings.seed, disturbed=0.0).draw(count)
    device, order = styles.wants[STYLE_LAYERS[0]]["mean"].device, torch.arange(count) % styles.count
    return crops.to(device), styles, Choice(torch.stack([order, order], 1), torch.zeros(count))


def tested(task: StyleTask, progress: Progress, test: tuple[Tensor, Book, Choice]) -> dict[str, float]:
    """Losses of the best weights on pictures that neither learning nor choosing has seen."""
    network = task.network
    network.load_state_dict(progress.network())
    task.validation = test
    return {name: round(value, 4) for name, value in task.validate(network).items()}
