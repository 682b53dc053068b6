"""The styles that a network learns from: described once, before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.errors import InputError, PictureError
from impasto.losses.terms import Targets, joined
from impasto.losses.wasserstein import Wasserstein
from impasto.media.geometry import resample
from impasto.media.image import dimensions, read
from impasto.models.instant import STYLE_LAYERS
from impasto.training.eyes import Eyes, device_of

STYLE = Wasserstein(root=True)
_LONGEST = 1024
_ENLARGED_EVERY = 4


@dataclass(frozen=True)
class Book:
    """Statistics {layer: (M, ...)} of M styles: what the judge `wants`, and what a network `reads`, if it does."""

    wants: Targets
    reads: Targets

    @staticmethod
    def joined(books: Sequence[Book]) -> Book:
        """One of many."""
        return Book(joined([book.wants for book in books]), joined([book.reads for book in books]))

    @property
    def count(self) -> int:
        """How many styles."""
        return len(self.wants[STYLE_LAYERS[0]]["mean"])


@torch.no_grad()
def describe_style(encoder: Encoder, picture: Tensor) -> Targets:
    """{layer: statistics (1, ...)} of `picture` (1, 3, H, W)."""
    picture = picture.contiguous(memory_format=torch.channels_last)
    return described(picture, encoder.reach, STYLE.describe, lambda part: encoder.walk(part, STYLE_LAYERS))


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
            picture = read(path, min(_LONGEST, max(dimensions(path)))).pixels.to(device_of(eyes.own))
        except PictureError:
            broken.add(path)
            if len(broken) == len(paths):
                raise InputError(f"None of the {len(paths)} styles can be read, {path} among them.") from None
            continue
        enlarged = number % _ENLARGED_EVERY == 0 and 2 * max(picture.shape) <= _LONGEST
        for scale in [*scales, 2.0] if enlarged else scales:
            sized = resample(picture, (round(picture.shape[2] * scale), round(picture.shape[3] * scale))).clamp(0, 1)
            with eyes.autocast():
                page = Book(describe_style(eyes.judge, sized), describe_style(eyes.own, sized))
            yield (number + 1) / len(paths), page
