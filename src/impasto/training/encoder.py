"""`impasto train encoder`: distil a small encoder from a large one, on a CPU, in minutes.

A closed-form start (`prune_and_regress`), then gradient descent on all layers together, then figures from pictures
that were never seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.encoders.vgg import load_stack, load_vgg
from impasto.errors import DivergedError, WeightsError
from impasto.training.pictures import Crops, find_pictures, split
from impasto.training.prune_and_regress import Teacher, prune_and_regress, student_of
from impasto.training.settings import EncoderTraining
from impasto.weights.files import read_weights, sha256

_WIDTHS = {
    "1_1": 24, "1_2": 24, "2_1": 48, "2_2": 48, "3_1": 96, "3_2": 96, "3_3": 96, "3_4": 96,
    "4_1": 128, "4_2": 128, "4_3": 128, "4_4": 128, "5_1": 128,
}  # fmt: skip
_CHECK_EVERY = 50


@dataclass(frozen=True)
class EncoderProgress:
    """What has just happened: a layer was fitted, or a number of steps taken."""

    done: float
    message: str
    encoder: Encoder


def load_teacher(paths: Sequence[Path]) -> Teacher:
    """Encoders to learn from; each layer comes from the first file that has it.

    Raises:
        WeightsError: a file is neither a VGG-19 nor a VGG-shaped stack.
    """
    encoders = []
    for path in paths:
        state, _ = read_weights(path)
        vgg = "preprocess.weight" not in state
        encoders.append(load_vgg("vgg19", path, padding_mode="reflect") if vgg else load_stack(path))
    teacher = Teacher(encoders)
    known = {layer for encoder in encoders for layer in encoder.layers}
    missing = [key for key in _WIDTHS if f"relu{key}" not in known]
    if missing:
        raise WeightsError(
            f"The teachers lack relu{missing[0]} and {len(missing) - 1} deeper layers; add a file that has them."
        )
    return teacher


def train_encoder(teacher: Teacher, folders: Sequence[Path], settings: EncoderTraining) -> Iterator[EncoderProgress]:
    """Distil the compact encoder, yielding it as it improves.

    Raises:
        InputError: a folder without pictures.
        DivergedError: the fine-tuning ran into NaN; lower the learning rate.
    """
    parts = [split(paths, settings.seed) for paths in find_pictures(folders)]
    training = [part.training for part in parts]

    crops = Crops(training, settings.crop_size, seed=settings.seed).draw(settings.crops)
    channels: dict[str, list[int]] = {}
    for fitted, state in prune_and_regress(teacher, crops, _WIDTHS, ridge=settings.ridge, seed=settings.seed):
        channels[fitted.key] = fitted.channels
        message = f"relu{fitted.key}: {len(fitted.channels)} channels, {fitted.explained:.1%} of their variance"
        yield EncoderProgress(0.2 * len(channels) / len(_WIDTHS), message, student_of(state))

    encoder = student_of(state)
    if settings.steps and settings.minutes:
        for progress in _fine_tune(encoder, teacher, channels, Crops(training, 128, seed=settings.seed + 1), settings):
            encoder = progress.encoder
            yield progress
    yield EncoderProgress(1.0, "channels weighed", weigh_channels(encoder, teacher, crops[:64]))


def _fine_tune(
    encoder: Encoder, teacher: Teacher, channels: dict[str, list[int]], crops: Crops, settings: EncoderTraining
) -> Iterator[EncoderProgress]:
    layers = [f"relu{key}" for key in channels]
    scales = _channel_scales(teacher, channels, crops.draw(32))
    parameters = [parameter.requires_grad_() for parameter in encoder.convolutions.parameters()]
    optimizer = torch.optim.Adam(parameters, settings.learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / settings.steps))
    average = torch.optim.swa_utils.AveragedModel(
        encoder, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    began, errors = time.monotonic(), []
    for step in range(1, settings.steps + 1):
        spent = (time.monotonic() - began) / (60 * settings.minutes)
        if spent > 1:
            break
        while schedule.last_epoch < spent * settings.steps - 1:
            schedule.step()
        batch = crops.draw(settings.batch)
        with torch.no_grad():
            target = teacher(batch, layers)
        seen = encoder(batch, layers)
        error = sum(
            (seen[f"relu{key}"] - target[f"relu{key}"][:, chosen] * scales[key]).square().mean()
            for key, chosen in channels.items()
        )
        assert isinstance(error, Tensor)
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(encoder)
        errors.append(float(error.detach()) / len(channels))
        if not errors[-1] < float("inf"):
            raise DivergedError("The fine-tuning ran into NaN; lower --learning-rate.")
        if step % _CHECK_EVERY == 0 or step == settings.steps:
            mean = sum(errors[-_CHECK_EVERY:]) / len(errors[-_CHECK_EVERY:])
            done = 0.2 + 0.8 * max(step / settings.steps, min(1, spent))
            yield EncoderProgress(done, f"step {step}: {1 - mean:.1%} explained", _frozen(average.module))
    yield EncoderProgress(1.0, f"{len(errors)} steps", _frozen(average.module))


def _rate(done: float) -> float:
    """The learning rate as a share of its highest: up in the first tenth, then down to 0 along a cosine."""
    return min(10 * done + 0.01, 0.5 + 0.5 * math.cos(math.pi * min(1, done)))


def weigh_channels(encoder: Encoder, teacher: Teacher, crops: Tensor) -> Encoder:
    """The same encoder, each channel scaled by what it stands for among the teacher's.

    Then distances between features are near to the teacher's; each layer has a mean square of 1. ReLU lets positive
    scales through, so the kernels above undo them and nothing else changes.
    """
    state, below = state_of(encoder), torch.ones(3)
    for key in encoder.architecture.convolutions:
        layer = f"relu{key}"
        head, rows = _linear_head(teacher, encoder, crops, layer)
        scale = head[:-1].square().sum(1).sqrt().clamp_min(1e-3 * float(head[:-1].abs().max()))
        scale = scale / (rows[:, :-1] * scale).square().mean().sqrt()
        weight = state[f"conv{key}.weight"]
        state[f"conv{key}.weight"] = weight * scale.view(-1, 1, 1, 1) / below.view(1, -1, 1, 1)
        state[f"conv{key}.bias"] = state[f"conv{key}.bias"] * scale
        below = scale
    return Encoder(encoder.architecture, state)


@torch.no_grad()
def _linear_head(teacher: Teacher, encoder: Encoder, crops: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The linear map (C + 1, teacher's C) from the encoder's features, and those features (rows, C + 1)."""
    x, y = _rows(encoder, crops, layer), _rows(teacher, crops, layer)
    gram = (x.T @ x).double() + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    return torch.linalg.solve(gram, (x.T @ y).double()).float(), x


def _frozen(encoder: torch.nn.Module) -> Encoder:
    assert isinstance(encoder, Encoder)
    return Encoder(encoder.architecture, state_of(encoder))


def state_of(encoder: Encoder) -> dict[str, Tensor]:
    """The encoder's weights under the names of its layers."""
    return {key.removeprefix("convolutions."): value.detach().clone() for key, value in encoder.state_dict().items()}


@torch.no_grad()
def _channel_scales(teacher: Teacher, channels: dict[str, list[int]], crops: Tensor) -> dict[str, Tensor]:
    """What brings each of the teacher's chosen channels to a mean square of 1: {key: (C, 1, 1)}."""
    features = teacher(crops, [f"relu{key}" for key in channels])
    return {
        key: 1 / features[f"relu{key}"][:, chosen].square().mean((0, 2, 3)).sqrt().clamp_min(1e-6).view(-1, 1, 1)
        for key, chosen in channels.items()
    }


@torch.no_grad()
def explained_by_linear_heads(
    teacher: Teacher, encoder: Encoder, fit: Tensor, test: Tensor, layers: Sequence[str]
) -> dict[str, float]:
    """Share of the variance of the teacher's features that the best linear map of the student's explains.

    The map is fitted on the crops `fit` and judged on `test`, both (N, 3, S, S).
    """
    shares = {}
    for layer in layers:
        head, _ = _linear_head(teacher, encoder, fit, layer)
        x, y = _rows(encoder, test, layer), _rows(teacher, test, layer)
        shares[layer] = float(1 - (x @ head - y).square().sum() / (y - y.mean(0)).square().sum())
    return shares


def _rows(encoder: Encoder | Teacher, crops: Tensor, layer: str) -> Tensor:
    every = 7 if layer.startswith(("relu1", "relu2")) else 1
    rows = [encoder(chunk, [layer])[layer].transpose(0, 1).flatten(1)[:, ::every].T for chunk in crops.split(8)]
    flat = torch.cat(rows)
    if isinstance(encoder, Encoder):
        flat = torch.cat([flat, torch.ones(len(flat), 1)], 1)
    return flat


def write_encoder(
    encoder: Encoder,
    path: Path,
    teacher: Teacher,
    teachers: Sequence[Path],
    folders: Sequence[Path],
    settings: EncoderTraining,
) -> dict[str, object]:
    """Write the weights (float16 safetensors) and, beside them, the card (JSON) with held-out figures; return the card.

    Raises:
        InputError: a folder without pictures.
    """
    import json

    from safetensors.torch import save_file

    from impasto.media.files import replacing

    parts = [split(paths, settings.seed) for paths in find_pictures(folders)]
    fit = Crops([part.training for part in parts], settings.crop_size, seed=settings.seed + 2).draw(64)
    test = Crops([part.test for part in parts], settings.crop_size, seed=settings.seed + 3).draw(48)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu3_4", "relu4_1", "relu4_2", "relu5_1"]
    explained = explained_by_linear_heads(teacher, encoder, fit, test, layers)
    with replacing(path) as temporary:
        save_file({key: value.half().contiguous() for key, value in state_of(encoder).items()}, temporary)
    card: dict[str, object] = {
        "name": path.stem,
        "architecture": dict(encoder.architecture.convolutions),
        "padding": encoder.architecture.padding_mode,
        "input": "RGB in [0, 1]; preprocess is part of the weights",
        "licence": "MIT",
        "sha256": sha256(path),
        "method": "prune and regress, then fine-tuning of all layers; see impasto/training/encoder.py",
        "teachers": {teacher_path.name: sha256(teacher_path) for teacher_path in teachers},
        "pictures": {folder.name: len(paths) for folder, paths in zip(folders, find_pictures(folders))},
        "settings": settings.model_dump(),
        "explained_by_linear_head_on_test_crops": {layer: round(share, 3) for layer, share in explained.items()},
    }
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=2) + "\n")
    return card
