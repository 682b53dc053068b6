"""Where things move between two frames, and how far that can be trusted (DIS; Kroeger et al., 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import FilmError, SettingsError
from impasto.luma import luma

_LARGEST = 640  # long side at which motion is measured
_SAME = 0.06  # difference of a photo, carried along, by which trust falls to a third
_CUT, _BINS, _SEEN_AT = 0.12, 16, (36, 64)  # in three clips, cuts are at 0.34, all else below 0.03


@dataclass(frozen=True)
class Flow:
    """For each place of a frame, where it was in the frame before: `offsets` (H, W, 2), right and down in pixels.

    `trust` (1, 1, H, W) in [0, 1]: how sure that is.
    """

    offsets: np.ndarray[Any, Any]
    trust: Tensor

    def carried(self, before: Tensor) -> Tensor:
        """`before` (1, C, H, W) moved along, with a Lanczos kernel."""
        return _warped(before, self._places)

    @cached_property
    def _places(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return _places(self.offsets)


class Motion:
    """Measures the motion from frame to frame, at a `share` of their size and a long side of `largest` pixels at most.

    Raises:
        SettingsError: an extra is missing.
    """

    def __init__(self, share: float = 1.0, largest: int = _LARGEST) -> None:
        self._finder, self._share, self._largest = _finder(), share, largest

    def between(self, before: Tensor, now: Tensor) -> Flow:
        """The flow between two frames (1, 3, H, W) in [0, 1].

        Trusted is what leads there and back again, does not lie at an edge of the motion, came from inside the frame
        (Ruder et al., 2016), and looks as it did.
        """
        height, width = now.shape[2:]
        scale = min(self._share, self._largest / max(height, width))
        small = max(16, round(height * scale)), max(16, round(width * scale))
        first, second = (_grey(_sized(frame, small)) for frame in (before, now))
        back: np.ndarray[Any, Any] = self._finder.calc(second, first, None)
        forth: np.ndarray[Any, Any] = self._finder.calc(first, second, None)
        trust = torch.from_numpy(_consistent(back, forth).astype(np.float32))[None, None]
        factors = np.array([width / small[1], height / small[0]], np.float32)
        tensor = torch.from_numpy(back).permute(2, 0, 1)[None]
        offsets = _sized(tensor, (height, width))[0].permute(1, 2, 0).numpy() * factors
        return _as_alike(Flow(np.ascontiguousarray(offsets), _sized(trust, (height, width))), before, now)


def read_flow(path: Path, before: Tensor, now: Tensor) -> Flow:
    """The flow between two frames (1, 3, H, W) from a .flo file (Baker et al., 2011): from each place of `now` to where
    it was `before`. Trusted is what came from inside the frame and looks as it did.

    Raises:
        InputError: it cannot be read, or is of another size than the frames.
    """
    _finder()
    import cv2

    try:
        offsets: np.ndarray[Any, Any] | None = cv2.readOpticalFlow(str(path))
    except cv2.error:
        offsets = None
    height, width = now.shape[2:]
    if offsets is None or offsets.shape[:2] != (height, width):
        raise FilmError(f"Expected {path} to be a .flo file of {width}x{height} pixels, the size of the painted film.")
    across, down = _places(offsets)
    inside = (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
    return _as_alike(Flow(offsets, torch.from_numpy(inside.astype(np.float32))[None, None]), before, now)


def _as_alike(flow: Flow, before: Tensor, now: Tensor) -> Flow:
    """Trusted only as far as what is carried along looks like what is there."""
    same = (
        (_warped(before, flow._places, quickly=True) - now)
        .abs()
        .mean(1, keepdim=True)
        .div_(_SAME)
        .square_()
        .neg_()
        .exp_()
    )
    return Flow(flow.offsets, flow.trust * same)


def is_cut(before: Tensor, now: Tensor) -> bool:
    """Whether another scene begins with `now`: histograms of small copies of two frames (1, 3, H, W) differ much."""
    histograms = []
    for frame in (before, now):
        small = _sized(frame, _SEEN_AT)[0].flatten(1)
        bins = (small * (_BINS - 1)).round().long() + _BINS * torch.arange(3)[:, None]
        histograms.append(torch.bincount(bins.flatten(), minlength=3 * _BINS).float() / small.numel())
    return float((histograms[0] - histograms[1]).abs().sum() / 2) > _CUT


def _finder() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise SettingsError("Films need an extra; install it with: pip install 'impasto[film]'.") from error
    cv2.setNumThreads(1)
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def _grey(frame: Tensor) -> np.ndarray[Any, Any]:
    grey: np.ndarray[Any, Any] = luma(frame)[0, 0].mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()
    return grey


def _places(offsets: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    height, width = offsets.shape[:2]
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return across + offsets[..., 0], down + offsets[..., 1]


def _warped(
    before: Tensor, places: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], *, quickly: bool = False
) -> Tensor:
    import cv2

    pixels = before[0].permute(1, 2, 0).contiguous().numpy()
    kernel = cv2.INTER_CUBIC if quickly else cv2.INTER_LANCZOS4
    moved = cv2.remap(pixels, *places, kernel, borderMode=cv2.BORDER_REFLECT_101)
    if moved.ndim == 2:
        moved = moved[..., None]
    return torch.from_numpy(moved).permute(2, 0, 1)[None].contiguous()


def _consistent(back: np.ndarray[Any, Any], forth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where there and back again agree (H, W), inside the frame and away from edges of the motion."""
    import cv2

    across, down = _places(back)
    height, width = back.shape[:2]
    returned = cv2.remap(forth, across, down, cv2.INTER_LINEAR)
    length = np.square(back).sum(2)
    error = np.square(back + returned).sum(2)
    agree = error < 0.01 * (length + np.square(returned).sum(2)) + 0.5
    inside = (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
    steep = sum(np.square(np.gradient(back[..., axis])).sum(0) for axis in (0, 1))
    trusted: np.ndarray[Any, Any] = agree & inside & (steep < 0.01 * length + 0.02)
    return trusted


def _sized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
