"""Encoders by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from impasto.errors import SettingsError, UnknownName

if TYPE_CHECKING:
    from impasto.encoders.encoder import Encoder

EncoderName = Literal["compact", "compact2", "vgg19", "vgg16", "resnet18", "resnet34", "resnet50"]
ENCODERS: tuple[EncoderName, ...] = ("compact", "compact2", "vgg19", "vgg16", "resnet18", "resnet34", "resnet50")
Pooling = Literal["max", "average", "l2"]
POOLINGS: tuple[Pooling, ...] = ("max", "average", "l2")
Convention = Literal["auto", "torchvision", "caffe", "caffe-rgb"]


def load_encoder(
    name: EncoderName = "compact",
    weights: Path | None = None,
    *,
    pooling: Pooling = "max",
    convention: Convention = "auto",
) -> Encoder:
    """The encoder called `name`, from `weights` or from where its weights belong, its layers on one scale.

    Raises:
        UnknownName: no such encoder.
        SettingsError: another pooling of a residual network.
        WeightsError: no weights, damaged ones, or those of another network.
    """
    if name == "compact" or name == "compact2":
        from impasto.encoders.compact import load_compact

        return load_compact(weights, name=name, pooling=pooling)
    if name not in ENCODERS:
        raise UnknownName("encoder", name, ENCODERS)
    if name == "resnet18" or name == "resnet34" or name == "resnet50":
        from impasto.encoders.resnet import load_resnet

        if pooling != "max":
            raise SettingsError(f"Residual networks pool in one way; leave pooling out, or give max, not {pooling}.")
        return load_resnet(name, weights)
    from impasto.encoders.normalise import normalise
    from impasto.encoders.vgg import load_vgg

    return normalise(load_vgg(name, weights, pooling=pooling, convention=convention))


def weights_path(name: EncoderName, weights: Path | None = None) -> Path:
    """The file that `load_encoder` reads.

    Raises:
        WeightsError: published weights that have not been fetched.
    """
    from impasto.encoders.compact import shipped_weights
    from impasto.weights.fetch import require

    return weights or shipped_weights().get(name) or require(name)
