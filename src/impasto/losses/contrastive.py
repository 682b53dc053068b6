"""Content as what a place in the result has in common with the same place in the photo, and with no other (Park et al.,
2020: contrastive unpaired translation)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_contrast(painted: Tensor, photo: Tensor, temperature: float = 0.07) -> Tensor:
    """Cross-entropy () of finding the place in the photo that each place of the result comes from.

    Args:
        painted: unit vectors (N, P, D) of P places in each of N results.
        photo: those of the same places in the photos; nothing is learned through them.
        temperature: how far apart places must be.
    """
    likeness = painted @ photo.detach().mT / temperature
    own = torch.arange(painted.shape[1], device=painted.device).expand(len(painted), -1)
    return F.cross_entropy(likeness.flatten(0, 1), own.flatten())
