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

from impasto.device import exactly, padded
from impasto.masks import Masks
from impasto.models.grain import unsettled
from impasto.models.stages import EPSILON, Canvas, ChannelStatistics, Stage, doubled, scaled, styled, transport

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
    """Rows in a temporary file, in the order in which they were appended: bfloat16 as it is, all else as float16."""

    def __init__(self, channels: int, height: int, width: int, device: torch.device) -> None:
        self.channels, self.height, self.width, self.device = channels, height, width, device
        self._file = tempfile.TemporaryFile(prefix="impasto-")  # noqa: SIM115
        self._row, self._kept = channels * width * 2, torch.float16

    def __del__(self) -> None:
        self._file.close()

    def append(self, rows: Tensor) -> None:
        """Rows (1, C, h, W) that follow those before."""
        self._kept = torch.bfloat16 if rows.dtype == torch.bfloat16 else torch.float16
        kept = rows.permute(0, 2, 3, 1).to(self._kept).contiguous().cpu()
        self._file.write(kept.view(torch.int16).numpy().data)

    def rows(self, top: int, bottom: int) -> Tensor:
        self._file.seek(top * self._row)
        flat = torch.empty(1, bottom - top, self.width, self.channels, dtype=self._kept)
        self._file.readinto(flat.view(torch.int16).numpy().data)
        rows = flat.to(self.device).permute(0, 3, 1, 2)
        return rows if self._kept == torch.bfloat16 else rows.float()


@dataclass
class _Mapped(Rows):
    """Each pixel changed on its own; `change` takes rows and the first one's number."""

    source: Rows
    change: Callable[[Tensor, int], Tensor]

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = self.source.channels, self.source.height, self.source.width

    def rows(self, top: int, bottom: int) -> Tensor:
        return self.change(self.source.rows(top, bottom), top)


@dataclass
class _Unsettled(Rows):
    source: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = self.source.channels, self.source.height, self.source.width

    def rows(self, top: int, bottom: int) -> Tensor:
        return unsettled(self.source.rows(top, bottom), top)


@dataclass
class _Added(Rows):
    first: Rows
    second: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = self.first.channels, self.first.height, self.first.width

    def rows(self, top: int, bottom: int) -> Tensor:
        return self.first.rows(top, bottom) + self.second.rows(top, bottom)


@dataclass
class _Doubled(Rows):
    source: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = self.source.channels, 2 * self.source.height, 2 * self.source.width

    def rows(self, top: int, bottom: int) -> Tensor:
        first = top // 2
        return doubled(self.source.rows(first, -(-bottom // 2)))[:, :, top - 2 * first : bottom - 2 * first]


@dataclass
class _Halved(Rows):
    source: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = self.source.channels, self.source.height // 2, self.source.width // 2

    def rows(self, top: int, bottom: int) -> Tensor:
        return F.avg_pool2d(self.source.rows(2 * top, 2 * bottom), 2)


@dataclass
class _Joined(Rows):
    first: Rows
    second: Rows

    def __post_init__(self) -> None:
        self.channels = self.first.channels + self.second.channels
        self.height, self.width = self.second.height, self.second.width

    def rows(self, top: int, bottom: int) -> Tensor:
        return torch.cat([self.first.rows(top, bottom), self.second.rows(top, bottom)], 1)


@dataclass
class _Coloured(Rows):
    output: nn.Conv2d
    source: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width = 3, self.source.height, self.source.width

    def strips(self, multiple: int = 1, values: int = 0) -> Iterator[tuple[int, int]]:
        return self.source.strips(multiple, values)

    def rows(self, top: int, bottom: int) -> Tensor:
        return torch.sigmoid(self.output(_padded(self.source, top, bottom, "reflect")))


class Strips(Canvas[Rows]):
    """Features as rows in files; a stage is one pass over them. `masks` are those of the picture's regions."""

    def __init__(self, masks: Masks | None = None) -> None:
        self.masks = masks

    def normalised(self, x: Rows) -> Rows:
        sums = _Sums(x, self.masks)
        for top, bottom in x.strips():
            rows = x.rows(top, bottom)
            sums.add(rows, top)
        a, b = sums.statistics(rows.device).factors()
        masks = sums.masks

        def normalised(rows: Tensor, top: int) -> Tensor:
            return scaled(rows, a, b, _shares(masks, top, rows))

        return _Mapped(x, normalised)

    def unsettled(self, x: Rows) -> Rows:
        return _Unsettled(x)

    def transported(self, x: Rows, gaussian: tuple[Tensor, Tensor]) -> Rows:
        masks, device = self.masks and self.masks.at(x.height, x.width), gaussian[0].device
        mean, covariance = _gaussian_of(x, masks)
        a, b = transport(mean.float().to(device), covariance.float().to(device), gaussian)

        def moved(rows: Tensor, top: int) -> Tensor:
            with exactly(rows.device):
                parts = [F.conv2d(rows.float(), a[n, :, :, None, None], b[n, :, 0]) for n in range(len(a))]
                shares = _shares(masks, top, rows)
                if shares is None or len(parts) == 1:
                    return parts[0]
                return torch.stack([shares[:, n : n + 1] * part for n, part in enumerate(parts)]).sum(0)

        return _Mapped(x, moved)

    def stage(self, x: Rows, stage: Stage, scale: Tensor, shift: Tensor) -> Rows:
        stride, larger = stage.convolution.stride[0], 2 if stage.enlarge else 1
        result = Stored(stage.width, -(-x.height * larger // stride), -(-x.width * larger // stride), scale.device)
        sums, at = _Sums(result, self.masks), 0
        for top, bottom in x.strips(stride, x.channels + larger * larger * stage.width):
            rows = stage.convolve(_padded(x, top, bottom, stage.edges))
            result.append(rows)
            sums.add(rows, at)
            at += rows.shape[2]
        statistics, masks = sums.statistics(scale.device), sums.masks
        return _Mapped(result, lambda rows, top: _styled(rows, statistics, scale, shift, _shares(masks, top, rows)))

    def add(self, x: Rows, y: Rows) -> Rows:
        return _Added(x, y)

    def halved(self, x: Rows) -> Rows:
        return _Halved(x)

    def join(self, x: Rows, detail: Rows) -> Rows:
        return _Joined(_Doubled(x), detail)

    def colours(self, output: nn.Conv2d, x: Rows) -> Rows:
        return _Coloured(output, x)


def _styled(rows: Tensor, statistics: ChannelStatistics, scale: Tensor, shift: Tensor, shares: Tensor | None) -> Tensor:
    """What `styled` gives; without regions in one piece, and in bfloat16 as it came."""
    if shares is not None:
        return styled(rows.float(), statistics, scale, shift, shares)
    mean, variance, scale, shift = (one.flatten() for one in (statistics.mean, statistics.variance, scale, shift))
    return F.relu(F.batch_norm(rows, mean, variance, scale, shift, False, 0.0, EPSILON), inplace=True)


def _padded(source: Rows, top: int, bottom: int, edges: str) -> Tensor:
    """Rows `top` to `bottom` with one more on every side, which the picture's edges have from `padded`."""
    first, last = max(0, top - 1), min(source.height, bottom + 1)
    rows = source.rows(first, last).contiguous(memory_format=torch.channels_last)
    return padded(rows, (1, 1, int(top == 0), int(bottom == source.height)), edges)


def _shares(masks: Masks | None, top: int, rows: Tensor) -> Tensor | None:
    """In what proportion regions act on rows (1, C, h, W) from `top` on."""
    return None if masks is None else masks.shares[:, :, top : top + rows.shape[2]].to(rows.device).float()


class _Sums:
    """Sums of values and squares, over the whole of `x` or over each region, as rows come."""

    def __init__(self, x: Rows, masks: Masks | None) -> None:
        self.masks = masks and masks.at(x.height, x.width)
        count = self.masks.count if self.masks else 1
        self.total, self.squares = torch.zeros(2, count, x.channels, dtype=torch.float64)
        self.places = torch.zeros(count, 1, dtype=torch.float64)

    def add(self, rows: Tensor, top: int) -> None:
        """Rows (1, C, h, W) from `top` on."""
        if self.masks is None:
            rows = rows.float()
            self.total += rows.sum((0, 2, 3)).cpu().double()
            self.squares += rows.square().sum((0, 2, 3)).cpu().double()
            self.places += rows.shape[2] * rows.shape[3]
            return
        weights, flat = _weights(self.masks, top, rows), rows[0].flatten(1).T.float()
        with exactly(rows.device):
            self.total += (weights @ flat).cpu().double()
            self.squares += (weights @ flat.square()).cpu().double()
        self.places += weights.sum(1, keepdim=True).cpu().double()

    def statistics(self, device: torch.device) -> ChannelStatistics:
        """Mean and variance."""
        places = self.places.clamp_min(1e-6)
        mean = self.total / places
        variance = (self.squares / places - mean.square()).clamp_min(0)
        return ChannelStatistics(*(value.float().to(device)[:, :, None, None] for value in (mean, variance)))


def _weights(masks: Masks, top: int, rows: Tensor) -> Tensor:
    """How far places of rows (1, C, h, W) belong to each region (R, h W)."""
    return masks.inside[0, :, top : top + rows.shape[2]].flatten(1).to(rows.device).float()


def _gaussian_of(x: Rows, masks: Masks | None) -> tuple[Tensor, Tensor]:
    """Mean (R, C) and covariance (R, C, C) of the whole, or of each region."""
    count = masks.count if masks else 1
    total = torch.zeros(count, x.channels, dtype=torch.float64)
    products = torch.zeros(count, x.channels, x.channels, dtype=torch.float64)
    places = torch.zeros(count, dtype=torch.float64)
    for top, bottom in x.strips():
        rows = x.rows(top, bottom)
        flat = rows[0].flatten(1).float()
        with exactly(flat.device):
            if masks is None:
                total[0] += flat.sum(1).cpu()
                products[0] += (flat @ flat.T).cpu()
                places += flat.shape[1]
                continue
            for region, weights in enumerate(_weights(masks, top, rows)):
                total[region] += (flat @ weights).cpu()
                products[region] += ((flat * weights) @ flat.T).cpu()
                places[region] += float(weights.sum())
    mean = total / places.clamp_min(1e-6).unsqueeze(1)
    return mean, products / places.clamp_min(1e-6).view(-1, 1, 1) - mean.unsqueeze(2) * mean.unsqueeze(1)
