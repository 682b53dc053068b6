"""The styles that a network learns from: described once, before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from impasto.encoders import load_encoder
from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.errors import InputError, PictureError
from impasto.losses.terms import Targets, joined
from impasto.losses.wasserstein import Wasserstein
from impasto.media.geometry import resample
from impasto.media.image import dimensions, read
from impasto.models.instant import STYLE_LAYERS

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STYLE = Wasserstein(root=True)
_LONGEST = 1024
_ENLARGED_EVERY = 4


@dataclass(frozen=True)
class Eyes:
    """The encoder `own`, which a network is bound to and paints by, and the `judge`, whose view of the result counts.

    A network learns to please the one that judges it; the judge is the encoder nearest to its teacher.
    """

    own: Encoder
    judge: Encoder
    autocast: Callable[[], AbstractContextManager[Any]]

    @staticmethod
    def of(fabric: Fabric) -> Eyes:
        """Those of the package, in a training's precision."""
        own, judge = (
            load_encoder(name).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for name in ("compact", "compact2")
        )
        return Eyes(own, judge, fabric.autocast)


@dataclass(frozen=True)
class Book:
    """Statistics {layer: (M, ...)} of M styles: as the network `reads` them, and as the judge `wants` them."""

    reads: Targets
    wants: Targets

    @staticmethod
    def joined(books: Sequence[Book]) -> Book:
        """One of many."""
        return Book(joined([book.reads for book in books]), joined([book.wants for book in books]))

    @property
    def count(self) -> int:
        """How many styles."""
        return len(self.wants[STYLE_LAYERS[0]]["mean"])


def describe_style(eyes: Eyes, picture: Tensor, scale: float = 1.0) -> Book:
    """One style's page, of `picture` (1, 3, H, W) at `scale` times its size."""
    with eyes.autocast():
        return Book(_described(eyes.own, picture, scale), _described(eyes.judge, picture, scale))


@torch.no_grad()
def _described(encoder: Encoder, picture: Tensor, scale: float) -> Targets:
    """{layer: statistics (1, ...)} of `picture` (1, 3, H, W), at `scale` times its size."""
    size = round(picture.shape[-2] * scale), round(picture.shape[-1] * scale)
    sized = resample(picture, size).clamp(0, 1).contiguous(memory_format=torch.channels_last)
    return described(sized, encoder, STYLE.describe, lambda part: encoder.walk(part, STYLE_LAYERS))


def describe_styles(
    eyes: Eyes, paths: Sequence[Path], scales: Sequence[float], broken: set[Path]
) -> Iterator[tuple[float, Book]]:
    """(share done, a page) for each readable picture at each scale; broken ones are put into `broken`.

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
            yield (number + 1) / len(paths), describe_style(eyes, picture.to(device_of(eyes.own)), scale)


def device_of(encoder: Encoder) -> torch.device:
    """Where the encoder is."""
    return next(encoder.parameters()).device


def channels_of(encoder: Encoder) -> dict[str, int]:
    """{layer: channels} of the layers that styles are described by."""
    return {layer: encoder.architecture.convolutions[layer.removeprefix("relu")] for layer in STYLE_LAYERS}
