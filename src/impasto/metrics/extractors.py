"""Networks by which sets of pictures are compared: an encoder with its weights, or any network in an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from impasto.encoders import ENCODERS, load_encoder
from impasto.errors import UnknownName, WeightsError
from impasto.media.geometry import resample
from impasto.media.image import read
from impasto.metrics.sets import cells

if TYPE_CHECKING:
    import onnxruntime

Extractor: TypeAlias = Callable[[Sequence[Path]], Iterator[tuple[float, Tensor]]]
_INCEPTION = 299


def open_extractor(text: str) -> tuple[str, Extractor]:
    """(name, how it sees pictures: share done, features (K, D) of each) of `vgg19`, `vgg19=FILE` or `inception.onnx`.

    A network in a file gets each picture as (1, 3, H, W), RGB in [-1, 1], of the size that it is made for, or 299 x 299
    as Inception has it (Heusel et al., 2017); its first output is averaged over places.

    Raises:
        UnknownName: no such encoder.
        WeightsError: a file that is missing, damaged or of another kind.
        SettingsError: an extra is missing.
    """
    name, _, file = text.partition("=")
    if name in ENCODERS:
        encoder = load_encoder(name, Path(file) if file else None)
        return name, partial(cells, encoder)
    if not text.endswith(".onnx"):
        raise UnknownName("network to see with", text, [*ENCODERS, "a file that ends in .onnx"])
    from impasto.shelf.onnx import open_session

    session, path = open_session(Path(text)), Path(text)
    shape = session.get_inputs()[0].shape
    if len(session.get_inputs()) != 1 or len(shape) != 4 or shape[1] != 3:
        raise WeightsError(f"{path} takes {shape}; give a network of pictures, (N, 3, H, W).")
    return path.stem, partial(_features, session)


def _features(session: onnxruntime.InferenceSession, paths: Sequence[Path]) -> Iterator[tuple[float, Tensor]]:
    given = session.get_inputs()[0]
    height, width = (side if isinstance(side, int) else _INCEPTION for side in given.shape[2:])
    for number, path in enumerate(paths):
        picture = resample(read(path).pixels, (height, width)).clamp(0, 1) * 2 - 1
        seen = torch.from_numpy(session.run(None, {given.name: picture.numpy()})[0])
        yield (number + 1) / len(paths), seen.flatten(2).mean(2).double() if seen.dim() > 2 else seen.double()
