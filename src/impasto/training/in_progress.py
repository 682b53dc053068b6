"""Paintings in progress: what an encoder sees while the slow road paints by it, and must not be fooled by."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from impasto.device import each_in_autocast
from impasto.encoders.encoder import Encoder
from impasto.engine.judgement import Judgement
from impasto.engine.optimize import Objective, Update, optimize
from impasto.engine.optimizer_settings import OptimizerSettings
from impasto.engine.scales import Scale
from impasto.losses.content import Content
from impasto.losses.terms import Term, describe
from impasto.models.instant import STYLE_LAYERS
from impasto.training.pictures import Crops
from impasto.training.styles import STYLE
from impasto.training.task import CONTENT_LAYERS

_AT_ONCE = 12
_FEWEST_STEPS, _MOST_STEPS = 8, 40
_CONTENT_WEIGHTS = (0.08, 0.16, 0.3)
_FROM_NOISE = 0.2


class PaintingsInProgress:
    """Some paintings of crops in the manner of other crops, each at another step, all by the eyes of one encoder."""

    def __init__(self, encoder: Encoder, crops: Crops, seed: int, *, bfloat16: bool) -> None:
        self.encoder = encoder
        """By whose eyes they go on."""
        self._crops, self._bfloat16 = crops, bfloat16
        self._chance = random.Random(f"{seed} in progress")
        self._paintings = [self._begun() for _ in range(_AT_ONCE)]

    def advance(self, count: int) -> Tensor:
        """Take `count` of them, chosen by chance, one step further: (count, 3, S, S), sRGB in [0, 1]."""
        pictures = []
        for _ in range(count):
            number = self._chance.randrange(_AT_ONCE)
            update = next(self._paintings[number])
            if update.step == update.steps:
                self._paintings[number] = self._begun()
            pictures.append(update.picture.clamp(0, 1))
        return torch.cat(pictures)

    def _begun(self) -> Iterator[Update]:
        content, style = self._crops.draw(2).split(1)
        first = content
        if self._chance.random() < _FROM_NOISE:
            generator = torch.Generator().manual_seed(self._chance.getrandbits(32))
            first = (0.5 + 0.15 * torch.randn(content.shape, generator=generator)).clamp(0, 1)
        problem = _Problem(self, content, style, first, self._chance.choice(_CONTENT_WEIGHTS))
        steps = self._chance.randint(_FEWEST_STEPS, _MOST_STEPS)
        return optimize([Scale(content.shape[2], content.shape[3], steps, 1.0)], problem, OptimizerSettings())

    def see(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        """(layer, features) of `image` (1, 3, S, S)."""
        walk = self.encoder.walk(image, [*STYLE_LAYERS, *CONTENT_LAYERS])
        return each_in_autocast(walk, image.device, bfloat16=self._bfloat16)


class _Problem:
    """`content` in the manner of `style` (1, 3, S, S), by the losses that the slow road has by default."""

    def __init__(
        self, paintings: PaintingsInProgress, content: Tensor, style: Tensor, first: Tensor, content_weight: float
    ) -> None:
        self._first = first
        manner = Term("style", STYLE, dict.fromkeys(STYLE_LAYERS, 1 / len(STYLE_LAYERS)), 1.0)
        shapes = Term("content", Content("instance"), dict.fromkeys(CONTENT_LAYERS, 0.5), content_weight)
        size = content.shape[2], content.shape[3]
        self._judgement = Judgement([manner, shapes], lambda image, _: paintings.see(image), size, side=0, reach=None)
        with torch.no_grad():
            described = describe([manner], paintings.see(style)) | describe([shapes], paintings.see(content))
            self._judgement.prepare(described)

    def objective(self, scale: Scale) -> Objective:
        return self._judgement

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        return self._first
