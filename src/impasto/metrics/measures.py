"""One result against its photo and its style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.errors import PictureError, SettingsError
from impasto.losses import content
from impasto.losses.gram import moments_of
from impasto.losses.wasserstein import Wasserstein
from impasto.luma import luma
from impasto.media.geometry import resample
from impasto.media.image import read
from impasto.metrics.specification import (
    CONTENT_LAYERS,
    DIRECTIONS,
    GRID_PERIOD,
    PERCEPTUAL_LAYERS,
    SALT,
    SIZE,
    SSIM_SIGMA,
    STYLE_LAYERS,
)

_CHROMA = ((0.5, -0.419, -0.081), (-0.169, -0.331, 0.5))
_SHAPE_TOLERANCE = 0.02
_FIVE_SCALES = 161
_SEEN = (*STYLE_LAYERS, *CONTENT_LAYERS)

Features = Mapping[str, Tensor]


@dataclass(frozen=True)
class Ruler:
    """Measures results by `encoder`; photos and styles that come again are read and seen once."""

    encoder: Encoder
    _seen: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_seen", lru_cache(maxsize=24)(self._look))

    def measure(self, content: Path, style: Path, result: Path) -> dict[str, float | None]:
        """{measure: value}, None where a picture is too small for it; the result is seen at the photo's size.

        Raises:
            PictureError: a picture that cannot be read, or a result of another shape than its photo.
        """
        photo, _ = self._seen(content)
        if result == style:  # stretched to the photo's shape only where it is compared with the photo
            picture, features = self._seen(style)
            own = {"style": style_distance(features, features), "gram": 0.0, "color": 0.0}
            return {**self.measure_pixels(content, style, picture), **own}
        picture = read(result, SIZE).pixels
        _check_shape(result, picture, photo)
        return {**self.measure_pixels(content, style, picture), **as_it_is(read(result).pixels)}

    @torch.inference_mode()
    def measure_pixels(self, content: Path, style: Path, picture: Tensor) -> dict[str, float | None]:
        """The same of `picture` (1, 3, H, W) in [0, 1]."""
        photo, photo_features = self._seen(content)
        painting, style_features = self._seen(style)
        own = as_it_is(picture)
        picture = resample(picture, (photo.shape[-2], photo.shape[-1])).clamp(0, 1)
        features = self.encoder(picture, _SEEN)
        return {
            "style": style_distance(features, style_features),
            "gram": gram_distance(features, style_features),
            "content": content_distance(features, photo_features),
            "perceptual": perceptual_distance(features, photo_features),
            "ssim": ssim(luma(picture), luma(photo)),
            "ms_ssim": ms_ssim(luma(picture), luma(photo)) if min(photo.shape[-2:]) >= _FIVE_SCALES else None,
            "color": color_distance(picture, painting),
            "sharpness": sharpness(luma(picture)),
            "grain": grain(luma(picture)),
            **own,
        }

    @torch.inference_mode()
    def _look(self, path: Path) -> tuple[Tensor, Features]:
        picture = read(path, SIZE).pixels
        return picture, self.encoder(picture, _SEEN)


def as_it_is(picture: Tensor) -> dict[str, float]:
    """What can be seen only at the size of the result itself, (1, 3, H, W) in [0, 1]."""
    return {"grid": grid(luma(picture)), "salt": salt(picture)}


def _check_shape(path: Path, picture: Tensor, photo: Tensor) -> None:
    (height, width), size = picture.shape[-2:], photo.shape[-2:]
    if abs(height / width * size[1] / size[0] - 1) > _SHAPE_TOLERANCE + 1 / min(height, width):
        raise PictureError(
            f"{path} is of another shape ({width}x{height} where its photo is {size[1]}x{size[0]}); give a result that "
            "is not cropped."
        )


def style_distance(features: Features, style: Features) -> float:
    """0 if every layer has the style's mean and covariance, about 1 if it has nothing of them."""
    loss = Wasserstein(root=True)
    distances = [
        loss.compare(loss.describe(features[layer]), loss.prepare(loss.describe(style[layer])))
        for layer in STYLE_LAYERS
    ]
    return float(torch.stack(distances).mean())


def gram_distance(features: Features, style: Features) -> float:
    """Mean over layers of ‖G − A‖ / ‖A‖."""
    distances = []
    for layer in STYLE_LAYERS:
        target = moments_of(style[layer])[1]
        distances.append((moments_of(features[layer])[1] - target).norm() / target.norm().clamp_min(1e-12))
    return float(torch.stack(distances).mean())


def content_distance(features: Features, photo: Features) -> float:
    """0 for the photo itself, about 1 for a picture that has nothing to do with it."""
    return float(content.content_distance(features, photo, CONTENT_LAYERS))


def perceptual_distance(features: Features, photo: Features) -> float:
    """Squared difference of features of length 1 at each place, mean over places, summed over layers (Zhang et al.,
    2018, with equal weights)."""
    return sum(
        float((F.normalize(features[layer], dim=1) - F.normalize(photo[layer], dim=1)).square().sum(1).mean())
        for layer in PERCEPTUAL_LAYERS
    )


def ssim(picture: Tensor, photo: Tensor) -> float:
    """Mean structural similarity of (1, 1, H, W) in [0, 1], with the Gaussian window of the paper."""
    metrics = _extra("skimage.metrics")
    return float(
        metrics.structural_similarity(
            picture[0, 0].double().numpy(),
            photo[0, 0].double().numpy(),
            data_range=1.0,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            use_sample_covariance=False,
        )
    )


def ms_ssim(picture: Tensor, photo: Tensor) -> float:
    """The same at five scales; the short side needs 161 pixels."""
    return float(_extra("pytorch_msssim").ms_ssim(picture, photo, data_range=1.0))


def color_distance(picture: Tensor, style: Tensor) -> float:
    """Mean over directions of the distance between sorted projections of the colours, in units of CIELAB."""
    one, other = (_quantiles(colors) for colors in (picture, style))
    return float((one - other).abs().mean())


def _quantiles(picture: Tensor, count: int = 1024) -> Tensor:
    colors = torch.from_numpy(_extra("skimage.color").rgb2lab(picture[0].permute(1, 2, 0).numpy())).flatten(0, 1)
    directions = torch.randn(DIRECTIONS, 3, generator=torch.Generator().manual_seed(0))
    projected = (F.normalize(directions, dim=1) @ colors.T).numpy()
    projected.sort(axis=1)
    return torch.from_numpy(projected)[:, torch.linspace(0, len(colors) - 1, count).round().long()]


def sharpness(light: Tensor) -> float:
    """Mean length of the gradient of (1, 1, H, W), of 255."""
    down, right = light.diff(dim=2)[..., :, :-1], light.diff(dim=3)[..., :-1, :]
    return 255 * float((down.square() + right.square()).sqrt().mean())


def grain(light: Tensor) -> float:
    """Deviation of noise in (1, 1, H, W), of 255, by a difference of Laplacians, blind to edges (Immerkær, 1996)."""
    kernel = light.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]).view(1, 1, 3, 3)
    return 255 * math.sqrt(math.pi / 2) / 6 * float(F.conv2d(light, kernel).abs().mean())


def grid(light: Tensor) -> float:
    """The spread of fine detail over the phases of a grid of 4, relative to its mean, of (1, 1, H, W); the worse axis.

    Photos that were made smaller and paintings are near 0.03; a weave is seen from about 0.1 on.
    """
    worst = 0.0
    for across in (light, light.mT):
        detail = across.diff(n=2, dim=3).abs().mean((0, 1, 2))
        phases = torch.stack([detail[phase::GRID_PERIOD].mean() for phase in range(GRID_PERIOD)])
        worst = max(worst, float((phases.amax() - phases.amin()) / detail.mean().clamp_min(1e-9)))
    return worst


def salt(picture: Tensor) -> float:
    """Pixels per million of (1, 3, H, W) whose chroma is beyond that of all eight neighbours by a tenth of its range.

    Photos and paintings have none.
    """
    chroma = torch.einsum("oc,nchw->nohw", picture.new_tensor(_CHROMA), picture)
    padded = F.pad(chroma, (1, 1, 1, 1), "replicate")
    height, width = chroma.shape[-2:]
    places = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]
    highest, lowest = chroma.new_full(chroma.shape, -torch.inf), chroma.new_full(chroma.shape, torch.inf)
    for down, right in places:
        neighbour = padded[..., down : down + height, right : right + width]
        highest, lowest = torch.maximum(highest, neighbour), torch.minimum(lowest, neighbour)
    alone = ((chroma - highest > SALT) | (lowest - chroma > SALT)).any(1)
    return 1e6 * float(alone.float().mean())


def _extra(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise SettingsError("Evaluation needs an extra; install it with: pip install 'impasto[evaluate]'.") from error
