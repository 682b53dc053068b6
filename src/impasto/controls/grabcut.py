"""What is in and what is out, by colour: GrabCut (Rother et al., 2004) on a small copy of a picture.

On the picture itself, a guided filter sharpens it (He et al., 2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    Array = numpy.ndarray[Any, Any]

# of sides of 360 to 480 and 2 to 6 rounds, the masks from boxes that are best in a second (`benchmarks/regions.py`)
SIDE = 440
_ROUNDS = 2
_NOISE = 1.0


def smoothed(mask: Array) -> Array:
    """Without slits and spikes."""
    import cv2
    import numpy

    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, numpy.ones((5, 5)))
    return largest(cv2.morphologyEx(closed, cv2.MORPH_OPEN, numpy.ones((7, 7))))


def small_copy(picture: Tensor) -> tuple[Any, Array, float]:
    """OpenCV, a small copy of the picture as it takes it, and its scale.

    Raises:
        SettingsError: OpenCV is missing.
    """
    try:
        import cv2
    except ImportError as error:
        raise SettingsError("Masks are found with an extra; install it with: pip install 'impasto[masks]'.") from error
    height, width = picture.shape[2:]
    scale = min(1.0, SIDE / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    pixels = picture[0].permute(1, 2, 0).flip(2).contiguous().numpy()
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2, (small.clip(0, 1) * 255).round().astype("uint8"), scale


def grabcut(small: Array, trimap: Array, rounds: int = _ROUNDS) -> Array:
    """0 or 1 for each pixel, from what is sure or likely; the same each time."""
    import cv2
    import numpy

    kinds = set(numpy.unique(trimap))
    if not kinds & {cv2.GC_BGD, cv2.GC_PR_BGD} or not kinds & {cv2.GC_FGD, cv2.GC_PR_FGD}:
        return numpy.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype("float32")
    cv2.setRNGSeed(0)
    noise = numpy.random.default_rng(0).normal(0, _NOISE, small.shape)
    small = (
        (small + noise).round().clip(0, 255).astype("uint8")
    )  # colours that lie in a plane, as of greys, find nothing
    before, behind = numpy.zeros((1, 65)), numpy.zeros((1, 65))
    cv2.grabCut(small, trimap, (0, 0, 0, 0), before, behind, rounds, cv2.GC_INIT_WITH_MASK)
    return numpy.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype("float32")


def largest(mask: Array) -> Array:
    """The largest connected part, and others at least a fifth as large; holes that are small are filled."""
    import cv2
    import numpy

    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype("uint8"))
    if count < 2:
        return mask
    areas = statistics[1:, cv2.CC_STAT_AREA]
    kept = [label for label, area in enumerate(areas, 1) if area >= 0.2 * areas.max()]
    return numpy.isin(labels, kept).astype("float32")


def sharpened(mask: Array, picture: Tensor) -> Tensor:
    """A small mask at the picture's size, its edge where the picture has one (a guided filter of its lightness)."""
    import torch
    import torch.nn.functional as F

    height, width = picture.shape[2:]
    coarse = torch.from_numpy(mask)[None, None]
    light = picture.mean(1, keepdim=True)
    size = coarse.shape[2], coarse.shape[3]
    guide = F.interpolate(light, size, mode="bilinear", antialias=True, align_corners=False)

    def blurred(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(x, (2, 2, 2, 2), "replicate"), 5, 1)

    mean, mask_mean = blurred(guide), blurred(coarse)
    variance = blurred(guide * guide) - mean * mean
    slope = (blurred(guide * coarse) - mean * mask_mean) / (variance + 1e-3)
    slope, offset = blurred(slope), blurred(mask_mean - slope * mean)
    both = F.interpolate(torch.cat([slope, offset], 1), (height, width), mode="bilinear", align_corners=False)
    soft = both[:, :1] * light + both[:, 1:]
    return ((soft - 0.5) * 2.5 + 0.5).clamp(0, 1)
