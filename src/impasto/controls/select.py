"""Masks made from a picture: by box, points, strokes, colour; of a face, or of the subject without any hint.

What is uncertain is decided by GrabCut. Masks are (1, 1, H, W) in [0, 1], pictures (1, 3, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.controls.grabcut import SIDE, grabcut, largest, sharpened, small_copy, smoothed
from impasto.errors import PictureError, SettingsError

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    Array = numpy.ndarray[Any, Any]

Box = tuple[float, float, float, float]
Point = tuple[float, float]

_NEAREST, _MIDDLE = 5, 0.6
_SHORT, _MOST_GROWTH = 0.04, 1.2
_CASCADES = ("haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml")


def from_box(picture: Tensor, box: Box, features: Tensor) -> Tensor:
    """What lies within a box (left, top, right, bottom), in pixels; `features` (1, C, h, w) of the picture.

    GrabCut begins from the half of the box that is most unlike what lies outside. A box is drawn around the whole of a
    thing: where the mask stops short of a side, what lies between is asked for, unless much else comes with it.

    Raises:
        SettingsError: the box is not in the picture.
    """
    import numpy

    cv2, small, scale = small_copy(picture)
    height, width = small.shape[:2]
    left, top, right, bottom = (round(value * scale) for value in box)
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    if right - left < 4 or bottom - top < 4:
        raise SettingsError(
            f"Expected a box as left,top,right,bottom within {picture.shape[3]}x{picture.shape[2]} pixels; got "
            f"{','.join(f'{value:g}' for value in box)}."
        )
    within = numpy.zeros((height, width), bool)
    within[top:bottom, left:right] = True
    unlike = cv2.resize(_unlike(features, within), (width, height), interpolation=cv2.INTER_CUBIC)
    trimap = numpy.full((height, width), cv2.GC_BGD, numpy.uint8)
    trimap[within] = cv2.GC_PR_BGD
    trimap[within & (unlike >= numpy.median(unlike[within]))] = cv2.GC_PR_FGD
    likely = (trimap == cv2.GC_PR_FGD).astype("float32")
    mask = largest(grabcut(small, trimap))
    if not mask.any():  # by colours alone nothing stands out
        return sharpened(smoothed(largest(likely)), picture)
    if _reach_for_sides(mask, (left, top, right, bottom), trimap):
        larger = largest(grabcut(small, trimap, rounds=1))
        mask = larger if larger.sum() <= _MOST_GROWTH * mask.sum() else mask
    return sharpened(smoothed(mask), picture)


def _reach_for_sides(mask: Array, box: tuple[int, int, int, int], trimap: Array) -> bool:
    """Draw lines from the mask to each side of the box that it stops short of; whether there was one."""
    import cv2
    import numpy

    rows, columns = numpy.where(mask > 0)
    if not len(rows):
        return False
    left, top, right, bottom = box
    ends = []
    for along, across, low, high in ((rows, columns, top, bottom - 1), (columns, rows, left, right - 1)):
        near = max(1, round(_SHORT * (high - low)))
        for edge, side in ((along.min(), low), (along.max(), high)):
            if abs(int(edge) - side) > near:
                middle = int(across[numpy.abs(along - edge) <= near].mean())
                ends.append(
                    ((middle, int(edge)), (middle, side)) if along is rows else ((int(edge), middle), (side, middle))
                )
    for begin, end in ends:
        cv2.line(trimap, begin, end, int(cv2.GC_FGD), 2)
    return bool(ends)


def from_points(picture: Tensor, inside: Sequence[Point], outside: Sequence[Point] = ()) -> Tensor:
    """What points (x, y) in pixels lie on, and others do not.

    Raises:
        SettingsError: no point inside, or one beyond the picture.
    """
    import numpy

    cv2, small, scale = small_copy(picture)
    height, width = small.shape[:2]
    if not inside:
        raise SettingsError("Expected one point or more on what is meant; give x,y in pixels.")
    trimap = numpy.full((height, width), cv2.GC_PR_BGD, numpy.uint8)
    radius = max(2, SIDE // 60)
    for points, sure, likely in ((outside, cv2.GC_BGD, cv2.GC_PR_BGD), (inside, cv2.GC_FGD, cv2.GC_PR_FGD)):
        for x, y in points:
            if not (0 <= x < picture.shape[3] and 0 <= y < picture.shape[2]):
                raise SettingsError(
                    f"The point {x:g},{y:g} is not within {picture.shape[3]}x{picture.shape[2]} pixels."
                )
            place = round(x * scale), round(y * scale)
            cv2.circle(trimap, place, 6 * radius, int(likely), -1)
        for x, y in points:
            cv2.circle(trimap, (round(x * scale), round(y * scale)), radius, int(sure), -1)
    border = max(1, SIDE // 100)
    edge = numpy.ones_like(trimap, bool)
    edge[border:-border, border:-border] = False
    trimap[edge & (trimap == cv2.GC_PR_BGD)] = cv2.GC_BGD
    return sharpened(grabcut(small, trimap), picture)


def from_strokes(picture: Tensor, strokes: Tensor) -> Tensor:
    """What white strokes (1, 1, H, W) were drawn on; black ones say what is not meant, grey says nothing.

    Raises:
        PictureError: there is no white stroke.
    """
    import numpy

    cv2, small, _ = small_copy(picture)
    height, width = small.shape[:2]
    drawn = cv2.resize(strokes[0, 0].numpy(), (width, height), interpolation=cv2.INTER_AREA)
    trimap = numpy.full((height, width), cv2.GC_PR_BGD, numpy.uint8)
    trimap[drawn < 0.2], trimap[drawn > 0.8] = cv2.GC_BGD, cv2.GC_FGD
    if not (trimap == cv2.GC_FGD).any() or not (trimap == cv2.GC_BGD).any():
        raise PictureError("Expected strokes on grey: white on what is meant, black on what is not.")
    return sharpened(grabcut(small, trimap), picture)


def from_color(picture: Tensor, color: str, tolerance: float = 0.12) -> Tensor:
    """Places of a colour like `#3a6ea5`, fading out as they differ from it by more than `tolerance` in Oklab.

    Raises:
        SettingsError: it is no colour.
        PictureError: no place has it.
    """
    import torch

    from impasto.controls.color import oklab

    if not 0 < tolerance < 10:
        raise SettingsError(f"Expected a tolerance above 0, like 0.12; got {tolerance:g}.")
    digits = color.removeprefix("#")
    try:
        level = torch.tensor([*bytes.fromhex(digits)], dtype=torch.float32).view(1, 3, 1, 1) / 255
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"Expected a colour like #3a6ea5; got {color}.") from error
    distance = (oklab(picture) - oklab(level)).square().sum(1, keepdim=True).sqrt()
    mask = (2 - distance / tolerance).clamp(0, 1)
    if float(mask.max()) < 0.5:
        raise PictureError(f"No place has the colour {color}; raise the tolerance, or look at the colours again.")
    return mask


def face(picture: Tensor) -> Tensor:
    """Faces with hair and neck.

    Raises:
        PictureError: none is found.
    """
    import numpy

    cv2, small, _ = small_copy(picture)
    found = _faces(small)
    if not found:
        raise PictureError("No face was found in the picture; draw a mask, or give --box to impasto mask.")
    height, width = small.shape[:2]
    trimap = numpy.full((height, width), cv2.GC_BGD, numpy.uint8)
    for x, y, w, h in found:
        around = (x - 0.5 * w, y - 0.6 * h, x + 1.5 * w, y + 1.55 * h)
        left, top, right, bottom = (round(value) for value in around)
        part = trimap[max(0, top) : bottom, max(0, left) : right]
        part[part == cv2.GC_BGD] = cv2.GC_PR_BGD
        middle = (round(x + w / 2), round(y + 0.45 * h))
        cv2.ellipse(trimap, middle, (round(0.62 * w), round(0.85 * h)), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    for x, y, w, h in found:
        cv2.ellipse(
            trimap, (x + w // 2, y + h // 2), (round(0.36 * w), round(0.46 * h)), 0, 0, 360, int(cv2.GC_FGD), -1
        )
    return sharpened(grabcut(small, trimap), picture)


def subject(picture: Tensor, features: Tensor) -> Tensor:
    """What the picture is of, from `features` (1, C, h, w): unlike the border, near the middle, refined by GrabCut.

    Raises:
        PictureError: nothing stands out.
    """
    import numpy

    cv2, small, _ = small_copy(picture)
    likely = cv2.resize(_salience(features), small.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    low, high = numpy.quantile(likely, 0.6), numpy.quantile(likely, 0.93)
    trimap = numpy.full(likely.shape, cv2.GC_PR_BGD, numpy.uint8)
    trimap[likely > low], trimap[likely > high] = cv2.GC_PR_FGD, cv2.GC_FGD
    trimap[likely < numpy.quantile(likely, 0.25)] = cv2.GC_BGD
    mask = largest(grabcut(small, trimap))
    if not mask.any():
        raise PictureError("Nothing stands out in the picture as its subject; draw a mask, or give a box.")
    return sharpened(smoothed(mask), picture)


def _faces(small: Array) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of faces, from the front or from a side."""
    import cv2

    grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
    least = max(24, min(grey.shape) // 14)
    for name in _CASCADES:
        cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
        found = cascade.detectMultiScale(grey, 1.1, 5, minSize=(least, least))
        if len(found) == 0 and "profile" in name:
            width = grey.shape[1]
            found = [
                (width - x - w, y, w, h)
                for x, y, w, h in cascade.detectMultiScale(grey[:, ::-1].copy(), 1.1, 5, minSize=(least, least))
            ]
        if len(found):
            return [tuple(int(value) for value in box) for box in found]  # type: ignore[misc]
    return []


def _salience(features: Tensor) -> Array:
    """How much each place (h, w) of `features` (1, C, h, w) is unlike the picture's border, and near its middle."""
    import numpy

    height, width = features.shape[2:]
    inner = numpy.zeros((height, width), bool)
    inner[1:-1, 1:-1] = True
    rows, columns = numpy.linspace(-1, 1, height)[:, None], numpy.linspace(-1, 1, width)[None]
    return _unlike(features, inner) * numpy.exp(-(rows**2 + columns**2) / (2 * _MIDDLE**2))


def _unlike(features: Tensor, within: Array) -> Array:
    """How much each place (h, w) of `features` (1, C, h, w) is unlike the nearest of those that are not `within`."""
    import torch
    import torch.nn.functional as F

    seen = F.normalize(features[0].flatten(1), dim=0)
    covered = F.adaptive_avg_pool2d(
        torch.from_numpy(within)[None, None].float(), (features.shape[2], features.shape[3])
    )[0, 0].flatten()
    outside = seen[:, covered <= max(0.2, float(covered.min()))]
    alike = (seen.T @ outside).topk(min(_NEAREST, outside.shape[1]), dim=1).values.mean(1)
    return (1 - alike).view(features.shape[2:]).numpy()
