"""Style and content distances and weave of presets, engines and learned styles, by an independent judge, at the
results' own size.

    python benchmarks/quality.py SHARED OUTPUT [--preset NAME ...] [--engine NAME ...]
        [--learned MODEL:STYLE=PAINTING ...] [--size N] [-- OPTIONS OF impasto paint]

SHARED holds `judge/judge.py`, `data/dev/content` and `data/dev/style`; the folders are paired by name, first with
first. A learned style paints all of the photos and is judged against its painting. The pictures go to OUTPUT/NAME, to
be looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from measure import judged, run


def main() -> None:
    """Paint all pairs in each way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--preset", action="append", default=[])
    parser.add_argument("--engine", action="append", default=[])
    parser.add_argument("--learned", action="append", default=[], metavar="MODEL:STYLE=PAINTING")
    parser.add_argument("--size", default="512")
    own, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    arguments = parser.parse_args(own.split())
    dev = arguments.shared / "data" / "dev"
    photos, paintings = (sorted((dev / name).iterdir()) for name in ("content", "style"))
    ways = [("--preset", name) for name in arguments.preset] + [("--engine", name) for name in arguments.engine]
    if not ways and not arguments.learned:
        ways = [("--preset", "draft"), ("--preset", "balanced"), ("--preset", "best"), ("--engine", "instant")]
    print("| preset, engine or style | style | content | grid | seconds |\n|---|---|---|---|---|")
    more = ["--size", arguments.size, *options.split()]
    for option, name in ways:
        pairs = [(photo, str(painting), painting) for photo, painting in zip(photos, paintings)]
        tell(Path(name).stem, arguments, pairs, [option, name, *more])
    for learned in arguments.learned:
        style, _, painting = learned.partition("=")
        tell(style.replace(":", "_"), arguments, [(photo, style, Path(painting)) for photo in photos], more)


def tell(
    name: str, arguments: argparse.Namespace, pairs: Sequence[tuple[Path, str, Path]], options: Sequence[str]
) -> None:
    """Paint each (photo, style as it is given, its painting), and print the mean of what is measured."""
    folder = arguments.output / name
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for photo, style, painting in pairs:
        result = folder / f"{photo.stem}_{painting.stem}.png"
        cost = run("paint", photo, style, "-o", result, "--force", *options)
        rows.append((*judged(arguments.shared, arguments.size, photo, painting, result), cost.seconds))
        print(f"{result.stem}: {rows[-1]}", file=sys.stderr)
    means = [sum(column) / len(rows) for column in zip(*rows)]
    print(f"| {name} | {means[0]:.3f} | {means[1]:.3f} | {means[2]:.3f} | {means[3]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
