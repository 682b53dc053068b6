"""How much of an adversarial training step is spent in forward and backward passes: 128 px, batch 4, two threads.

python benchmarks/step.py PHOTOS COLLECTION [STEPS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from impasto.shelf.models import find
from impasto.training import loop
from impasto.training.adversarial import Duel
from impasto.training.collection import train_collection
from impasto.training.settings import CollectionTraining, Method

WARM = 3


def main(photos: Path, collection: Path, steps: int) -> None:
    """Print the share for each method."""
    torch.set_num_threads(2)
    advance, spent = loop._Session.advance, [0.0, 0.0]

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def working(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            result = work(*arguments, **options)
            spent[0] += time.perf_counter() - began
            return result

        return working

    def watched(session: Any, batches: Any) -> Any:
        if session.step == WARM:
            spent[:] = 0.0, 0.0
        began = time.perf_counter()
        progress = advance(session, batches)
        spent[1] += time.perf_counter() - began
        return progress

    Duel.forward, Fabric.backward = timed(Duel.forward), timed(Fabric.backward)  # type: ignore[method-assign]
    loop._Session.advance = watched  # type: ignore[method-assign]
    methods: tuple[Method, ...] = ("fastcut", "cut", "cyclegan")
    for method in methods:
        pool = 50 if method == "cyclegan" else 0
        settings = CollectionTraining(
            method=method, pool=pool, crop_size=128, batch=4, steps=WARM + steps, validate_every=10**9, device="cpu"
        )
        with tempfile.TemporaryDirectory() as folder:
            for _ in train_collection(
                [photos], [collection], Path(folder) / "a.impasto", settings, start=find("looks")
            ):
                pass
        print(f"{method}: {spent[0] / spent[1]:.1%} of {spent[1] / steps:.2f} s a step", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 10)
