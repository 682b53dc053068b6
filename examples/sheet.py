"""Sixteen pictures that no training has seen, each beside what a model makes of it, on one sheet.

    python examples/sheet.py MODEL SHEET

The pictures are from scikit-image's data, all public domain or CC0: those of `photos.py`, and

- camera: Lav Varshney, CC0
- clock: Stefan van der Walt, public domain
- moon: Andreas Preuss, CC0
- hubble: NASA and ESA, public domain
- retina: Mikael Häggström, CC0
- brick, grass, gravel: CC0Textures, CC0
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from skimage import data

import impasto

WHOLE = {
    "cat": data.cat, "coffee": data.coffee, "astronaut": data.astronaut, "rocket": data.rocket, "camera": data.camera,
    "clock": data.clock, "moon": data.moon, "hubble": data.hubble_deep_field, "retina": data.retina,
    "brick": data.brick, "grass": data.grass, "gravel": data.gravel,
}  # fmt: skip
PARTS = {"astronaut": (140, 0, 340, 150), "cat": (100, 40, 340, 220), "rocket": (220, 120, 480, 315),
         "coffee": (140, 60, 440, 285)}  # fmt: skip
COLUMNS, SIZE = 4, (480, 360)


def photos() -> list[Image.Image]:
    """All sixteen, cut to one shape."""
    whole = {name: Image.fromarray(np.asarray(load())).convert("RGB") for name, load in WHOLE.items()}
    parts = [whole[name].crop(box) for name, box in PARTS.items()]
    return [ImageOps.fit(photo, SIZE) for photo in (*whole.values(), *parts)]


def main(model: str, output: Path) -> None:
    """Paint and write the sheet."""
    width, height = SIZE
    shown = photos()
    sheet = Image.new("RGB", (2 * width * COLUMNS, height * -(-len(shown) // COLUMNS)))
    with tempfile.TemporaryDirectory() as folder:
        for number, photo in enumerate(shown):
            path = Path(folder) / "photo.png"
            photo.save(path)
            impasto.write(impasto.stylize(path, model, size=max(SIZE)), Path(folder) / "painted.png", force=True)
            place = 2 * width * (number % COLUMNS), height * (number // COLUMNS)
            sheet.paste(photo, place)
            with Image.open(Path(folder) / "painted.png") as painted:
                sheet.paste(painted, (place[0] + width, place[1]))
    output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(output, quality=80)
    print(output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
