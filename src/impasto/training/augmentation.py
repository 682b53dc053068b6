"""The same changes to what is real and to what is painted, through which gradients pass (Zhao et al., 2020).

A critic of a small collection cannot learn its pictures by heart, and the painter does not learn to make the changes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BRIGHTNESS = 0.2
_SATURATION = 0.3
_SHIFT = 0.125
_CUT = 0.4


def augmented(pictures: Tensor) -> Tensor:
    """`pictures` (N, 3, S, S), each a little brighter or duller, moved, and with a grey square in it."""
    count, side = len(pictures), pictures.shape[-1]
    chance = torch.rand(count, 6).to(pictures.device)
    brightness, saturation = (chance[:, n, None, None, None] for n in (0, 1))
    grey = pictures.mean(1, keepdim=True)
    x = grey + (pictures - grey) * (1 + _SATURATION * (2 * saturation - 1))
    x = x + _BRIGHTNESS * (brightness - 0.5)
    reach = int(_SHIFT * side)
    padded, moved = F.pad(x, (reach,) * 4, "reflect"), []
    for picture, (down, right) in zip(padded, (chance[:, 2:4] * (2 * reach + 1)).long().tolist()):
        moved.append(picture[:, down : down + side, right : right + side])
    place, length = torch.arange(side, device=pictures.device), int(_CUT * side)
    inside = [
        (place >= start[:, None]) & (place < start[:, None] + length) for start in (chance[:, 4:] * side).long().T
    ]
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return torch.stack(moved).masked_fill(hole, 0.5)
