"""Exported networks run by OpenVINO, the fastest way to paint in one pass on a CPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impasto.errors import SettingsError, WeightsError

_SHAPES = 4


class OpenVinoSession:
    """An ONNX file, compiled anew for each of the last few shapes of pictures.

    Raises:
        SettingsError: OpenVINO is missing.
        WeightsError: the file is damaged.
    """

    def __init__(self, path: Path, *, bfloat16: bool) -> None:
        try:
            import openvino
        except ImportError as error:
            raise SettingsError("OpenVINO is an extra; install it with: pip install 'impasto[openvino]'.") from error

        self._core, self._path = openvino.Core(), path
        self._how = {"INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._compiled: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()
        try:
            self.names = [given.any_name for given in self._core.read_model(path).inputs]
        except RuntimeError as error:
            raise WeightsError(f"{path} is no intact ONNX file; export it again.") from error

    def run(self, given: Mapping[str, Any]) -> Any:
        """The output for inputs by name, NumPy all."""
        shapes = tuple(tuple(given[name].shape) for name in self.names)
        if shapes not in self._compiled:
            model = self._core.read_model(self._path)
            model.reshape({name: list(shape) for name, shape in zip(self.names, shapes)})
            self._compiled[shapes] = self._core.compile_model(model, "CPU", self._how)
            while len(self._compiled) > _SHAPES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shapes)
        return self._compiled[shapes]([given[name] for name in self.names])[0]
