"""Large pictures in constant memory: features lie in temporary files and pass through it a strip of rows at a time.

The statistics are those of the whole picture, so that nothing shows where strips meet.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.device import exactly
from impasto.models.grain import unsettled
from impasto.models.stages import Canvas, ChannelStatistics, Stage, doubled, styled, transport

_VALUES = 1 << 23


class Rows(ABC):
    """Features of a picture, a few rows at a time."""

    channels: int
    height: int
    width: int

    @abstractmethod
    def rows(self, top: int, bottom: int) -> Tensor:
        """(1, C, bottom - top, W)."""

    def strips(self, multiple: int = 1, values: int = 0) -> Iterator[tuple[int, int]]:
        """(top, bottom) of strips of a size that memory holds with `values` to a pixel, in multiples of rows."""
        height = max(multiple, _VALUES // ((values or self.channels) * self.width) // multiple * multiple)
        for top in range(0, self.height, height):
            yield top, min(top + height, self.height)


class Stored(Rows):
    """Rows in a temporary file, as float16, in the order in which they were appended."""

    def __init__(self, channels: int, height: int, width: int, device: torch.device) -> None:
        self.channels, self.height, self.width, self.device = channels, height, width, device
        self._file = tempfile.TemporaryFile(prefix="impasto-")  # noqa: SIM115
        self._row = channels * width * 2

    def __del__(self) -> None:
        self._file.close()

    def append(self, rows: Tensor) -> None:
        """Rows (1, C, h, W) that follow those before."""
        array = rows.permute(0, 2, 3, 1).half().contiguous().cpu().numpy()
        self._file.write(array.tobytes())

    def rows(self, top: int, bottom: int) -> Tensor:
        self._file.seek(top * self._row)
        buffer = bytearray((bottom - top) * self._row)
        self._file.readinto(buffer)
        flat = torch.frombuffer(buffer, dtype=torch.float16).view(1, bottom - top, self.width, self.channels)
        return flat.to(self.device).float().permute(0, 3, 1, 2)


@dataclass(frozen=True)
class _Mapped(Rows):
    """Each pixel changed on its own."""

    source: Rows
    change: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        _shape(self, self.source.channels, self.source.height, self.source.width)

    def rows(self, top: int, bottom: int) -> Tensor:
        return self.change(self.source.rows(top, bottom))


@dataclass(frozen=True)
class _Unsettled(Rows):
    source: Rows

    def __post_init__(self) -> None:
        _shape(self, self.source.channels, self.source.height, self.source.width)

    def rows(self, top: int, bottom: int) -> Tensor:
        return unsettled(self.source.rows(top, bottom), top)


@dataclass(frozen=True)
class _Added(Rows):
    first: Rows
    second: Rows

    def __post_init__(self) -> None:
        _shape(self, self.first.channels, self.first.height, self.first.width)

    def rows(self, top: int, bottom: int) -> Tensor:
        return self.first.rows(top, bottom) + self.second.rows(top, bottom)


@dataclass(frozen=True)
class _Doubled(Rows):
    source: Rows

    def __post_init__(self) -> None:
        _shape(self, self.source.channels, 2 * self.source.height, 2 * self.source.width)

    def rows(self, top: int, bottom: int) -> Tensor:
        first = top // 2
        return doubled(self.source.rows(first, -(-bottom // 2)))[:, :, top - 2 * first : bottom - 2 * first]


@dataclass(frozen=True)
class _Halved(Rows):
    source: Rows

    def __post_init__(self) -> None:
        _shape(self, self.source.channels, self.source.height // 2, self.source.width // 2)

    def rows(self, top: int, bottom: int) -> Tensor:
        return F.avg_pool2d(self.source.rows(2 * top, 2 * bottom), 2)


@dataclass(frozen=True)
class _Joined(Rows):
    first: Rows
    second: Rows

    def __post_init__(self) -> None:
        _shape(self, self.first.channels + self.second.channels, self.second.height, self.second.width)

    def rows(self, top: int, bottom: int) -> Tensor:
        return torch.cat([self.first.rows(top, bottom), self.second.rows(top, bottom)], 1)


@dataclass(frozen=True)
class _Coloured(Rows):
    output: nn.Conv2d
    source: Rows

    def __post_init__(self) -> None:
        _shape(self, 3, self.source.height, self.source.width)

    def strips(self, multiple: int = 1, values: int = 0) -> Iterator[tuple[int, int]]:
        return self.source.strips(multiple, values)

    def rows(self, top: int, bottom: int) -> Tensor:
        return torch.sigmoid(self.output(_padded(self.source, top, bottom, "reflect")))


class Strips(Canvas[Rows]):
    """Features as rows in files; a stage is one pass over them."""

    def normalised(self, x: Rows) -> Rows:
        a, b = _measured(x).factors()
        return _Mapped(x, lambda rows: torch.addcmul(b, rows, a))

    def unsettled(self, x: Rows) -> Rows:
        return _Unsettled(x)

    def transported(self, x: Rows, gaussian: tuple[Tensor, Tensor]) -> Rows:
        total = torch.zeros(x.channels, dtype=torch.float64)
        products = torch.zeros(x.channels, x.channels, dtype=torch.float64)
        for top, bottom in x.strips():
            flat = x.rows(top, bottom)[0].flatten(1).float()
            total += flat.sum(1).cpu()
            with exactly(flat.device):
                products += (flat @ flat.T).cpu()
        mean = total / (x.height * x.width)
        covariance = products / (x.height * x.width) - mean.unsqueeze(1) * mean
        device = gaussian[0].device
        a, b = transport(mean[None].float().to(device), covariance[None].float().to(device), gaussian)

        def moved(rows: Tensor) -> Tensor:
            with exactly(rows.device):
                return F.conv2d(rows.float(), a[0, :, :, None, None], b[0, :, 0])

        return _Mapped(x, moved)

    def stage(self, x: Rows, stage: Stage, scale: Tensor, shift: Tensor) -> Rows:
        stride, larger = stage.convolution.stride[0], 2 if stage.enlarge else 1
        result = Stored(stage.width, -(-x.height * larger // stride), -(-x.width * larger // stride), scale.device)
        total = torch.zeros(stage.width, dtype=torch.float64)
        squares = torch.zeros(stage.width, dtype=torch.float64)
        for top, bottom in x.strips(stride, x.channels + larger * larger * stage.width):
            rows = stage.convolve(_padded(x, top, bottom, stage.edges)).float()
            result.append(rows)
            total += rows.sum((0, 2, 3)).double().cpu()
            squares += rows.square().sum((0, 2, 3)).double().cpu()
        moments = _moments(total, squares, result, scale.device)
        return _Mapped(result, lambda rows: styled(rows, moments, scale, shift))

    def add(self, x: Rows, y: Rows) -> Rows:
        return _Added(x, y)

    def halved(self, x: Rows) -> Rows:
        return _Halved(x)

    def join(self, x: Rows, detail: Rows) -> Rows:
        return _Joined(_Doubled(x), detail)

    def colours(self, output: nn.Conv2d, x: Rows) -> Rows:
        return _Coloured(output, x)


def _shape(rows: Rows, channels: int, height: int, width: int) -> None:
    for name, value in (("channels", channels), ("height", height), ("width", width)):
        object.__setattr__(rows, name, value)


def _padded(source: Rows, top: int, bottom: int, edges: str) -> Tensor:
    """Rows `top` to `bottom` with one more on every side, which the picture's edges have from `F.pad`."""
    first, last = max(0, top - 1), min(source.height, bottom + 1)
    rows = source.rows(first, last).contiguous(memory_format=torch.channels_last)
    return F.pad(rows, (1, 1, int(top == 0), int(bottom == source.height)), edges)


def _measured(x: Rows) -> ChannelStatistics:
    total = torch.zeros(x.channels, dtype=torch.float64)
    squares = torch.zeros(x.channels, dtype=torch.float64)
    for top, bottom in x.strips():
        rows = x.rows(top, bottom)
        total += rows.sum((0, 2, 3)).double().cpu()
        squares += rows.square().sum((0, 2, 3)).double().cpu()
    return _moments(total, squares, x, rows.device)


def _moments(total: Tensor, squares: Tensor, x: Rows, device: torch.device) -> ChannelStatistics:
    mean = total / (x.height * x.width)
    variance = (squares / (x.height * x.width) - mean.square()).clamp_min(0)
    return ChannelStatistics(*(value.float().to(device)[None, :, None, None] for value in (mean, variance)))
