"""How steady, sharp and fast films become: a clip, frame by frame and steadied.

python benchmarks/film.py OUTPUT STYLE CLIP [CLIP ...] [--seconds 2] [--painting FILE] [-- OPTIONS]

Rows: the untouched clip (the floor), each frame on its own (--steady 0), and as `impasto film` does it. `near`, `far`:
what boils 1 and 9 frames apart (`metrics/film.py`); `ghosting`: how far what is uncovered is from frame by frame;
distance from content and, with `--painting`, style; `sharpness` over that of frame by frame; frames a second of the
whole command. OPTIONS go to `impasto film`.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from impasto.media.film import open_film
from impasto.media.geometry import resample
from impasto.media.image import read
from impasto.metrics.film import steadiness

from measure import run

MEASURES = ("near", "far", "drift", "ghosting", "content", "style")


def main() -> None:
    """Paint each clip twice, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("style")
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--painting", type=Path)
    parser.add_argument("--seconds", type=Fraction, default=Fraction(2))
    own, options = parser.parse_known_args()
    options = [option for option in options if option != "--"]
    own.output.mkdir(parents=True, exist_ok=True)
    style = read(own.painting, 512).pixels if own.painting else None
    print("|", " | ".join(["clip", "way", *MEASURES, "sharpness", "frames/s"]), "|")
    print("|---" * (len(MEASURES) + 4) + "|", flush=True)
    for clip in own.clips:
        photos = [frame.picture.pixels for frame in open_film(clip).frames(Fraction(0), own.seconds)]
        _row(clip, "the clip", steadiness((photo, photo) for photo in photos), 1.0, 0.0)
        sharp, fresh = 0.0, []
        for steady in ("0", "0.95"):
            output = own.output / f"{clip.stem}_{steady}.mkv"
            command = ["film", clip, own.style, "--steady", steady, "--to", float(own.seconds), "-o", output, "--force"]
            seconds = run(*command, "--codec", "ffv1", *options).seconds
            painted = [frame.picture.pixels for frame in open_film(output).frames()]
            size = painted[0].shape[2], painted[0].shape[3]
            sized = [resample(photo, size).clamp(0, 1) for photo in photos]
            fresh = fresh or painted
            measures = steadiness(zip(sized, painted, fresh), style)
            sharp = sharp or measures["sharpness"]
            _row(clip, f"--steady {steady}", measures, sharp, len(painted) / seconds)


def _row(clip: Path, way: str, measures: dict[str, float], sharp: float, rate: float) -> None:
    values = [f"{measures.get(name, float('nan')):.3f}" for name in MEASURES]
    print(
        "|",
        " | ".join([clip.stem, way, *values, f"{measures['sharpness'] / sharp:.2f}", f"{rate:.1f}"]),
        "|",
        flush=True,
    )


if __name__ == "__main__":
    main()
