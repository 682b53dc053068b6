"""What a picture is like, in a few hundred numbers: colours, coarseness of texture, what an encoder sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.luma import LUMA, luma

SIZE = 256
_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
_QUANTILES = 16
_OPPONENT = (LUMA, (0.5, -0.419, -0.081), (-0.169, -0.331, 0.5))

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Traits:
    """What is compared.

    `colors`: quantiles of luma and of two differences of colour, of 100; `coarseness`: the usual width of its details
    in pixels at a long side of 256; `texture`: means and deviations of channels at three layers, of length 1 in each.
    """

    colors: Numbers
    coarseness: float
    texture: Numbers

    def pack(self) -> bytes:
        """As bytes, to be stored."""
        return np.concatenate([self.colors, [self.coarseness], self.texture]).astype("<f4").tobytes()

    @staticmethod
    def unpack(stored: bytes) -> Traits:
        """The reverse of `pack`."""
        values, count = np.frombuffer(stored, "<f4"), 3 * _QUANTILES
        return Traits(values[:count], float(values[count]), values[count + 1 :])


@torch.inference_mode()
def traits_of(picture: Tensor, encoder: Encoder) -> Traits:
    """Those of `picture` (1, 3, H, W) in [0, 1], whose long side is 256 px."""
    features = encoder(picture, _LAYERS)
    moments = [torch.cat([seen.mean((2, 3)), seen.std((2, 3))], 1) for seen in features.values()]
    texture = torch.cat([F.normalize(part, dim=1) for part in moments], 1)[0] / len(_LAYERS) ** 0.5
    return Traits(_colors(picture), _coarseness(picture), texture.float().numpy())


def _colors(picture: Tensor) -> Numbers:
    opponent = picture.new_tensor(_OPPONENT) @ picture[0].flatten(1)
    levels = torch.linspace(0.02, 0.98, _QUANTILES)
    return (100 * torch.quantile(opponent, levels, dim=1).T.flatten()).numpy()


def _coarseness(picture: Tensor) -> float:
    """The wavelength at the middle of the spectrum's energy, trends aside: half of the detail is finer."""
    light = luma(picture)[0, 0]
    height, width = light.shape
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    power = torch.fft.rfft2((light - light.mean()) * window).abs().square()
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    kept = frequency > 1 / 64
    order = frequency[kept].argsort()
    energy = (power * frequency)[kept][order].cumsum(0)
    middle = int(torch.searchsorted(energy, energy[-1] / 2))
    return float(1 / frequency[kept][order][min(middle, len(order) - 1)])
