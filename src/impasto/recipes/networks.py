"""Networks loaded once per process, in the order in memory in which they are fastest."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from impasto.encoders import EncoderName, Pooling, load_encoder, weights_path
from impasto.encoders.encoder import Encoder
from impasto.shelf.card import Card, load_model


def encoder_for(name: EncoderName, weights: Path | None, pooling: Pooling, device: torch.device) -> Encoder:
    """The encoder on a device.

    Raises:
        InputError: an unknown name, or weights that cannot be used.
    """
    return _encoder(name, weights, pooling, device, _stamp(weights_path(name, weights)))


def model_for(path: Path, device: torch.device) -> tuple[Card, nn.Module]:
    """A trained model and its card, on a device.

    Raises:
        WeightsError: the file is missing, damaged or no model.
    """
    return _model(path, device, _stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does."""
    status = path.stat() if path.is_file() else None
    return (status.st_mtime_ns, status.st_size) if status else (0, 0)


@lru_cache(maxsize=3)
def _encoder(
    name: EncoderName, weights: Path | None, pooling: Pooling, device: torch.device, stamp: tuple[int, int]
) -> Encoder:
    encoder = load_encoder(name, weights, pooling=pooling)
    return encoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@lru_cache(maxsize=4)
def _model(path: Path, device: torch.device, stamp: tuple[int, int]) -> tuple[Card, nn.Module]:
    card, network = load_model(path)
    return card, network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
