"""Paint six style pictures from nothing but numbers: swirls, points, mosaic, woodblock, ink wash, hatching.

    python examples/paint_styles.py [FOLDER]

One imagined landscape, six hands. Everything is drawn here, so the pictures belong to nobody but this project.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

HEIGHT, WIDTH = 576, 720
Array = np.ndarray


def smooth_noise(rng: np.random.Generator, size: float, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Random hills and valleys about `size` pixels wide, with mean 0 and deviation 1."""
    noise = gaussian_filter(rng.standard_normal((height, width)), size, mode="wrap")
    return (noise - noise.mean()) / noise.std()


def landscape(rng: np.random.Generator) -> tuple[Array, Array]:
    """(tone in [0, 1], region number) of sky with a sun, two ranges of hills, a field and water."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    wander = smooth_noise(rng, 40)[0] * 0.03
    far = 0.42 + 0.07 * np.sin(4 * x + 1) + wander
    near = 0.58 + 0.08 * np.sin(3 * x + 3.5) - wander
    shore = 0.80 + 0.03 * np.sin(5 * x)
    region = np.select([y < far, y < near, y < shore], [0, 1, 2], 3)
    sun = np.hypot(x - 0.9, y - 0.2)
    region = np.where(sun < 0.085, 4, region)
    tone = np.select(
        [region == 0, region == 1, region == 2, region == 3],
        [0.75 - 0.9 * np.maximum(0, sun - 0.1) ** 0.8 + 0.1 * y, 0.35 + 0.5 * (y - far), 0.2 + 1.2 * (y - near), 0.5],
        0.98,
    )
    return np.clip(tone + 0.06 * smooth_noise(rng, 25), 0.02, 1), region


def colors(tone: Array, region: Array, palettes: list[tuple[str, str]]) -> Array:
    """(H, W, 3): each region runs from its dark to its light colour by tone."""
    ends = np.array([[_rgb(dark), _rgb(light)] for dark, light in palettes])
    dark, light = ends[region, 0], ends[region, 1]
    return dark + (light - dark) * np.clip(tone, 0, 1)[..., None]


def _rgb(code: str) -> list[int]:
    return [int(code[i : i + 2], 16) for i in (0, 2, 4)]


def _jitter(rng: np.random.Generator, color: Array, amount: float) -> tuple[int, int, int]:
    r, g, b = np.clip(color + rng.normal(0, amount, 3), 0, 255).astype(int)
    return int(r), int(g), int(b)


def swirls(rng: np.random.Generator) -> Image.Image:
    """Thick strokes that follow a turning wind, each with a lit and a shaded edge."""
    tone, region = landscape(rng)
    base = colors(tone, region, [("10245c", "8fc0e8"), ("16335f", "4f86b0"), ("1c3a2a", "a8a23c"), ("122a58", "7fb3d0"),
                                 ("f2b01e", "fff2a0")])  # fmt: skip
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    flow = 14 * smooth_noise(rng, 60)
    for cx, cy, turn in ((540, 115, 1.0), (230, 150, -0.8), (400, 240, 0.6), (110, 60, 0.7)):
        distance = np.hypot(x - cx, y - cy)
        flow += turn * 120 * np.exp(-((distance / 110) ** 2)) + turn * 5 * np.cos(distance / 9) * (distance < 130)
    gy, gx = np.gradient(gaussian_filter(flow, 3))
    angle = np.arctan2(-gx, gy)
    picture = Image.fromarray(gaussian_filter(base, (6, 6, 0)).astype("uint8")).resize((WIDTH * 2, HEIGHT * 2))
    draw = ImageDraw.Draw(picture)
    for width, count in ((15, 2600), (10, 5000), (6, 6500)):
        for _ in range(count):
            px, py = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
            color = base[int(py), int(px)]
            path = []
            for _ in range(int(rng.uniform(5, 11))):
                path.append((2 * px, 2 * py))
                a = angle[int(np.clip(py, 0, HEIGHT - 1)), int(np.clip(px, 0, WIDTH - 1))]
                px, py = px + 4 * np.cos(a), py + 4 * np.sin(a)
            lift = rng.normal(0, 16)
            for shift, light in ((2, -38), (-2, 34), (0, 0)):
                points = [(qx + shift, qy + shift) for qx, qy in path]
                draw.line(points, _jitter(rng, color + lift + light, 9), width, "curve")
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def points(rng: np.random.Generator) -> Image.Image:
    """Small round touches of pure colour, warm beside cold, that mix in the extractor."""
    tone, region = landscape(rng)
    base = colors(tone, region, [("e8b48c", "f9ecc8"), ("6a5fae", "c3a4d0"), ("3f7a4a", "e4cf5a"), ("3672ac", "b8dcd8"),
                                 ("ff9d2e", "fff0b0")])  # fmt: skip
    picture = Image.new("RGB", (WIDTH * 3, HEIGHT * 3), (238, 228, 206))
    draw = ImageDraw.Draw(picture)
    spots = np.stack([rng.uniform(0, HEIGHT, 52000), rng.uniform(0, WIDTH, 52000)], 1)
    for py, px in spots:
        color = base[int(py), int(px)].astype(float)
        grey = color.mean()
        kind = rng.random()
        if kind < 0.22:
            color = grey + (grey - color) * 1.3
        elif kind < 0.5:
            color = np.roll(color - grey, int(rng.integers(1, 3))) * 0.9 + grey
        color = grey + (color - grey) * 1.5 + rng.normal(0, 8)
        radius = rng.uniform(4.5, 8.0)
        draw.ellipse((3 * px - radius, 3 * py - radius, 3 * px + radius, 3 * py + radius), _jitter(rng, color, 8))
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def mosaic(rng: np.random.Generator) -> Image.Image:
    """Little glass stones in rows, each of one colour and tilted to the light, set in dark mortar."""
    tone, region = landscape(rng)
    base = colors(tone, region, [("0e4f6e", "7fd0d8"), ("6a2c4a", "d98a7a"), ("1d5a3c", "c9c44a"), ("123a7a", "58a8d8"),
                                 ("d88a10", "ffe27a")])  # fmt: skip
    rows = np.arange(0, HEIGHT + 13, 13.0)
    grid = [(r + rng.normal(0, 1.6) + 5 * np.sin(c / 60), c + 6.5 * (i % 2) + rng.normal(0, 1.8))
            for i, r in enumerate(rows) for c in np.arange(0, WIDTH + 13, 13.0)]  # fmt: skip
    seeds = np.array(grid)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance, index = cKDTree(seeds).query(np.stack([y, x], -1), k=2)
    stone = index[..., 0]
    inside = np.clip(seeds, 0, [HEIGHT - 1, WIDTH - 1]).astype(int)
    stone_color = (
        base[inside[:, 0], inside[:, 1]] + rng.normal(0, 20, (len(seeds), 1)) + rng.normal(0, 9, (len(seeds), 3))
    )
    tilt = rng.normal(0, 2.2, (len(seeds), 2))
    offset = np.stack([y, x], -1) - seeds[stone]
    shine = (offset * tilt[stone]).sum(-1)
    picture = stone_color[stone] + shine[..., None]
    edge = np.clip((distance[..., 1] - distance[..., 0]) / 2.2 - 0.35, 0, 1)[..., None]
    picture = picture * edge + np.array([46, 40, 38]) * (1 - edge)
    return Image.fromarray(np.clip(picture, 0, 255).astype("uint8"))


def woodblock(rng: np.random.Generator) -> Image.Image:
    """A few flat inks with the grain of the block, graded skies, and dark keylines."""
    tone, region = landscape(rng)
    steps = np.digitize(gaussian_filter(tone, 5) + 0.05 * smooth_noise(rng, 9), [0.25, 0.42, 0.58])
    inks = [["1f3f66", "5f8fa8", "a9c4b8", "ecdfc0"], ["22364f", "2f5673", "5b8796", "8fae9f"],
            ["3b3a2a", "6a6a3c", "a59a58", "d6c48a"], ["1a3a63", "2f6690", "8fb8c4", "e8e2cc"],
            ["c8452c", "c8452c", "c8452c", "c8452c"]]  # fmt: skip
    table = np.array([[_rgb(code) for code in row] for row in inks], float)
    picture = table[region, steps]
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = np.sin(y / 5.5 + 2.2 * np.sin(x / 23.0 + y / 50.0)) > 0.82
    picture = np.where(((region == 3) & waves)[..., None], np.array(_rgb("f2ead2")), picture)
    grain = gaussian_filter(rng.standard_normal((HEIGHT, WIDTH)), (0.6, 26))
    picture += (grain / grain.std() * 4.0)[..., None]
    lines = np.zeros((HEIGHT, WIDTH))
    for field in (region.astype(float), steps * 0.5 + region * 10):
        gy, gx = np.gradient(gaussian_filter(field, 0.8))
        lines = np.maximum(lines, np.hypot(gx, gy) > 0.12)
    ink = np.clip(gaussian_filter(lines.astype(float), 1.0) * 1.5, 0, 1)[..., None]
    picture = picture * (1 - ink) + np.array([24, 26, 40]) * ink
    return Image.fromarray(np.clip(picture, 0, 255).astype("uint8"))


def ink_wash(rng: np.random.Generator) -> Image.Image:
    """Black ink let down with water on warm paper: soft bleeding masses, a few dry strokes."""
    tone, region = landscape(rng)
    fibres = smooth_noise(rng, 1.0) * 2.5 + smooth_noise(rng, 12) * 2
    paper = np.array([238, 230, 212]) + fibres[..., None]
    warp = np.stack([smooth_noise(rng, 7) * 5, smooth_noise(rng, 7) * 5])
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    density = np.zeros((HEIGHT, WIDTH))
    for number, strength in ((1, 0.42), (2, 0.8), (3, 0.12)):
        mask = (region == number).astype(float)
        bled = map_coordinates(gaussian_filter(mask, 3.5), [y + warp[0], x + warp[1]], order=1, mode="nearest")
        rim = np.clip(gaussian_filter(bled, 2) * (1 - bled) * 4, 0, 1)
        fade = np.clip(1.25 - 1.3 * tone + 0.22 * smooth_noise(rng, 18), 0.1, 1)
        density += strength * bled * fade + 0.25 * rim * strength
    density += 0.16 * np.clip(smooth_noise(rng, 45), 0, 2) * (region == 0)
    strokes = Image.new("L", (WIDTH * 2, HEIGHT * 2), 0)
    draw = ImageDraw.Draw(strokes)
    for _ in range(90):
        px, py, a = rng.normal(0.7, 0.4) * WIDTH, rng.uniform(1.45, 2.0) * HEIGHT, rng.normal(-1.5, 0.35)
        for step in range(int(rng.uniform(25, 70))):
            size = max(0.6, 6 - step * 0.09 + rng.normal(0, 0.5))
            draw.ellipse((px - size, py - size, px + size, py + size), int(rng.uniform(150, 255)))
            px, py, a = px + 4 * np.cos(a), py + 4 * np.sin(a), a + rng.normal(0.012, 0.03)
    dry = np.asarray(strokes.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)) / 255.0
    dry *= np.clip(1.2 + 0.5 * smooth_noise(rng, 1.2), 0, 1)
    density = np.clip(np.maximum(density, 0.9 * dry), 0, 0.96)[..., None]
    return Image.fromarray(np.clip(paper * (1 - density) + np.array([26, 28, 34]) * density, 0, 255).astype("uint8"))


def hatching(rng: np.random.Generator) -> Image.Image:
    """Pen lines on cream paper, crossed more often where it is darker."""
    tone, _ = landscape(rng)
    tone = gaussian_filter(tone, 2)
    picture = Image.new("RGB", (WIDTH * 3, HEIGHT * 3), (243, 234, 214))
    draw = ImageDraw.Draw(picture)
    for angle, darkest, gap in ((0.7, 0.82, 6.0), (-0.75, 0.55, 6.0), (0.05, 0.36, 5.0), (1.5, 0.24, 5.0)):
        direction, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for offset in np.arange(-WIDTH, WIDTH, gap):
            position = np.array([WIDTH / 2, HEIGHT / 2]) + across * (offset + rng.normal(0, 0.6)) - direction * WIDTH
            bend, run = rng.normal(0, 0.00008), []
            for step in range(0, 2 * WIDTH, 4):
                position = position + 4 * direction + across * bend * step + rng.normal(0, 0.05, 2)
                px, py = int(position[0]), int(position[1])
                dark = 0 <= px < WIDTH and 0 <= py < HEIGHT and tone[py, px] + rng.normal(0, 0.05) < darkest
                if dark:
                    run.append((3 * position[0], 3 * position[1]))
                if (not dark or len(run) > 16) and run:
                    if len(run) > 1:
                        draw.line(run, _jitter(rng, np.array([44, 36, 40]), 8), int(rng.integers(3, 6)), "curve")
                    run = []
    return picture.filter(ImageFilter.GaussianBlur(0.7)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


HANDS: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "swirls": swirls,
    "points": points,
    "mosaic": mosaic,
    "woodblock": woodblock,
    "ink_wash": ink_wash,
    "hatching": hatching,
}


def main(folder: Path) -> None:
    """Paint all six into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, hand) in enumerate(HANDS.items()):
        hand(np.random.default_rng(number)).save(folder / f"{name}.jpg", quality=92, subsampling=0)
        print(folder / f"{name}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "styles")
