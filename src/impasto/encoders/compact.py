"""Our own small encoders, distilled from VGG-19 by `impasto train encoder`; their weights are in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from impasto.encoders import Pooling
from impasto.encoders.encoder import Encoder
from impasto.encoders.vgg import load_stack

CompactName = Literal["compact", "compact2"]


def shipped_weights() -> dict[str, Path]:
    """The files in the package by the encoder's name; a .json beside each is its card.

    What networks and saved styles are bound to is `compact`; `compact2` is the same trained further, for painting by
    optimisation.
    """
    folder = Path(str(files("impasto.weights")))
    return {name: folder / f"{name}.safetensors" for name in ("compact", "compact2")}


def load_compact(weights: Path | None = None, *, name: CompactName = "compact", pooling: Pooling = "max") -> Encoder:
    """A shipped encoder, or another of its kind from `weights`.

    Raises:
        WeightsError: damaged weights, or those of another kind of network.
    """
    return load_stack(weights or shipped_weights()[name], pooling=pooling)
