"""Weights from files: safetensors, or PyTorch's own format without its pickled code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """({name: tensor}, metadata) of a `.safetensors`, `.impasto`, `.style`, `.pth` or `.pt` file; nothing in it is run.

    Raises:
        WeightsError: the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; check the name, or run 'impasto weights list'.")
    try:
        if path.suffix in (".safetensors", ".impasto", ".style"):
            return _read_safetensors(path)
        if path.suffix in (".pth", ".pt"):
            return _read_pth(path), {}
    except (OSError, EOFError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); fetch it again.") from error
    raise WeightsError(f"{path} is no weights file; expected .safetensors, .pth or .pt.")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key).float() for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{path} is not an intact safetensors file ({error}); fetch it again.") from error


def _read_pth(path: Path) -> dict[str, Tensor]:
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} holds more than tensors and is not loaded; give a plain state_dict.") from error
    except RuntimeError as error:
        raise WeightsError(f"{path} is damaged ({str(error).splitlines()[0]}); fetch it again.") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path} is not a dictionary of tensors; give a plain state_dict.")
    return {str(key): value.float() for key, value in state.items()}


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
