"""Samples per second of a training against those of the same loop on a batch held in memory, in turn.

python benchmarks/loading.py PHOTOS [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path

from torch import Tensor

from impasto.models.painter import Painter
from impasto.training.eyes import Eyes, channels_of
from impasto.training.loading import Loader
from impasto.training.loop import _Session
from impasto.training.painter import PainterTask
from impasto.training.pictures import Crops, find_pictures
from impasto.training.processes import launch
from impasto.training.settings import PainterTraining
from impasto.training.styles import Book, describe_styles
from impasto.training.task import unseen

STYLE = Path(__file__).parent.parent / "examples" / "styles" / "swirls.jpg"
STEPS = 12


def main(photos: Path, rounds: int) -> None:
    """Print both speeds and their ratio."""
    settings = PainterTraining(device="cpu", validate_every=10**9)
    fabric = launch(settings)
    eyes = Eyes.of(fabric)
    book = Book.joined([page for _, page in describe_styles(eyes, [STYLE], [1.0], set())])
    (paths,) = find_pictures([photos])
    network = Painter({"relu3_1": channels_of(eyes.own)["relu3_1"]}, 1)
    task = PainterTask(network, eyes, book, unseen(paths, book, 8, settings), settings, [STYLE.stem])
    session = _Session(task, settings, fabric)
    crops = Crops([paths], settings.crop_size, disturbed=0.0)
    loaded = Loader(crops, settings.batch).batches()
    held: Iterator[tuple[list[int], Tensor]] = repeat(next(loaded))
    speeds: dict[str, list[float]] = {"loaded": [], "held": []}
    for _ in range(rounds):
        for name, batches in (("loaded", loaded), ("held", held)):
            steps = [session.advance(batches).samples_per_second for _ in islice(repeat(0), STEPS)]
            speeds[name].append(statistics.median(steps))
            print(name, f"{speeds[name][-1]:.2f}", file=sys.stderr)
    ratio = statistics.median(loaded / held for loaded, held in zip(speeds["loaded"], speeds["held"]))
    print(f"loaded {statistics.median(speeds['loaded']):.2f}, held {statistics.median(speeds['held']):.2f} samples/s")
    print(f"The loop reaches {ratio:.0%} of its speed on a batch held in memory.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
