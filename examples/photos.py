"""Write the example photos from scikit-image's data: all public domain or CC0.

    python examples/photos.py [FOLDER]

- cat: Stefan van der Walt, CC0
- coffee: Rachel Michetti, CC0
- astronaut: Eileen Collins, by NASA, public domain
- rocket: launch of DSCOVR, by SpaceX, public domain
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from skimage import data

PHOTOS = {"cat": data.cat, "coffee": data.coffee, "astronaut": data.astronaut, "rocket": data.rocket}


def main(folder: Path) -> None:
    """Write all four into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, photo in PHOTOS.items():
        Image.fromarray(photo()).save(folder / f"{name}.jpg", quality=92, subsampling=0)
        print(folder / f"{name}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
