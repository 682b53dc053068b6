"""Trained networks as ONNX, compared with the original before they are handed over."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder
from impasto.errors import WeightsError
from impasto.losses.terms import Statistics
from impasto.media.files import replacing
from impasto.models.instant import STYLE_LAYERS, Instant
from impasto.models.painter import Painter
from impasto.models.stages import WHOLE, Style, Whole
from impasto.models.translator import Translator
from impasto.shelf.card import Card
from impasto.shelf.onnx import CARD_KEY, open_session, runtime

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-3
TOLERANCE_FLOAT16 = 2e-2
_SHAPES = ((64, 96), (200, 136), (125, 187))
_ROOT_STEPS = 24
_SMALL = 64


@dataclass(frozen=True)
class Exported:
    """What was written, and the largest difference between its pictures and the original's."""

    path: Path
    difference: float


def export(
    card: Card, network: nn.Module, encoder: Encoder, path: Path, *, float16: bool = False, force: bool = False
) -> list[Exported]:
    """Write `path`, and for the instant network also NAME.style.onnx, which reads a style's code off a painting.

    Pictures go in and come out as (1, 3, H, W), RGB in [0, 1], of any size from 32 px.

    Raises:
        SettingsError: an extra is missing.
        WeightsError: what ONNX Runtime makes of it differs from the original by more than the tolerance.
        OutputError: it cannot be written.
    """
    runtime()
    picture = torch.rand(1, 3, 72, 104, generator=torch.Generator().manual_seed(0))
    if isinstance(network, Painter | Translator):
        rows = len(card.styles) * (len(network.sizes) if isinstance(network, Painter) else 1)
        weights = torch.softmax(torch.arange(float(rows)), 0)[None]
        painter = _PainterGraph(encoder, network)
        return [_write(painter, {"content": picture, "style": weights}, "painted", path, card, float16, force)]
    assert isinstance(network, Instant)
    reader = _ReaderGraph(encoder, network)
    with torch.inference_mode():
        code = reader(picture.flip(3)).clone()
    drawer = _InstantGraph(encoder, network)
    return [
        _write(drawer, {"content": picture, "code": code}, "painted", path, card, float16, force),
        _write(reader, {"painting": picture}, "code", _reader_path(path), card, float16, force),
    ]


def _reader_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.style{path.suffix}")


class _Seeing(nn.Module):
    """The part of the encoder that a network needs, of pictures of any size."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.preprocess, self.convolutions, self.names = encoder.preprocess, encoder.convolutions, encoder.layers

    def see(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        seen: dict[str, Tensor] = {"image": image} if "image" in layers else {}
        x = self.preprocess(image)
        for name in self.names:
            if name.startswith("relu"):
                x = F.relu(self.convolutions[f"conv{name[4:]}"](x))
            elif name.startswith("pool"):
                x = F.max_pool2d(x, 2)
            if name in layers:
                seen[name] = x
            if len(seen) == len(layers):
                break
        return seen


def _padded(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    return F.pad(picture, (0, -width % 8, 0, -height % 8), "reflect")


class _PainterGraph(_Seeing):
    def __init__(self, encoder: Encoder, network: Painter | Translator) -> None:
        super().__init__(encoder)
        self.network = network

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        seen = self.see(_padded(content), self.network.content_layers)
        network = self.network
        painted: Tensor = network(seen, network.mixed(style) if isinstance(network, Painter) else network.style(style))
        return painted[..., : content.shape[2], : content.shape[3]]


class _ReaderGraph(_Seeing):
    """The code of a painting as one row: scales and shifts of all stages, then relu4_1's mean and covariance."""

    def __init__(self, encoder: Encoder, network: Instant) -> None:
        super().__init__(encoder)
        self.network = network

    def forward(self, painting: Tensor) -> Tensor:
        seen = self.see(painting, STYLE_LAYERS)
        style = self.network.style({layer: _described(features) for layer, features in seen.items()})
        return flat_code(style)


def _described(features: Tensor) -> Statistics:
    """What `Wasserstein.describe` gives, in operations that ONNX has."""
    flat = features.flatten(2)
    return {"mean": flat.mean(2), "moment": flat @ flat.mT / flat.shape[2]}


class _InstantGraph(_Seeing):
    def __init__(self, encoder: Encoder, network: Instant) -> None:
        super().__init__(encoder)
        self.network = network
        self.widths = [stage.width for stage in [*network.stages, *network.between]]
        self.deep = encoder.architecture.convolutions["4_1"]

    def forward(self, content: Tensor, code: Tensor) -> Tensor:
        return self.draw(content, code, _MatrixProducts())

    def expected(self, content: Tensor, code: Tensor) -> Tensor:
        return self.draw(content, code, WHOLE)

    def draw(self, content: Tensor, code: Tensor, canvas: Whole) -> Tensor:
        parts = code.split([*self.widths, *self.widths, self.deep, self.deep**2], 1)
        factors = [part[:, :, None, None] for part in parts[:-2]]
        count = len(self.widths)
        gaussian = parts[-2], parts[-1].reshape(-1, self.deep, self.deep)
        style = Style(factors[:count], factors[count:], gaussian)
        seen = self.see(_padded(content), self.network.content_layers)
        painted = self.network.draw(seen, style, canvas)
        return painted[..., : content.shape[2], : content.shape[3]]


def flat_code(style: Style) -> Tensor:
    """The code (1, K) that an exported instant network takes."""
    assert style.gaussian is not None
    parts = [factor.flatten(1) for factor in (*style.scales, *style.shifts, *style.gaussian)]
    return torch.cat(parts, 1)


class _MatrixProducts(Whole):
    """Optimal transport without eigendecompositions, which ONNX lacks: roots by Newton and Schulz's iteration."""

    def transported(self, x: Tensor, gaussian: tuple[Tensor, Tensor]) -> Tensor:
        flat = x.flatten(2).double()
        mean = flat.mean(2, keepdim=True)
        centred = flat - mean
        covariance = centred @ centred.mT / flat.shape[2]
        identity = torch.eye(covariance.shape[-1], dtype=torch.float64)
        floor = 1e-5 + 1e-3 * (covariance * identity).sum((1, 2), keepdim=True) / covariance.shape[-1]
        root, inverse = _roots(covariance + floor * identity, identity)
        middle, _ = _roots(root @ gaussian[1].double() @ root, identity)
        moved = inverse @ middle @ inverse @ centred + gaussian[0].double().unsqueeze(2)
        return moved.to(x.dtype).reshape(x.shape)


def _roots(matrix: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
    """(A^½, A^-½) of positive definite matrices (N, C, C)."""
    size = matrix.square().sum((1, 2), keepdim=True).sqrt()
    root, inverse = matrix / size, identity.expand_as(matrix)
    for _ in range(_ROOT_STEPS):
        product = inverse @ root
        root, inverse = 1.5 * root - 0.5 * root @ product, 1.5 * inverse - 0.5 * product @ inverse
    return root * size.sqrt(), inverse / size.sqrt()


def _write(
    graph: nn.Module, inputs: dict[str, Tensor], output: str, path: Path, card: Card, float16: bool, force: bool
) -> Exported:
    """Export, compare on several sizes, and write."""
    import onnx

    pictures = {name: {2: "height", 3: "width"} for name, value in inputs.items() if value.dim() == 4}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=[pictures.get(name) for name in inputs],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    if float16:
        _halve(proto)
    onnx.helper.set_model_props(proto, {CARD_KEY: card.model_dump_json(), "output": output})
    with replacing(path, force=force) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        difference = _compare(graph, inputs, temporary)
        if difference > (TOLERANCE_FLOAT16 if float16 else TOLERANCE):
            raise WeightsError(f"ONNX Runtime's pictures differ from the original's by {difference:.1e}; not exported.")
    return Exported(path, difference)


def _halve(proto: onnx.ModelProto) -> None:
    """Keep as float16 what loses nothing by it, as learned weights are stored; kernels that were folded stay float32.

    They are cast once, when the file is loaded, and computed with as float32.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    for weight in [tensor for tensor in proto.graph.initializer if tensor.data_type == TensorProto.FLOAT]:
        values, name = numpy_helper.to_array(weight), weight.name
        if values.size < _SMALL or not np.array_equal(values, values.astype(np.float16)):
            continue
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        proto.graph.node.insert(0, helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))


def _compare(graph: nn.Module, inputs: dict[str, Tensor], path: Path) -> float:
    """The largest difference over pictures of several sizes, codes relative to their largest value."""
    session, largest = open_session(path), 0.0
    for number, (height, width) in enumerate(_SHAPES):
        picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(number))
        given = {name: picture if value.dim() == 4 else value for name, value in inputs.items()}
        with torch.no_grad():
            expected = getattr(graph, "expected", graph)(*given.values())
        (came,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        scale = max(1.0, float(expected.abs().max()))
        largest = max(largest, float((torch.from_numpy(came) - expected).abs().max()) / scale)
    return largest
