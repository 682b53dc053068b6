"""bfloat16 against float32 on this device, in turn: seconds of one pass, of the slow road, of a training.

    python benchmarks/precision.py [ROUNDS]

`ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16` or `AVX2` before it limits a CPU to what others have. Whether pictures are as good
is `benchmarks/quality.py SHARED OUTPUT -- --precision bfloat16` against `float32`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from impasto.brief import of_painting
from impasto.device import Precision
from impasto.presets import preset
from impasto.recipes.painting import open_brief, painted
from impasto.shelf.engines import chosen_engine
from impasto.training.painter import train_painter
from impasto.training.settings import PainterTraining

EXAMPLES = Path(__file__).parent.parent / "examples"
PHOTO, STYLE = EXAMPLES / "rocket.jpg", EXAMPLES / "styles" / "swirls.jpg"
PRECISIONS = [one for one in get_args(Precision) if one != "auto"]


def one_pass(precision: str, style: str, size: int) -> Callable[[], object]:
    """A painting by a network that is open already."""
    method = open_brief(
        of_painting([style], chosen_engine(None, [style], "instant"), {"size": size, "precision": precision})
    )
    return lambda: painted(method.on(PHOTO))


def slow(precision: str) -> Callable[[], object]:
    """Five steps at 512 px."""
    recipe = preset("draft", precision=precision, start="content")
    painting = open_brief(of_painting([str(STYLE)], "optimize", recipe)).on(PHOTO)
    return lambda: list(painting.steps())


def training(precision: str) -> Callable[[], object]:
    """Four steps of a painter."""

    def train() -> None:
        settings = PainterTraining(steps=4, validate_every=10**9, precision=precision)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            list(train_painter([STYLE], Path(folder) / "p.impasto", settings))

    return train


def main(rounds: int) -> None:
    """Print a table."""
    jobs: dict[str, Callable[[str], Callable[[], object]]] = {
        "instant, 512 px": lambda precision: one_pass(precision, str(STYLE), 512),
        "looks, 512 px": lambda precision: one_pass(precision, "looks:swirls", 512),
        "instant, 1024 px": lambda precision: one_pass(precision, str(STYLE), 1024),
        "five steps, 512 px": slow,
        "a training of four steps": training,
    }
    print("| what | float32 | bfloat16 | times as fast |\n|---|---|---|---|")
    for name, make in jobs.items():
        work = {precision: make(precision) for precision in PRECISIONS}
        seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        for number in range(rounds + 1):
            for precision, run in work.items():
                began = time.perf_counter()
                run()
                if number:
                    seconds[precision].append(time.perf_counter() - began)
        exact, fast = (statistics.median(seconds[precision]) for precision in ("float32", "bfloat16"))
        print(f"| {name} | {exact:.3f} s | {fast:.3f} s | {exact / fast:.2f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
