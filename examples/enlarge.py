"""Small reproductions drawn twice as large, with the touches that they have lost.

    python examples/enlarge.py points|prints COLLECTION FOLDER

A painting of a short side of 256 pixels shows no points, and a print no clean lines, so no network can learn them from
it. `points` lays every painting of COLLECTION anew out of round touches, each of the colour of one of its pixels
(stroke-based rendering: Haeberli, 1990); `prints` sharpens edges until colours are flat and lines clean (a shock
filter: Osher and Rudin, 1990). Pictures of a long side above 1024 pixels need neither and are left out. The others go
to FOLDER, numbered. It needs the extra `[evaluate]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter, grey_dilation, grey_erosion

from impasto.errors import InputError, PictureError
from impasto.media.files import replacing
from impasto.media.image import read
from impasto.training.pictures import find_pictures

LARGER = 2
LONGEST = 1024
RADII = 2.0, 3.4  # of touches, in pixels of the result
COVERED = 3.0  # times over, so that little ground is left between touches
GROUND = (214, 203, 180)
SATURATION = 1.45
LIGHTNESS_NOISE, COLOR_NOISE = 6, 5  # of 255
FINER = 3  # touches are drawn at three times the result's size, so that their edges are soft
SHARPER = 4  # prints are sharpened at four times their own size
FLAT = 6  # of 255: what differs less from its neighbours is no edge


def points(painting: Image.Image, seed: int) -> Image.Image:
    """Round touches over a warm ground; each takes the colour of one pixel, more saturated."""
    chance, small = np.random.default_rng(seed), np.asarray(painting, np.float64)
    height, width = small.shape[:2]
    scale = LARGER * FINER
    soft = painting.filter(ImageFilter.GaussianBlur(3)).resize((scale * width, scale * height))
    picture = Image.blend(soft, Image.new("RGB", soft.size, GROUND), 0.35)
    draw = ImageDraw.Draw(picture)
    count = round(COVERED * LARGER * LARGER * height * width / (np.pi * np.mean(RADII) ** 2))
    places = chance.uniform(0, 1, (count, 2)) * (height, width)
    radii = FINER * chance.uniform(*RADII, count)
    taken = small[tuple(places.astype(int).T)]
    grey = taken.mean(1, keepdims=True)
    noise = chance.normal(0, LIGHTNESS_NOISE, (count, 1)) + chance.normal(0, COLOR_NOISE, (count, 3))
    colors = np.clip(grey + SATURATION * (taken - grey) + noise, 0, 255).astype(int)
    for (y, x), radius, color in zip(scale * places, radii, colors):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), tuple(map(int, color)))
    return picture.resize((LARGER * width, LARGER * height), Image.Resampling.BOX)


def prints(picture: Image.Image) -> Image.Image:
    """Every pixel near an edge goes to its darker or lighter side, whichever is nearer."""
    large = picture.resize([SHARPER * side for side in picture.size], Image.Resampling.LANCZOS)
    pixels = np.asarray(large, np.float64)
    for _ in range(3):
        soft = gaussian_filter(pixels, (1.0, 1.0, 0))
        dark, light = (extreme(soft, size=(3, 3, 1)) for extreme in (grey_erosion, grey_dilation))
        luma = soft @ (0.299, 0.587, 0.114)
        at_edge = np.clip((light - dark).mean(2, keepdims=True) / FLAT - 1, 0, 1)
        nearest = np.where((gaussian_filter(luma, 1.5) > luma)[..., None], dark, light)
        pixels = soft + at_edge * (nearest - soft)
    sharp = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
    return sharp.resize([LARGER * side for side in picture.size], Image.Resampling.LANCZOS)


def main(way: str, collection: Path, folder: Path) -> None:
    """Draw the pictures of `collection` anew, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(find_pictures([collection])[0]):
        try:
            pixels = read(path).pixels[0]
        except PictureError as error:
            print(error, file=sys.stderr)
            continue
        if max(pixels.shape) > LONGEST:
            print(f"{path} is left out: it has more than {LONGEST} pixels.", file=sys.stderr)
            continue
        picture = Image.fromarray((pixels.permute(1, 2, 0) * 255).round().byte().numpy())
        drawn = points(picture, number) if way == "points" else prints(picture)
        with replacing(folder / f"{number:05}_{path.stem}.webp") as temporary:
            drawn.save(temporary, "WEBP", quality=92)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("points", "prints"):
        sys.exit(__doc__)
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except InputError as error:
        sys.exit(str(error))
