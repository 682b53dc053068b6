"""A painter against a critic, for pictures without pairs: CycleGAN (Zhu et al., 2017), CUT (Park et al., 2020).

Both move in the same step, each by its own loss: one pass paints, judges and teaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.device import exactly
from impasto.encoders.encoder import Encoder
from impasto.errors import DivergedError
from impasto.losses.adversarial import critic_loss, painter_loss
from impasto.losses.content import content_distance
from impasto.losses.contrastive import patch_contrast
from impasto.losses.terms import Targets
from impasto.models.critic import Critic, Projector
from impasto.models.instant import STYLE_LAYERS
from impasto.models.translator import Translator
from impasto.training.augmentation import augmented
from impasto.training.manner import Generator, Memory, manner_distance, paint, painted_from, pooled
from impasto.training.settings import CollectionTraining
from impasto.training.task import CONTENT_LAYERS, Task

CONTRAST_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
_PLACES = 128
_SHEET = 8
_FLAT = 2 / 255
_CERTAIN = 1e-3
_SAME = 1e-4


class Pool(nn.Module):
    """Earlier results: half of the time the critic sees one of them instead of a new one (Shrivastava et al., 2017)."""

    pictures: Tensor
    count: Tensor

    def __init__(self, size: int, side: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(size, 3, side, side))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def exchange(self, painted: Tensor) -> Tensor:
        """As many pictures as came (N, 3, S, S), some of them from earlier."""
        given = []
        for picture in painted.float():
            count = int(self.count)
            if count < len(self.pictures):
                self.pictures[count] = picture
                self.count += 1
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(count, ()))
                earlier = self.pictures[place].clone()
                self.pictures[place] = picture
                picture = earlier
            given.append(picture)
        return torch.stack(given)


@dataclass(frozen=True)
class Scene:
    """A step's photos and paintings (N, 3, S, S), what was painted, and what the encoder sees of photos and results."""

    photos: Tensor
    paintings: Tensor
    painted: Tensor
    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]


class Contrast(nn.Module):
    """Each place of the result is to be found in the photo by what the painter itself sees of both."""

    def __init__(self, channels: Sequence[int], *, identity: bool) -> None:
        super().__init__()
        self.projector = Projector(channels)
        self.identity = identity

    def forward(self, duel: Duel, scene: Scene) -> dict[str, Tensor]:
        loss = self._between(duel, scene.before, scene.after)
        if self.identity:
            with torch.no_grad():
                before = duel.encoder(scene.paintings, duel.seen_before)
            same = duel.paint(before)
            loss = (loss + self._between(duel, before, duel.encoder(same, {"image", *CONTRAST_LAYERS}))) / 2
        return {"contrast": duel.settings.contrast_weight * loss}

    def _between(self, duel: Duel, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Tensor:
        with torch.no_grad():
            theirs = self._glimpses(duel, before)
        places = [torch.randperm(seen.shape[2] * seen.shape[3])[:_PLACES].to(seen.device) for seen in theirs]
        ours = self.projector(self._glimpses(duel, after), places)
        losses = [patch_contrast(*pair) for pair in zip(ours, self.projector(theirs, places))]
        return sum(losses[1:], start=losses[0]) / len(losses)

    @staticmethod
    def _glimpses(duel: Duel, seen: Mapping[str, Tensor]) -> list[Tensor]:
        if isinstance(duel.network, Translator):
            return duel.network.sketch(seen)
        return [seen[layer] for layer in CONTRAST_LAYERS]


class Cycle(nn.Module):
    """A second painter leads back, and there and back again must be the picture from which it began."""

    def __init__(self, painter: Generator, critic: Critic, pool: Pool | None) -> None:
        super().__init__()
        self.painter, self.critic, self.pool = painter, critic, pool

    def forward(self, duel: Duel, scene: Scene) -> dict[str, Tensor]:
        encoder, weights = duel.encoder, duel.settings
        photos, paintings = scene.photos, scene.paintings
        photographed = paint(self.painter, encoder, paintings)
        seen = encoder(photographed, {*self.critic.layers, *duel.seen_before})
        theirs, critics = duel.versus(self.critic, self.pool, photos, photographed, seen)
        cycle = F.l1_loss(paint(self.painter, encoder, scene.painted), photos)
        cycle = cycle + F.l1_loss(duel.paint(seen), paintings)
        losses = {"back": theirs, "back_critic": critics, "cycle": weights.cycle_weight * cycle}
        if weights.identity_weight:
            same = F.l1_loss(paint(duel.network, encoder, paintings), paintings)
            same = same + F.l1_loss(paint(self.painter, encoder, photos), photos)
            losses["identity"] = weights.identity_weight * same
        return losses


class Duel(Task):
    """A painter, its critic, what holds the content (`method`), and a collection's statistics to be reached.

    Crops come in turn from photos and from the collection. FastCUT paints every other photo in a mirror, so that
    left and right are painted alike.

    Args:
        network: the painter.
        critic: tells its pictures from the collection's.
        method: `Contrast` or `Cycle`.
        encoder: what sees, frozen.
        collection: prepared statistics of the collection, to learn.
        validation: photos (V, 3, S, S) that are not learned from, and prepared statistics of paintings that are not.
    """

    settings: CollectionTraining
    betas = (0.5, 0.999)

    def __init__(
        self,
        network: Generator,
        critic: Critic,
        method: Contrast | Cycle,
        encoder: Encoder,
        collection: Targets,
        validation: tuple[Tensor, Targets],
        settings: CollectionTraining,
    ) -> None:
        super().__init__()
        self.network, self.critic, self.method, self.encoder = network, critic, method, encoder
        contrast = CONTRAST_LAYERS if isinstance(method, Contrast) else ()
        self.seen_before = {"image", *network.content_layers, *CONTENT_LAYERS, *contrast}
        self.seen_after = {"image", *critic.layers, *STYLE_LAYERS, *CONTENT_LAYERS, *contrast}
        self.pool = Pool(settings.pool, settings.crop_size) if settings.pool else None
        self.collection, self.validation, self.settings = collection, validation, settings
        self.memory = Memory(collection, settings.manner_memory)
        self.flips = settings.method == "fastcut"

    def players(self) -> list[dict[str, Any]]:
        """Who moves how fast: the painters with the learning rate, the critics with a multiple of it."""
        critics = [self.critic, *([self.method.critic] if isinstance(self.method, Cycle) else [])]
        judging = [parameter for critic in critics for parameter in critic.parameters()]
        known = {id(parameter) for parameter in judging}
        painting = [p for p in self.parameters() if p.requires_grad and id(p) not in known]
        return [{"params": painting, "pace": 1.0}, {"params": judging, "pace": self.settings.critic_pace}]

    def forward(self, crops: Tensor, indices: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """The losses of both (), added up, for crops (2N, 3, S, S) of a photo, a painting, and so on; and the parts."""
        weights = self.settings
        photos, paintings = (half.contiguous(memory_format=torch.channels_last) for half in (crops[0::2], crops[1::2]))
        with torch.no_grad():
            before = self.encoder(photos, self.seen_before)
        if self.flips and torch.rand(()) < 0.5:
            painted = paint(self.network, self.encoder, photos.flip(3)).flip(3)
        else:
            painted = self.paint(before)
        after = self.encoder(painted, self.seen_after)
        painter, critic = self.versus(self.critic, self.pool, paintings, painted, after)
        method = self.method(self, Scene(photos, paintings, painted, before, after))
        losses = {"painter": painter, "critic": critic, **method}
        with exactly(crops.device):
            if weights.manner_weight:
                statistics = self.memory.joined(pooled(after))
                losses["manner"] = weights.manner_weight * manner_distance(statistics, self.collection)
            if weights.content_weight:
                losses["content"] = weights.content_weight * content_distance(after, before, CONTENT_LAYERS)
        losses |= self.weighed(self.habits(photos, painted, partial(paint, self.network, self.encoder)))
        total = sum(losses.values(), start=torch.zeros((), device=crops.device))
        return total, {name: loss.detach() for name, loss in losses.items()}

    def paint(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Pictures (N, 3, S, S) by the painter."""
        assert isinstance(self.network, Generator)
        return painted_from(self.network, seen)

    def versus(
        self, critic: Critic, pool: Pool | None, real: Tensor, painted: Tensor, seen: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """(the painter's loss, the critic's loss) over `painted`; `seen` is what the encoder sees of it."""
        weights = self.settings
        augmenting = weights.augmentation
        if augmenting:
            seen = self.encoder(augmented(painted), critic.layers)
        with _held(critic):
            fooled = painter_loss(weights.game, critic(seen))
        with torch.no_grad():
            if augmenting or pool:
                given = pool.exchange(painted) if pool else painted
                seen = self.encoder(augmented(given) if augmenting else given, critic.layers)
            truth = self.encoder(augmented(real) if augmenting else real, critic.layers)
        truth = {layer: features.detach().requires_grad_(weights.r1 > 0) for layer, features in truth.items()}
        verdicts = critic(truth)
        loss = critic_loss(weights.game, verdicts, critic({layer: seen[layer].detach() for layer in critic.layers}))
        if weights.r1:
            loss = loss + weights.r1 / 2 * _steepness(verdicts, list(truth.values()))
        return weights.adversarial_weight * fooled, loss

    def check(self, recent: Sequence[Mapping[str, float]]) -> None:
        """Whether the critics still play.

        Raises:
            DivergedError: one is always right, or always says the same.
        """
        for name in ("critic", "back_critic"):
            losses = [losses[name] for losses in recent if name in losses]
            if not losses or not self.settings.adversarial_weight:
                continue
            if max(losses) < _CERTAIN:
                raise DivergedError(
                    f"The critic has won: it was right in all of the last {len(losses)} steps, so nothing can be "
                    "learned from it; go on from the last checkpoint with --resume and --augmentation, a higher --r1 "
                    "or a lower --critic-pace, or begin again with --spectral or more pictures."
                )
            if max(losses) - min(losses) < _SAME:
                raise DivergedError(
                    f"The critic has collapsed: its loss was {losses[-1]:.3f} in all of the last {len(losses)} steps, "
                    "whatever it saw; go on from the last checkpoint with --resume and a lower --critic-pace or "
                    "--learning-rate."
                )

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """How far `network`'s results are from paintings that are not learned from, and from their photos.

        Raises:
            DivergedError: it paints the same, whatever the photo.
        """
        photos, paintings = self.validation
        statistics: list[Targets] = []
        content, habits, spread = 0.0, 0.0, 0.0
        for some in photos.split(self.settings.batch):
            painted = paint(network, self.encoder, some)
            seen = self.encoder(painted, {*STYLE_LAYERS, *CONTENT_LAYERS})
            statistics.append(pooled(seen))
            share = len(some) / len(photos)
            content += share * float(content_distance(seen, self.encoder(some, CONTENT_LAYERS), CONTENT_LAYERS))
            habits += share * float(sum(self.weighed(self.seen_habits(some, painted)).values()))
            spread = max(spread, float(painted.float().std((2, 3)).max()))
        if spread < _FLAT:
            raise DivergedError(
                "The network has collapsed: its pictures are of one colour, whatever the photo; go on from the last "
                "checkpoint with --resume and a lower --learning-rate or --adversarial-weight."
            )
        mean = {
            layer: {name: torch.cat([one[layer][name] for one in statistics]).mean(0, keepdim=True) for name in named}
            for layer, named in statistics[0].items()
        }
        manner = float(manner_distance(mean, paintings))
        total = manner + self.settings.validation_content * content + habits
        return {"manner": manner, "content": content, "habits": habits, "total": total}

    @torch.no_grad()
    def sheet(self, network: nn.Module) -> Tensor:
        """Some of those photos above what is made of them: (3, 2S, 8S)."""
        photos = self.validation[0][:_SHEET]
        painted = paint(network, self.encoder, photos)
        return torch.cat([torch.cat([*row], 2) for row in (photos, painted.float())], 1).cpu()


@contextmanager
def _held(network: nn.Module) -> Iterator[None]:
    """Nothing inside the block teaches `network`."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _steepness(verdicts: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """R1 (Mescheder et al., 2018): the mean squared slope () of the verdicts on what is real."""
    total = torch.stack([verdict.sum() for verdict in verdicts]).sum()
    gradients = torch.autograd.grad(total, truth, create_graph=True)
    slopes = [gradient.square().flatten(1).sum(1).mean() for gradient in gradients]
    return sum(slopes[1:], start=slopes[0]) / len(slopes)
