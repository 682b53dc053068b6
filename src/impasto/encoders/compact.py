"""Our own small encoder, distilled from VGG-19 by `impasto train encoder`; its weights are in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from impasto.encoders import Pooling
from impasto.encoders.encoder import Encoder
from impasto.encoders.vgg import load_stack


def compact_weights() -> Path:
    """The shipped weights; `compact.json` beside them is their card."""
    return Path(str(files("impasto.weights") / "compact.safetensors"))


def load_compact(weights: Path | None = None, *, pooling: Pooling = "max") -> Encoder:
    """The shipped encoder, or another of its kind from `weights`.

    Raises:
        WeightsError: damaged weights, or those of another kind of network.
    """
    return load_stack(weights or compact_weights(), pooling=pooling)
