"""The styles that a network learns from: described once, before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.errors import InputError, PictureError
from impasto.losses.terms import Targets
from impasto.media.geometry import resample
from impasto.media.image import dimensions, read
from impasto.models.instant import STYLE_LAYERS
from impasto.training.task import STYLE

_LONGEST = 1024
_ENLARGED_EVERY = 4


@torch.no_grad()
def describe_style(encoder: Encoder, picture: Tensor, scale: float = 1.0) -> Targets:
    """{layer: statistics (1, ...)} of `picture` (1, 3, H, W), at `scale` times its size."""
    size = round(picture.shape[-2] * scale), round(picture.shape[-1] * scale)
    sized = resample(picture, size).clamp(0, 1).contiguous(memory_format=torch.channels_last)
    return described(sized, encoder, STYLE.describe, lambda part: encoder.walk(part, STYLE_LAYERS))


def describe_styles(
    encoder: Encoder, paths: Sequence[Path], scales: Sequence[float], broken: set[Path]
) -> Iterator[tuple[float, Targets]]:
    """(share done, statistics (1, ...)) for each readable picture at each scale; broken ones are put into `broken`.

    Pictures are seen at a long side of 1024 px at most, times the scale; every fourth also at twice its own size, as
    small paintings are what people often have.

    Raises:
        InputError: none can be read.
    """
    for number, path in enumerate(paths):
        try:
            picture = read(path, min(_LONGEST, max(dimensions(path)))).pixels
        except PictureError:
            broken.add(path)
            if len(broken) == len(paths):
                raise InputError(f"None of the {len(paths)} styles can be read, {path} among them.") from None
            continue
        enlarged = number % _ENLARGED_EVERY == 0 and 2 * max(picture.shape) <= _LONGEST
        for scale in [*scales, 2.0] if enlarged else scales:
            yield (number + 1) / len(paths), describe_style(encoder, picture.to(device_of(encoder)), scale)


def device_of(encoder: Encoder) -> torch.device:
    """Where the encoder is."""
    return next(encoder.parameters()).device


def channels_of(encoder: Encoder) -> dict[str, int]:
    """{layer: channels} of the layers that styles are described by."""
    return {layer: encoder.architecture.convolutions[layer.removeprefix("relu")] for layer in STYLE_LAYERS}
