"""Small reproductions drawn twice as large, with the touches that they have lost.

    python examples/enlarge.py points|prints COLLECTION FOLDER

A painting of a short side of 256 pixels shows no points, and a print no clean lines, so no network can learn them from
it. `points` lays every painting of COLLECTION anew out of round touches, each of the colour of one of its pixels;
`prints` sharpens edges until every colour is flat and every line clean. The pictures go to FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter, grey_dilation, grey_erosion

from impasto.training.pictures import find_pictures

LARGER = 2
RADII = (2.0, 3.4)
COVERED = 3.0
GROUND = (214, 203, 180)
FLAT = 6
_FINER, _SHARPER = 6, 4


def points(painting: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Round touches of pure colour over a warm ground; each takes the colour of one pixel, brightened in hue."""
    small = np.asarray(painting, np.float64)
    height, width = small.shape[:2]
    soft = painting.filter(ImageFilter.GaussianBlur(3)).resize((_FINER * width, _FINER * height))
    picture = Image.blend(soft, Image.new("RGB", soft.size, GROUND), 0.35)
    draw = ImageDraw.Draw(picture)
    area = LARGER * LARGER * height * width
    count = round(COVERED * area / (np.pi * np.mean(RADII) ** 2))
    places = rng.uniform(0, 1, (count, 2)) * (height, width)
    radii = _FINER / LARGER * rng.uniform(*RADII, count)
    taken = small[tuple(places.astype(int).T)]
    grey = taken.mean(1, keepdims=True)
    vivid = grey + 1.45 * (taken - grey) + rng.normal(0, 6, (count, 1)) + rng.normal(0, 5, (count, 3))
    for (y, x), radius, color in zip(_FINER * places, radii, np.clip(vivid, 0, 255).astype(int)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), tuple(map(int, color)))
    return picture.resize((LARGER * width, LARGER * height), Image.Resampling.BOX)


def prints(print_: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Clean lines and flat colours: every pixel goes to the darker or lighter side of its edge, whichever is nearer."""
    large = print_.resize([_SHARPER * side for side in print_.size], Image.Resampling.LANCZOS)
    pixels = np.asarray(large, np.float64)
    for _ in range(3):
        soft = gaussian_filter(pixels, (1.0, 1.0, 0))
        dark, light = (extreme(soft, size=(3, 3, 1)) for extreme in (grey_erosion, grey_dilation))
        luma = soft @ (0.299, 0.587, 0.114)
        at_edge = np.clip((light - dark).mean(2, keepdims=True) / FLAT - 1, 0, 1)
        nearest = np.where((gaussian_filter(luma, 1.5) > luma)[..., None], dark, light)
        pixels = soft + at_edge * (nearest - soft)
    sharp = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
    return sharp.resize([LARGER * side for side in print_.size], Image.Resampling.LANCZOS)


HANDS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {"points": points, "prints": prints}


def main(hand: str, collection: Path, folder: Path) -> None:
    """Draw every picture of `collection` anew, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(find_pictures([collection])[0]):
        picture = Image.open(path).convert("RGB")
        HANDS[hand](picture, np.random.default_rng(number)).save(folder / f"{path.stem}.webp", quality=92)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
