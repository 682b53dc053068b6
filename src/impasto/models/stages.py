"""What the painting networks are built of: convolutions whose result is normalised over the whole picture, then styled.

A network is written once, in the operations of a `Canvas`; a canvas may hold the whole picture or a strip at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.device import exactly, padded, values_at_once
from impasto.masks import Masks
from impasto.models.grain import PLANE, unsettled

EPSILON = 1e-3
_VALUES = 1 << 17
_MOST = 100.0  # normalised by a region that hardly varies, what lies outside of it would know no bounds

# [row of the kernel that enlarges, row of the kernel that sees the doubled picture]
_FOLD = [[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]]

Field = TypeVar("Field")


@dataclass(frozen=True)
class Style:
    """What the stages need to know of a style: a scale and a shift (N, C, 1, 1) for each of them.

    `gaussian`: mean (N, C) and covariance (N, C, C) of the style's relu4_1, for networks that start from there; of one
    picture with regions, N counts the regions. `change` (W,) is added to the weights of a network that adapted to it.
    """

    scales: Sequence[Tensor]
    shifts: Sequence[Tensor]
    gaussian: tuple[Tensor, Tensor] | None = None
    change: Tensor | None = None


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and variance (N, C, 1, 1) of each channel over whole pictures, or over the N regions of one."""

    mean: Tensor
    variance: Tensor

    @staticmethod
    def of(x: Tensor) -> ChannelStatistics:
        """Those of `x` (N, C, H, W), in float32 at least: in bfloat16 the difference below would be noise."""
        x = x.float() if x.dtype == torch.bfloat16 else x
        mean = x.mean((2, 3), keepdim=True)
        return ChannelStatistics(mean, (x.square().mean((2, 3), keepdim=True) - mean.square()).clamp_min(0))

    @staticmethod
    def of_regions(x: Tensor, masks: Masks) -> ChannelStatistics:
        """Those of the regions of one picture `x` (1, C, H, W)."""
        weights = masks.inside[0].flatten(1)
        weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
        mean, square = torch.zeros(2, masks.count, x.shape[1], device=x.device)
        with exactly(x.device):
            for some, own in _few(x, weights):
                mean += own @ some.float()
                square += own @ some.float().square()
        variance = (square - mean.square()).clamp_min(0)
        return ChannelStatistics(mean[:, :, None, None], variance[:, :, None, None])

    def factors(self) -> tuple[Tensor, Tensor]:
        """(a, b) such that a x + b has mean 0 and variance 1 in each channel that is not almost constant."""
        a = (self.variance + EPSILON).rsqrt()
        return a, -self.mean * a


class Stage(nn.Module):
    """A 3x3 convolution with reflected edges; `enlarge` doubles the picture before, `stride` 2 halves it.

    Where the picture is doubled, each of a pixel's four sees only 2x2 pixels of the small picture: the kernel is folded
    into one of 4x4 that is laid down at every pixel, two apart, and nothing is computed twice.
    """

    def __init__(self, channels: int, width: int, *, enlarge: bool = False, stride: int = 1) -> None:
        super().__init__()
        self.width, self.enlarge = width, enlarge
        self.convolution = nn.Conv2d(channels, width, 3, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) of `x` (N, channels, H, W), or of twice or half the size."""
        return self.convolve(padded(x, (1, 1, 1, 1), self.edges))

    @property
    def edges(self) -> str:
        """How the pixel is added around the input: what is reflected when doubled is repeated before."""
        return "replicate" if self.enlarge else "reflect"

    def convolve(self, x: Tensor) -> Tensor:
        """The same of an input that is already padded."""
        if not self.enlarge:
            result: Tensor = self.convolution(x)
            return result
        fold = x.new_tensor(_FOLD)
        kernel = torch.einsum("ak,bl,ockl->coab", fold, fold, self.convolution.weight)
        return F.conv_transpose2d(x, kernel.contiguous(memory_format=torch.channels_last), stride=2, padding=3)


class Canvas(Protocol[Field]):
    """What a network does with features, whatever holds them."""

    def normalised(self, x: Field) -> Field:
        """Each channel with mean 0 and variance 1."""
        ...

    def unsettled(self, x: Field) -> Field:
        """With grain where there is little else."""
        ...

    def transported(self, x: Field, gaussian: tuple[Tensor, Tensor]) -> Field:
        """Moved to a mean and covariance."""
        ...

    def stage(self, x: Field, stage: Stage, scale: Tensor, shift: Tensor) -> Field:
        """Convolved, normalised, scaled and shifted, and cut off below 0."""
        ...

    def add(self, x: Field, y: Field) -> Field:
        """The sum."""
        ...

    def halved(self, x: Field) -> Field:
        """Half the size: the means of two by two."""
        ...

    def join(self, x: Field, detail: Field) -> Field:
        """`x`, doubled in size, and `detail` in one."""
        ...

    def colours(self, output: nn.Conv2d, x: Field) -> Field:
        """RGB in [0, 1] by a last 3x3 convolution."""
        ...


@dataclass(frozen=True)
class Whole(Canvas[Tensor]):
    """Features as tensors (N, C, H, W); `top` and `left` say where the grain begins.

    With `masks`, they are those of one picture, whose regions have their own statistics and styles.
    """

    top: int = 0
    left: int = 0
    masks: Masks | None = None

    def normalised(self, x: Tensor) -> Tensor:
        statistics, shares = self._measured(x)
        return scaled(x, *statistics.factors(), shares)

    def unsettled(self, x: Tensor) -> Tensor:
        return unsettled(x, self.top, self.left)

    def transported(self, x: Tensor, gaussian: tuple[Tensor, Tensor]) -> Tensor:
        if self.masks is not None:
            return _transported_in_regions(x, gaussian, self.masks.at(*x.shape[2:]))
        with exactly(x.device):
            flat = x.flatten(2).float()
            mean = flat.mean(2)
            centred = flat - mean.unsqueeze(2)
            a, b = transport(mean, centred @ centred.mT / flat.shape[2], gaussian)
            return (a @ flat + b).view_as(x)

    def stage(self, x: Tensor, stage: Stage, scale: Tensor, shift: Tensor) -> Tensor:
        x = stage(x)
        if self.masks is None and torch.is_grad_enabled():
            return _styled_in_training(x, scale, shift)
        statistics, shares = self._measured(x)
        return styled(x, statistics, scale, shift, shares)

    def _measured(self, x: Tensor) -> tuple[ChannelStatistics, Tensor | None]:
        """Statistics, and in what proportion the regions' act on each place."""
        if self.masks is None:
            return ChannelStatistics.of(x), None
        masks = self.masks.at(*x.shape[2:])
        return ChannelStatistics.of_regions(x, masks), masks.shares

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def halved(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)

    def join(self, x: Tensor, detail: Tensor) -> Tensor:
        return torch.cat([doubled(x), detail], 1)

    def colours(self, output: nn.Conv2d, x: Tensor) -> Tensor:
        return torch.sigmoid(output(padded(x, (1, 1, 1, 1), "reflect")))


def doubled(x: Tensor) -> Tensor:
    """`x` (N, C, H, W) with each pixel as four."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _styled_in_training(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """What `styled` makes of pictures by their own statistics, forth and back in a quarter of the time.

    In its last bits it depends on the number of threads, which no picture may.
    """
    pictures = zip(x.split(1), scale.expand(len(x), -1, -1, -1), shift.expand(len(x), -1, -1, -1))
    parts = [F.batch_norm(one, None, None, a.flatten(), b.flatten(), True, 0.0, EPSILON) for one, a, b in pictures]
    return F.relu(torch.cat(parts), inplace=True)


def styled(
    x: Tensor, statistics: ChannelStatistics, scale: Tensor, shift: Tensor, shares: Tensor | None = None
) -> Tensor:
    """ReLU of `x` (N, C, H, W) normalised by `statistics`, times `scale`, plus `shift` (N, C, 1, 1).

    For regions, all of them (R, C, 1, 1), and `shares` (1, R, H, W) says how they act on each place.
    """
    a, b = statistics.factors()
    return F.relu(scaled(x, a * scale, b * scale + shift, shares), inplace=True)


def scaled(x: Tensor, factor: Tensor, offset: Tensor, shares: Tensor | None = None) -> Tensor:
    """`x` (N, C, H, W) times `factor`, plus `offset` (N, C, 1, 1).

    For regions, those of all of them (R, C, 1, 1), which act on each place of one picture by `shares` (1, R, H, W).
    """
    if shares is None:
        return torch.addcmul(offset, x, factor)
    if shares.shape[1] == 1:
        return torch.addcmul(offset, x, factor).clamp_(-_MOST, _MOST)
    parts = []
    with exactly(x.device):
        for some, own in _few(x, shares[0].flatten(1)):
            part = torch.addcmul(own.T @ offset[:, :, 0, 0], some, own.T @ factor[:, :, 0, 0])
            parts.append(part.clamp_(-_MOST, _MOST))
        return torch.cat(parts).view(1, *x.shape[2:], -1).permute(0, 3, 1, 2)


def _few(x: Tensor, weights: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A few places of `x` (1, C, H, W) at a time: (n, C), and their `weights` (R, n)."""
    flat = x[0].permute(1, 2, 0).flatten(0, 1)
    count = max(1, values_at_once(x.device, _VALUES) // flat.shape[1])
    return zip(flat.split(count), weights.split(count, 1))


def _transported_in_regions(x: Tensor, gaussian: tuple[Tensor, Tensor], masks: Masks) -> Tensor:
    """`x` (1, C, H, W), whose R regions are moved each to its own mean (R, C) and covariance (R, C, C)."""
    with exactly(x.device):
        flat = x.flatten(2).float()
        weights = masks.inside.flatten(2).transpose(0, 1)
        weights = weights / weights.sum(2, keepdim=True).clamp_min(1e-6)
        mean = (flat * weights).sum(2)
        centred = flat - mean.unsqueeze(2)
        a, b = transport(mean, (centred * weights) @ centred.mT, gaussian)
        shares = masks.shares.flatten(2).transpose(0, 1)
        return ((a @ flat + b) * shares).sum(0, keepdim=True).view_as(x)


@torch.no_grad()
def transport(mean: Tensor, covariance: Tensor, gaussian: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(A (N, C, C), b (N, C, 1)) such that A x + b has the mean and covariance of `gaussian`.

    Optimal transport from N(μ, Σ), the least that moves it there: A = Σ^-½ (Σ^½ Σ_t Σ^½)^½ Σ^-½. Directions in which
    the photo hardly varies are not blown up.
    """
    wanted_mean, wanted = gaussian
    own, target = covariance.cpu().double(), wanted.cpu().double()
    values, vectors = torch.linalg.eigh(own)
    floor = 1e-3 * values.mean(1, keepdim=True) + 1e-5
    roots = (values.clamp_min(0) + floor).sqrt().unsqueeze(1)
    root, inverse = (vectors * roots) @ vectors.mT, (vectors / roots) @ vectors.mT
    values, vectors = torch.linalg.eigh(root @ target @ root)
    middle = (vectors * values.clamp_min(0).sqrt().unsqueeze(1)) @ vectors.mT
    a = (inverse @ middle @ inverse).to(mean)
    return a, wanted_mean.unsqueeze(2) - a @ mean.unsqueeze(2)


def steps_of(stages: Iterable[nn.Module], style: Style) -> list[tuple[Stage, Tensor, Tensor]]:
    """(stage, scale, shift) of each stage."""
    return [(cast(Stage, stage), scale, shift) for stage, scale, shift in zip(stages, style.scales, style.shifts)]


WHOLE = Whole()


def whole_for(network: nn.Module) -> Whole:
    """While a network learns, the grain begins anywhere, lest it be learned by heart; later, always at one place."""
    return Whole(*torch.randint(PLANE, (2,)).tolist()) if network.training else WHOLE
