"""The encoders of a training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from impasto.encoders import EncoderName, load_encoder
from impasto.encoders.encoder import Encoder
from impasto.models.instant import STYLE_LAYERS

if TYPE_CHECKING:
    from lightning_fabric import Fabric

JUDGE: EncoderName = "compact2"


@dataclass(frozen=True)
class Eyes:
    """The encoder `own`, which a network is bound to and paints by, and the `judge`, whose view of the result counts.

    A network learns to please the one that judges it; the judge is the encoder nearest to its teacher.
    """

    own: Encoder
    judge: Encoder
    autocast: Callable[[], AbstractContextManager[Any]]

    @staticmethod
    def of(fabric: Fabric) -> Eyes:
        """Those of the package, in a training's precision."""
        return Eyes(encoder_on(fabric.device, "compact"), encoder_on(fabric.device, JUDGE), fabric.autocast)


def encoder_on(device: torch.device, name: EncoderName) -> Encoder:
    """An encoder of the package, in the order in memory in which it is fastest."""
    return load_encoder(name).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def device_of(encoder: Encoder) -> torch.device:
    """Where the encoder is."""
    return next(encoder.parameters()).device


def channels_of(encoder: Encoder) -> dict[str, int]:
    """{layer: channels} of the layers that styles are described by."""
    return {layer: encoder.architecture.convolutions[layer.removeprefix("relu")] for layer in STYLE_LAYERS}
