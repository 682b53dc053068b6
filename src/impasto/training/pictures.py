"""Pictures to learn from: found in folders, split once, cut into crops."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import InputError, PictureError
from impasto.media.geometry import resample
from impasto.media.image import read

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".bmp"}


@dataclass(frozen=True)
class Split:
    """Paths for learning, for choosing among what was learned, and for the figures that are reported."""

    training: list[Path]
    validation: list[Path]
    test: list[Path]


def find_pictures(folders: Sequence[Path]) -> list[list[Path]]:
    """The pictures below each folder, sorted by name.

    Raises:
        InputError: a folder is missing or holds no picture.
    """
    found = []
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise InputError(f"There are no pictures below {folder}; give folders of photos or paintings.")
        found.append(paths)
    return found


def split(paths: Sequence[Path], seed: int = 0) -> Split:
    """90 % for training, 5 % for validation and 5 % for testing; the same for the same paths and seed."""
    shuffled = list(paths)
    random.Random(seed).shuffle(shuffled)
    first, second = int(0.9 * len(shuffled)), int(0.95 * len(shuffled))
    return Split(shuffled[:first], shuffled[first:second], shuffled[second:])


class Crops:
    """Random square crops at random scales, drawn from several folders in turn; a seed fixes them.

    A share of `disturbed` crops is changed as an optimiser changes pictures: noise, fine or coarse, added to it, or
    half of another crop mixed in.
    """

    def __init__(self, folders: Sequence[Sequence[Path]], size: int, *, seed: int = 0, disturbed: float = 0.25) -> None:
        self.folders = [list(paths) for paths in folders]
        self.size = size
        self.disturbed = disturbed
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.drawn = 0
        self.skipped: list[Path] = []

    def draw(self, count: int) -> Tensor:
        """The next `count` crops (count, 3, size, size), sRGB in [0, 1]."""
        return torch.cat([self._disturb(self._crop()) for _ in range(count)])

    def _crop(self) -> Tensor:
        paths = self.folders[self.drawn % len(self.folders)]
        self.drawn += 1
        while True:
            path = self.random.choice(paths)
            try:
                pixels = read(path).pixels
                break
            except PictureError:
                self.skipped.append(path)
                paths.remove(path)
                if not paths:
                    raise
        short = min(pixels.shape[-2:])
        scale = max(self.size, self.random.uniform(self.size, max(self.size, short))) / short
        pixels = resample(pixels, (round(pixels.shape[-2] * scale), round(pixels.shape[-1] * scale)))
        top = self.random.randint(0, pixels.shape[-2] - self.size)
        left = self.random.randint(0, pixels.shape[-1] - self.size)
        return pixels[..., top : top + self.size, left : left + self.size].clamp(0, 1)

    def _disturb(self, crop: Tensor) -> Tensor:
        kind = self.random.random() / self.disturbed if self.disturbed else 1.0
        if kind >= 1:
            return crop
        if kind < 0.3:
            other = self._crop()
            return crop.lerp(other, self.random.uniform(0.2, 0.5))
        coarseness = self.random.choice((1, 1, 2, 4))
        side = -(-self.size // coarseness)
        noise = torch.randn(1, 3, side, side, generator=self.generator)
        noise = torch.nn.functional.interpolate(noise, size=crop.shape[-2:], mode="bilinear")
        return (crop + self.random.uniform(0.02, 0.2) * noise).clamp(0, 1)
