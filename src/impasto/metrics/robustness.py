"""How far a result moves when the photo is disturbed by what nobody sees: noise, JPEG, and attacks that mean harm."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.engine.attack import See, attack, noisy
from impasto.media.geometry import shift
from impasto.metrics.specification import CONTENT_LAYERS

_PGD_STEPS = 10
_JPEG_QUALITY = 50
_EDGE = 16


@dataclass(frozen=True)
class Disturbance:
    """A way to change photos; `epsilon` is the largest change of a value, of 255, or None where nothing bounds it.

    `moved`: by how many pixels, down and right, and results are moved alike before they are compared.
    """

    name: str
    epsilon: float | None
    moved: tuple[int, int] | None = None


DISTURBANCES = (
    Disturbance("noise 4", 4.0),
    Disturbance("jpeg", None),
    Disturbance("fgsm 2", 2.0),
    Disturbance("fgsm 4", 4.0),
    Disturbance("pgd 2", 2.0),
    Disturbance("pgd 4", 4.0),
    Disturbance("shift 1", None, (1, 1)),
    Disturbance("shift 3", None, (3, 2)),
    Disturbance("shift 6", None, (5, 6)),
)


def disturbed(photo: Tensor, see: See) -> Iterator[tuple[str, Tensor]]:
    """(name, changed photo (1, 3, H, W) in [0, 1]) for each disturbance; attacks push what `see` makes of it away."""
    with torch.no_grad():
        before = see(photo)
    for one in DISTURBANCES:
        kind, epsilon = one.name.split()[0], (one.epsilon or 0) / 255
        chance = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
        if one.moved:
            yield one.name, shift(photo, *one.moved)
        elif kind == "noise":
            yield one.name, noisy(photo, epsilon, chance)
        elif kind == "jpeg":
            yield one.name, _through_jpeg(photo)
        else:
            yield one.name, attack(photo, before, see, epsilon, chance, steps=1 if kind == "fgsm" else _PGD_STEPS)


def differences(name: str, before: Tensor, after: Tensor) -> Tensor:
    """|after - before| of pictures (1, 3, H, W) under a disturbance; where it moved the photo, `before` moved alike,
    and nothing near the edges."""
    moved = next((one.moved for one in DISTURBANCES if one.name == name), None)
    if not moved:
        return (after - before).abs()
    return (after - shift(before, *moved))[..., _EDGE:-_EDGE, _EDGE:-_EDGE].abs()


def content_seen_by(encoder: Encoder) -> See:
    """What attacks aim at where a method's own slope is not to be had: the encoder's content features."""

    def see(picture: Tensor) -> Tensor:
        seen = encoder(picture, CONTENT_LAYERS)
        return torch.cat([features.flatten(1) / features.detach().std() for features in seen.values()], 1)

    return see


def _through_jpeg(photo: Tensor) -> Tensor:
    array = (photo[0].permute(1, 2, 0) * 255).round().byte().numpy()
    packed = io.BytesIO()
    Image.fromarray(array).save(packed, "JPEG", quality=_JPEG_QUALITY)
    with Image.open(packed) as unpacked:
        return torch.from_numpy(np.asarray(unpacked).copy()).permute(2, 0, 1)[None].float() / 255
