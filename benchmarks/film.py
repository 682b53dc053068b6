"""How steady, sharp and fast films become: a clip, frame by frame and steadied.

python benchmarks/film.py OUTPUT STYLE CLIP [CLIP ...] [--seconds 2] [-- OPTIONS]

Rows: the untouched clip (the floor), each frame on its own (--steady 0), and as `impasto film` does it. `near`, `far`:
what boils 1 and 9 frames apart (`metrics/film.py`); `sharpness` over that of frame by frame; frames a second of the
whole command. OPTIONS go to `impasto film`.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from impasto.media.film import open_film
from impasto.media.geometry import resample
from impasto.metrics.film import steadiness

from measure import run


def main() -> None:
    """Paint each clip twice, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("style")
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--seconds", type=Fraction, default=Fraction(2))
    own, options = parser.parse_known_args()
    options = [option for option in options if option != "--"]
    own.output.mkdir(parents=True, exist_ok=True)
    print("| clip | way | near | far | drift | sharpness | frames/s |\n|---|---|---|---|---|---|---|", flush=True)
    for clip in own.clips:
        photos = [frame.picture.pixels for frame in open_film(clip).frames(Fraction(0), own.seconds)]
        _row(clip, "the clip", steadiness((photo, photo) for photo in photos), 1.0, 0.0)
        sharp = 0.0
        for steady in ("0", "0.95"):
            output = own.output / f"{clip.stem}_{steady}.mkv"
            command = ["film", clip, own.style, "--steady", steady, "--to", float(own.seconds), "-o", output, "--force"]
            seconds = run(*command, "--codec", "ffv1", *options).seconds
            painted = [frame.picture.pixels for frame in open_film(output).frames()]
            size = painted[0].shape[2], painted[0].shape[3]
            sized = [resample(photo, size).clamp(0, 1) for photo in photos]
            measures = steadiness(zip(sized, painted))
            sharp = sharp or measures["sharpness"]
            _row(clip, f"--steady {steady}", measures, sharp, len(painted) / seconds)


def _row(clip: Path, way: str, measures: dict[str, float], sharp: float, rate: float) -> None:
    values = [f"{measures.get(name, float('nan')):.3f}" for name in ("near", "far", "drift")]
    print(
        "|",
        " | ".join([clip.stem, way, *values, f"{measures['sharpness'] / sharp:.2f}", f"{rate:.1f}"]),
        "|",
        flush=True,
    )


if __name__ == "__main__":
    main()
