"""A style as a small file: the statistics by which the instant network knows it, so that the painting is not needed."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from impasto.encoders import load_encoder, weights_path
from impasto.errors import WeightsError
from impasto.losses.terms import Targets
from impasto.media.files import replacing
from impasto.models.instant import STYLE_LAYERS
from impasto.weights.files import read_weights, sha256

SUFFIX = ".style"
_ENCODER = "impasto-encoder"


def write_code(description: Targets, path: Path, *, force: bool = False) -> None:
    """Write the description of one style.

    Raises:
        OutputError: it exists, or cannot be written.
    """
    from safetensors.torch import save_file

    flat = {f"{layer}.{name}": value.cpu() for layer, named in description.items() for name, value in named.items()}
    with replacing(path, force=force) as temporary:
        save_file({key: value.contiguous() for key, value in flat.items()}, temporary, {_ENCODER: _encoder()})


def read_code(path: Path) -> Targets:
    """The description in a file.

    Raises:
        WeightsError: it is missing, damaged, no style, or was made with another encoder.
    """
    state, metadata = read_weights(path)
    if metadata.get(_ENCODER) != _encoder():
        raise WeightsError(f"{path} is no style that this version has saved; make it again with 'impasto style'.")
    convolutions = load_encoder("compact").architecture.convolutions
    description: Targets = {}
    for layer in STYLE_LAYERS:
        width = convolutions[layer.removeprefix("relu")]
        description[layer] = {
            "mean": _checked(path, state, f"{layer}.mean", (1, width)),
            "moment": _checked(path, state, f"{layer}.moment", (1, width, width)),
        }
    return description


def _checked(path: Path, state: dict[str, Tensor], key: str, shape: tuple[int, ...]) -> Tensor:
    if key not in state or state[key].shape != shape or not bool(state[key].isfinite().all()):
        raise WeightsError(f"{path} is damaged ({key}); make it again with 'impasto style'.")
    return state[key]


def _encoder() -> str:
    return sha256(weights_path("compact"))
