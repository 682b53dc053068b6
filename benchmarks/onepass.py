"""Speed and memory of painting in one pass, of batches, and of the loader of a training; in turn, in one run.

    python benchmarks/onepass.py [ROUNDS]

Seconds are this machine's at this hour; ratios hold longer. Two threads where nothing else is said.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from impasto.media.geometry import resample
from impasto.media.image import Picture, read
from impasto.media.writing import write
from impasto.recipes.feedforward import FeedForward
from impasto.settings import Look

from measure import run

TRANSLATORS = ("pointillist",)
EXAMPLES = Path(__file__).parent.parent / "examples"
PHOTO, STYLE = EXAMPLES / "rocket.jpg", EXAMPLES / "styles" / "swirls.jpg"


def median(job: Callable[[], object], rounds: int) -> float:
    """Seconds, after one run that is not counted."""
    job()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def passes(rounds: int) -> None:
    """A whole pass in memory, the style known."""
    look, photo = Look(), read(PHOTO, 512).pixels
    for name, size in (("instant", (340, 512)), ("looks", (384, 512)), *((name, (384, 512)) for name in TRANSLATORS)):
        model = FeedForward.open(name, look)
        sized = resample(photo, size).clamp(0, 1)
        if name == "instant":
            style = model.style_of([model.describe(read(STYLE, 512).pixels)])
        else:
            style = model.learned_style([{model.card.styles[0]: 1.0}])
        seconds = median(partial(model.draw, sized, style), rounds)
        print(f"| {name}, one pass, {size[1]}x{size[0]} | {seconds:.3f} s |", flush=True)


def seams() -> None:
    """How far a picture painted in strips is from the same in one piece, and from row to row."""
    from impasto.models import strips
    from impasto.recipes import feedforward

    look = Look(size=1200)
    model = FeedForward.open("instant", look)
    style = model.style_of([model.describe(read(STYLE, 512).pixels)])
    photo = read(PHOTO, 1200).pixels
    before = feedforward.IN_STRIPS_BEYOND, feedforward._TILE, strips._VALUES
    whole = model.draw(photo, style)
    feedforward.IN_STRIPS_BEYOND, feedforward._TILE, strips._VALUES = 1, (64, 256), 1 << 20
    difference = (model.draw(photo, style) - whole).abs() * 255
    feedforward.IN_STRIPS_BEYOND, feedforward._TILE, strips._VALUES = before
    rows = difference.mean((0, 1, 3))
    print(
        f"| strips against one piece, of 255 | mean {difference.mean():.4f}, worst row {rows.max():.4f} |", flush=True
    )


def processes(folder: Path, rounds: int) -> None:
    """Whole processes from cold; the large ones once."""
    paint = ["paint", PHOTO, STYLE, "--engine", "instant", "-o", folder / "out.png", "--force", "--size"]
    costs = [run(*paint, 512) for _ in range(rounds)]
    print(
        f"| paint --engine instant, 512x342 | {statistics.median(cost.seconds for cost in costs):.2f} s |", flush=True
    )
    for width, height in ((3840, 2160), (7680, 4320)):
        source = folder / f"{width}.png"
        write(Picture(resample(read(PHOTO).pixels, (height, width)).clamp(0, 1)), source)
        cost = run(
            "paint", source, STYLE, "--engine", "instant", "-o", folder / "large.png", "--force", "--size", width
        )
        print(f"| the same, {width}x{height} | {cost.seconds:.1f} s, {cost.megabytes:.0f} MB |", flush=True)


def batches(folder: Path) -> None:
    """Two processes against one process on one core, on the same pictures; start-up is not counted."""
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(PHOTO.read_bytes())
    cores, seconds = os.sched_getaffinity(0), {}
    for workers in (1, 2):
        os.sched_setaffinity(0, sorted(cores)[:workers])
        command = ["batch", folder / "*.jpg", "--style", STYLE, "-o", folder / f"results{workers}"]
        painting = run(*command, "--workers", workers)
        nothing_left = run(*command, "--workers", workers)
        seconds[workers] = painting.seconds - nothing_left.seconds
    os.sched_setaffinity(0, cores)
    print(f"| batch of 40, one process on one core | {seconds[1]:.1f} s |")
    print(f"| the same, two processes | {seconds[2]:.1f} s, {seconds[1] / seconds[2]:.2f}x |", flush=True)


def main(rounds: int) -> None:
    """Print a table."""
    torch.set_num_threads(2)
    print("| what | figure |\n|---|---|")
    passes(rounds * 3)
    seams()
    with tempfile.TemporaryDirectory() as folder:
        processes(Path(folder), rounds)
        batches(Path(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
