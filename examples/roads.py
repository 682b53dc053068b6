"""Eight photos and styles of ours, painted in one pass and by optimisation at 1024 px: whole, and a part enlarged.

    python examples/roads.py SHEET CROPS

A row of SHEET is the photo, the style, `instant`, `balanced` and `best`; one of CROPS the same part of the last three,
each pixel three wide.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

import impasto

HERE = Path(__file__).parent
PAIRS = {
    ("cat", "swirls"): (0.42, 0.45), ("coffee", "mosaic"): (0.5, 0.5), ("astronaut", "woodblock"): (0.45, 0.2),
    ("rocket", "ink_wash"): (0.55, 0.5), ("cat", "hatching"): (0.42, 0.45), ("coffee", "points"): (0.5, 0.5),
    ("astronaut", "swirls"): (0.45, 0.2), ("rocket", "woodblock"): (0.55, 0.5),
}  # fmt: skip
"""Where the enlarged part lies: its middle, as shares of width and height."""
SIZE, SHOWN, CROP = 1024, (288, 216), (128, 96)


def painted(photo: Path, style: Path) -> Iterator[Image.Image]:
    """In one pass, `balanced` and `best`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (("one_pass", {"engine": "instant"}), ("balanced", {}), ("best", {"preset": "best"})):
            path = Path(folder) / f"{name}.png"
            impasto.write(impasto.stylize(photo, style, size=SIZE, **settings), path)
            with Image.open(path) as picture:
                yield picture.convert("RGB")


def part(picture: Image.Image, middle: tuple[float, float]) -> Image.Image:
    """Around `middle`, each pixel three wide."""
    left, top = (round(at * length - side / 2) for at, length, side in zip(middle, picture.size, CROP))
    crop = picture.crop((left, top, left + CROP[0], top + CROP[1]))
    return crop.resize((3 * CROP[0], 3 * CROP[1]), Image.Resampling.NEAREST)


def main(sheet: Path, crops: Path) -> None:
    """Paint and write both sheets."""
    whole = Image.new("RGB", (5 * SHOWN[0], len(PAIRS) * SHOWN[1]), "white")
    enlarged = Image.new("RGB", (9 * CROP[0], 3 * len(PAIRS) * CROP[1]))
    for row, ((photo, style), middle) in enumerate(PAIRS.items()):
        paths = HERE / f"{photo}.jpg", HERE / "styles" / f"{style}.jpg"
        results = list(painted(*paths))
        for column, picture in enumerate([*map(Image.open, paths), *results]):
            fitted = ImageOps.pad(picture.convert("RGB"), SHOWN, color="white")
            whole.paste(fitted, (column * SHOWN[0], row * SHOWN[1]))
        for column, picture in enumerate(results):
            enlarged.paste(part(picture, middle), (3 * column * CROP[0], 3 * row * CROP[1]))
        print(photo, style, flush=True)
    for picture, path in ((whole, sheet), (enlarged, crops)):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=85)
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
