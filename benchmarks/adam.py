"""What each of Adam's changes gains: all of them, all but one, and Adam as published; judged over pairs.

    python benchmarks/adam.py SHARED OUTPUT [--size N] [--pairs N]

SHARED is as in `quality.py`; the pictures go to OUTPUT, to be looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import impasto
from impasto.engine import optimizers

from measure import judged

RGB = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
WAYS: dict[str, dict[str, object]] = {
    "as it is": {},
    "red, green and blue one by one": {"_COLORS": RGB},
    "longer memory, β = (0.9, 0.99)": {"_MEAN": 0.9, "_SQUARE": 0.99},
    "no floor under its divisor": {"_CALM": 0.0},
    "gradient not softened": {"_SOFTNESS": 0.0},
    "as published": {"_COLORS": RGB, "_MEAN": 0.9, "_SQUARE": 0.999, "_CALM": 0.0, "_SOFTNESS": 0.0},
}


def main() -> None:
    """Paint each pair in each way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=8)
    own = parser.parse_args()
    own.output.mkdir(parents=True, exist_ok=True)
    photos, paintings = (sorted((own.shared / "data" / "dev" / name).iterdir()) for name in ("content", "style"))
    print("| Adam | style | content | grid |\n|---|---|---|---|")
    shipped = vars(optimizers).copy()
    for name, changes in WAYS.items():
        vars(optimizers).update({**shipped, **changes})
        rows = []
        for photo, painting in list(zip(photos, paintings))[: own.pairs]:
            result = own.output / f"{photo.stem}_{name}.png"
            impasto.write(impasto.stylize(photo, painting, size=own.size), result, force=True)
            rows.append(judged(own.shared, own.size, photo, painting, result))
        style, content, grid = (sum(column) / len(rows) for column in zip(*rows))
        print(f"| {name} | {style:.3f} | {content:.3f} | {grid:.3f} |", flush=True)


if __name__ == "__main__":
    main()
