"""Trained networks in ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from impasto.errors import SettingsError, WeightsError
from impasto.shelf.card import Card

if TYPE_CHECKING:
    import onnxruntime

CARD_KEY = "impasto"


def runtime() -> Any:
    """ONNX Runtime.

    Raises:
        SettingsError: it is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise SettingsError("ONNX needs an extra; install it with: pip install 'impasto[export]'.") from error
    return onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX file, ready to run on the CPU.

    Raises:
        SettingsError: ONNX Runtime is missing.
        WeightsError: the file is missing or damaged.
    """
    onnx = runtime()
    if not path.is_file():
        raise WeightsError(f"There is no file {path}; check the name.")
    options = onnx.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnx.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(f"{path} is no intact ONNX file ({str(error).splitlines()[0]}); export it again.") from error


class OnnxSession:
    """A session of ONNX Runtime's, by the names of its inputs."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.names = [given.name for given in session.get_inputs()]

    def run(self, given: Mapping[str, Any]) -> Any:
        """The output for inputs by name, NumPy all."""
        return self.session.run(None, dict(given))[0]


def card_of(session: onnxruntime.InferenceSession, path: Path) -> Card:
    """The card inside an exported file.

    Raises:
        WeightsError: there is none: another tool wrote the file.
    """
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY, "")
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(f"{path} was not made by 'impasto export' of this version; export it again.") from error
