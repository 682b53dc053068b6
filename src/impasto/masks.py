"""Where each region of a picture lies: soft masks, what they share, and what fills the gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor

_COARSE = 48
_SOFTNESS = 1.5


@dataclass(frozen=True)
class Masks:
    """Soft masks of R regions over one picture.

    `inside` (1, R, H, W) in [0, 1] sums to at most 1 for each pixel: how far it belongs to each region; what is missing
    to 1 keeps the photo. Statistics are taken with these weights. `shares` (1, R, H, W) sums to 1: in what proportion
    regions act on a pixel. In gaps, which nobody sees, they are those of the regions that are near, so that nothing of
    the gap seeps in.
    """

    inside: Tensor
    shares: Tensor
    _smaller: dict[tuple[int, int], Masks] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(masks: Sequence[Tensor | None], keep: Tensor | None = None) -> Masks:
        """Masks (1, 1, H, W) in [0, 1] by the rule: overlaps are shared out, `keep` comes off all of them.

        None is the rest: what no other mask covers.
        """
        import torch

        given = [mask for mask in masks if mask is not None]
        total = torch.stack(given).sum(0) if given else torch.zeros_like(cast("Tensor", keep))
        over = total.clamp_min(1.0)
        rest = (1 - total).clamp_min(0) / max(1, sum(mask is None for mask in masks))
        inside = torch.cat([rest if mask is None else mask / over for mask in masks], 1)
        inside = inside if keep is None else inside * (1 - keep)
        return Masks(inside, _without_gaps(inside))

    @property
    def count(self) -> int:
        """R."""
        return self.inside.shape[1]

    @property
    def coverage(self) -> Tensor:
        """How far each pixel is painted at all (1, 1, H, W)."""
        return self.inside.sum(1, keepdim=True).clamp_max(1)

    @property
    def areas(self) -> list[float]:
        """The share of the picture that each region covers."""
        return [float(area) for area in self.inside.mean((0, 2, 3))]

    def spread(self, values: Sequence[float]) -> Tensor:
        """One value for each region as a map (1, 1, H, W)."""
        return (self.shares * self.shares.new_tensor(values).view(1, -1, 1, 1)).sum(1, keepdim=True)

    def at(self, height: int, width: int) -> Masks:
        """The same for features of this size, each the mean of what it covers; computed once."""
        import torch.nn.functional as F

        if self.inside.shape[2:] == (height, width):
            return self
        if (height, width) not in self._smaller:
            inside = F.adaptive_avg_pool2d(self.inside, (height, width))
            same = self.shares is self.inside
            shares = inside if same else F.adaptive_avg_pool2d(self.shares, (height, width))
            self._smaller[height, width] = Masks(inside, shares)
        return self._smaller[height, width]

    def changed(self, change: Any) -> Masks:
        """Both kinds of masks changed alike: moved, padded, sent to a device."""
        inside = change(self.inside)
        return Masks(inside, inside if self.shares is self.inside else change(self.shares))


def fitted(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """`mask` (1, 1, H, W) at `size` (height, width), without the overshoot that sharper filters have at edges."""
    import torch.nn.functional as F

    if mask.shape[2:] == size:
        return mask
    return F.interpolate(mask, size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def _without_gaps(inside: Tensor) -> Tensor:
    """(1, R, H, W) of the same shape that sums to 1: what lacks is shared among the regions by their nearness."""
    import torch
    import torch.nn.functional as F

    gap = 1 - inside.sum(1, keepdim=True)
    if inside.shape[1] == 1:
        return torch.ones_like(inside)
    if not bool((gap > 1e-4).any()):
        return inside
    height, width = inside.shape[2:]
    scale = min(1.0, _COARSE / max(height, width))
    small = F.adaptive_avg_pool2d(inside, (max(1, round(height * scale)), max(1, round(width * scale))))[0]
    rows, columns = torch.meshgrid(torch.arange(small.shape[1]), torch.arange(small.shape[2]), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1).float()
    distances = [
        torch.cdist(places, places[mask.flatten().cpu() >= min(0.5, float(mask.max()))]).amin(1) for mask in small
    ]
    nearness = torch.stack(distances).div(-_SOFTNESS).softmax(0).view_as(small).to(inside)
    return inside + gap * F.interpolate(nearness[None], (height, width), mode="bilinear", align_corners=False)


def grown(mask: Tensor, pixels: int) -> Tensor:
    """`mask` (1, 1, H, W) grown by so many pixels in every direction; shrunk where they are negative."""
    import torch.nn.functional as F

    if pixels < 0:
        return 1 - grown(1 - mask, -pixels)
    side = 2 * pixels + 1
    across = F.max_pool2d(mask, (1, side), 1, (0, pixels))
    return F.max_pool2d(across, (side, 1), 1, (pixels, 0))


def feathered(mask: Tensor, pixels: float) -> Tensor:
    """`mask` (1, 1, H, W) whose edges fade over about so many pixels: a Gaussian of half that deviation."""
    import torch
    import torch.nn.functional as F

    if not pixels:
        return mask
    reach = min(round(1.5 * pixels) + 1, min(mask.shape[2:]) - 1)
    places = torch.arange(-reach, reach + 1, dtype=mask.dtype)
    kernel = torch.exp(-(places**2) / (2 * (pixels / 2) ** 2))
    kernel = kernel / kernel.sum()
    padded = F.pad(mask, (reach, reach, reach, reach), "reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)).clamp(0, 1)
