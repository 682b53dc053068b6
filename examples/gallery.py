"""The pictures at the head of the README, each by the command that a user would give.

python examples/gallery.py [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PICTURES = {
    "cat_swirls": "cat.jpg styles/swirls.jpg",
    "astronaut_face_kept": "astronaut.jpg styles/swirls.jpg --keep face",
    "coffee_two_styles": "coffee.jpg --region subject=styles/swirls.jpg --region rest=styles/hatching.jpg",
    "rocket_woodblock": "rocket.jpg styles/woodblock.jpg",
    "astronaut_harmony": "astronaut.jpg styles/woodblock.jpg --color harmony --keep face",
    "coffee_mosaic": "coffee.jpg styles/mosaic.jpg",
}
LOOK = "--preset best --size 768 --quality 85 --force"


def main(names: list[str]) -> None:
    """Paint those that are named, or all."""
    for name in names or PICTURES:
        command = f"{sys.executable} -m impasto paint {PICTURES[name]} -o painted/{name}.jpg {LOOK}"
        subprocess.run(command.split(), cwd=HERE, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
