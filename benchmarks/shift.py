"""How far the instant network's picture of a photo that has moved is from the moved picture, in 255ths.

    python benchmarks/shift.py SHARED [--adapt STEPS]

SHARED holds `data/dev/content` and `data/dev/style`; the folders are paired by name, first with first. At 512 px, the
mean over four moves of 1 to 6 pixels, away from the edges.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from impasto.media.geometry import shift
from impasto.media.image import read
from impasto.recipes.feedforward import FeedForward
from impasto.settings import Look

SIZE, EDGE = 512, 16
MOVES = ((1, 0), (0, 3), (6, 2), (-4, -5))


def main() -> None:
    """Print the difference for each pair, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--adapt", type=int, default=0)
    own = parser.parse_args()
    engine = FeedForward.open("instant", Look(adapt=own.adapt))
    dev = own.shared / "data" / "dev"
    pairs = [*zip(*(sorted((dev / name).iterdir()) for name in ("content", "style")))]
    means = []
    for content, style in pairs:
        photo = read(content, SIZE).pixels
        known = engine.style_of([engine.describe_style(read(style, SIZE).pixels)])
        still, inside = engine.draw(photo, known), (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
        apart = [engine.draw(shift(photo, *move), known) - shift(still, *move) for move in MOVES]
        means.append(sum(float(one[inside].abs().mean()) for one in apart) / len(MOVES) * 255)
        print(f"{content.stem}: {means[-1]:.1f}", flush=True)
    print(f"mean: {sum(means) / len(means):.1f}")


if __name__ == "__main__":
    main()
