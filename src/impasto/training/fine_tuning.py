"""Fine-tuning of a small encoder: to judge pictures as its teacher does, paintings in progress above all.

Two encoders judge styles alike when the inner products of their features are alike. On photos and finished paintings
that is soon learned; but a picture that is painted by the eyes of an encoder moves to where these are fooled. So half
of what it learns on are pictures that are being painted by it, as in learning by a student's own actions (Ross et al.,
2011). All of a teacher's channels count: those that the student lacks through a linear map of its own, learned beside
it (Romero et al., 2015).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.device import autocast, choose_device, in_bfloat16
from impasto.encoders.encoder import Encoder
from impasto.errors import DivergedError
from impasto.losses.content import instance_normalised
from impasto.models.instant import STYLE_LAYERS
from impasto.training.heads import linear_heads
from impasto.training.in_progress import PaintingsInProgress
from impasto.training.pictures import Crops
from impasto.training.prune_and_regress import Teacher
from impasto.training.settings import EncoderTraining
from impasto.training.task import CONTENT_LAYERS

LAYERS = (*STYLE_LAYERS, *CONTENT_LAYERS)
_PLACES = 128
_MOMENTS, _COVARIANCES, _SHAPES = 0.3, 0.5, 0.5
_HEADS_FROM, _HEADS_PACE = 64, 4.0
_LOOK_AGAIN_EVERY = 20
_CHECK_EVERY, _MEAN_OF = 10, 50


class Checked(NamedTuple):
    """The encoder after so many steps, the share of the time or of the steps done, and the mean loss of the latest."""

    step: int
    done: float
    loss: float
    encoder: Encoder


def fine_tune(encoder: Encoder, teacher: Teacher, crops: Crops, settings: EncoderTraining) -> Iterator[Checked]:
    """Train all layers of `encoder`, in place, yielding a running average of it now and then, and at the end.

    Raises:
        DivergedError: it ran into NaN; lower the learning rate.
    """
    device = choose_device("cpu")
    bfloat16 = in_bfloat16(device, "auto")
    distance = _Distance(encoder, teacher, crops.draw(_HEADS_FROM), settings.seed)
    parameters = [parameter.requires_grad_() for parameter in encoder.convolutions.parameters()]
    groups = [{"params": parameters, "pace": 1.0}, {"params": [*distance.heads.values()], "pace": _HEADS_PACE}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    average = torch.optim.swa_utils.AveragedModel(
        encoder, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    averaged = average.module
    assert isinstance(averaged, Encoder)
    paintings = PaintingsInProgress(encoder.frozen(), crops, settings.seed, bfloat16=bfloat16)
    began, losses = time.monotonic(), list[float]()

    def done() -> float:
        return max(len(losses) / settings.steps, (time.monotonic() - began) / (60 * settings.minutes))

    while (so_far := done()) < 1:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * group["pace"] * _rate(so_far)
        if len(losses) % _LOOK_AGAIN_EVERY == 0:
            paintings.encoder = encoder.frozen()
        batch = torch.cat([paintings.advance(settings.batch // 2), crops.draw(settings.batch - settings.batch // 2)])
        with autocast(device, bfloat16=bfloat16):
            with torch.no_grad():
                wanted = teacher(batch, LAYERS)
            seen = encoder(batch, LAYERS)
        loss = distance(seen, wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update_parameters(encoder)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise DivergedError("The fine-tuning ran into NaN; lower --learning-rate.")
        if len(losses) % _CHECK_EVERY == 0:
            latest = losses[-_MEAN_OF:]
            yield Checked(len(losses), min(1.0, done()), sum(latest) / len(latest), averaged.frozen())
    latest = losses[-_MEAN_OF:]
    yield Checked(len(losses), 1.0, sum(latest) / max(1, len(latest)), averaged.frozen())


class _Distance:
    """How far () a student's features are from the teacher's: as inner products, and through linear heads."""

    def __init__(self, student: Encoder, teacher: Teacher, crops: Tensor, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.heads: dict[str, Tensor] = {}
        self._lengths: dict[str, tuple[float, float]] = {}
        self._variances: dict[str, float] = {}
        with torch.no_grad():
            for layer, (head, seen, wanted) in linear_heads(teacher, student, crops, LAYERS).items():
                lengths = [float(rows.square().sum(1).mean().sqrt()) for rows in (seen[:, :-1], wanted)]
                self._lengths[layer] = lengths[0], lengths[1]
                self._variances[layer] = float((wanted / lengths[1]).var(0).sum())
                self.heads[layer] = (head / lengths[1]).requires_grad_()

    def __call__(self, seen: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
        """Of the student's and the teacher's features, {layer: (N, C, H, W)} each."""
        parts = []
        for layer in LAYERS:
            lengths = self._lengths[layer]
            both = seen[layer], wanted[layer]
            places = torch.randperm(both[0].shape[2] * both[0].shape[3], generator=self._generator)[:_PLACES]
            rows, targets = (_rows(features, places).flatten(0, 1).float() for features in both)
            targets = targets / lengths[1]
            head = self.heads[layer]
            residual = rows @ head[:-1] + head[-1] - targets
            parts.append(residual.square().sum(1).mean() / self._variances[layer])
            rows = rows / lengths[0]
            parts.append(_MOMENTS * _kernel_error(rows, targets))
            parts.append(_COVARIANCES * _kernel_error(rows - rows.mean(0), targets - targets.mean(0)))
            if layer in CONTENT_LAYERS:
                shapes = [instance_normalised(each).div(each.shape[1] ** 0.5) for each in both]
                parts.append(_SHAPES * _kernel_error(*(_rows(each, places) for each in shapes)))
        return torch.stack(parts).sum()


def _rows(features: Tensor, places: Tensor) -> Tensor:
    """(N, P, C) of features (N, C, H, W) at places (P,)."""
    return features.flatten(2)[..., places].mT


def _kernel_error(rows: Tensor, targets: Tensor) -> Tensor:
    """How far () the inner products of rows (..., P, C) are from those of (..., P, D), as a share of these."""
    own, wanted = rows @ rows.mT, targets @ targets.mT
    return (own - wanted).square().mean() / wanted.square().mean()


def _rate(done: float) -> float:
    """The learning rate as a share of its highest: up in the first tenth, then down to 0 along a cosine."""
    return min(10 * done + 0.01, 0.5 + 0.5 * math.cos(math.pi * min(1, done)))
