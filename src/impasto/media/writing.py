"""Still pictures from tensors to files, completely or not at all: colour profile, alpha, 16 bit, quality.

libvips encodes; Pillow does what it lacks (BMP, and HEIC with `pillow-heif`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from impasto.errors import SettingsError, UnknownName
from impasto.media.files import replacing
from impasto.media.formats import DEEP, FORMATS, WITHOUT_QUALITY, Format
from impasto.media.image import Depth, Picture

if TYPE_CHECKING:
    import numpy
    import pyvips
    from torch import Tensor

_ROWS = 256
_MILLIMETRES = 25.4
_QUALITY = {"jpeg": 95, "webp": 92, "avif": 80, "heic": 90}


def write(
    picture: Picture,
    path: str | Path,
    *,
    quality: int | None = None,
    depth: Depth | None = None,
    dpi: float | None = None,
    force: bool = False,
) -> None:
    """Write a picture in the format that the suffix names, completely or not at all.

    Args:
        quality: 1 to 100 for JPEG, WebP, AVIF and HEIC; a high default for each.
        depth: 8 or 16 bits per channel; 16 in PNG and TIFF only. The picture's own where the format can.
        dpi: pixels per inch in print, which the file then says; the pixels stay as they are.
        force: replace a file that exists.

    Raises:
        OutputError: the file exists, or cannot be written there.
        SettingsError: an unknown suffix, or a quality or depth that the format does not have.
    """
    path = Path(path)
    kind = check_format(path, quality=quality, depth=depth)
    bits: Depth = depth or (picture.depth if kind in DEEP else 8)
    image = _from_tensor(picture, bits, "rgb" if kind in ("jpeg", "bmp") else "rgba")
    if dpi:
        image = image.copy(xres=dpi / _MILLIMETRES, yres=dpi / _MILLIMETRES)
    with replacing(path, force=force) as temporary:
        _encode(image, kind, temporary, quality or _QUALITY.get(kind))


def check_format(path: Path, *, quality: int | None = None, depth: int | None = None) -> Format:
    """The format that `path`'s suffix names, if it has that quality and depth.

    Raises:
        SettingsError: an unknown suffix, or a quality or depth that the format does not have.
    """
    if not path.suffix:
        raise SettingsError(f"Expected a name that ends in {', '.join(FORMATS)}; got {path.name or path}.")
    if path.suffix.lower() not in FORMATS:
        raise UnknownName("picture format", path.suffix, FORMATS)
    kind = FORMATS[path.suffix.lower()]
    if quality is not None and kind in WITHOUT_QUALITY:
        raise SettingsError(f"A {path.suffix} has no quality to choose; leave it out, or write a .jpg, .webp or .avif.")
    if quality is not None and not 1 <= quality <= 100:
        raise SettingsError(f"Expected a quality from 1 to 100, not {quality}.")
    if depth not in (None, 8, 16):
        raise SettingsError(f"Expected 8 or 16 bits per channel, not {depth}.")
    if depth == 16 and kind not in DEEP:
        raise SettingsError(f"16 bits per channel fit into .png and .tif only, not {path.suffix}; choose one of them.")
    return kind


def _from_tensor(picture: Picture, depth: Depth, mode: Literal["rgb", "rgba"]) -> pyvips.Image:
    import pyvips
    import torch

    pixels = picture.pixels.detach().float().cpu()
    if picture.alpha is not None:
        alpha = picture.alpha.detach().float().cpu()
        pixels = torch.cat([pixels, alpha], 1) if mode == "rgba" else pixels * alpha + (1 - alpha)
    top = 255 if depth == 8 else 65535
    profile = picture.profile if picture.profile and _is_rgb_profile(picture.profile) else None
    working_top = 65535 if profile else top
    image = pyvips.Image.new_from_array(_levels(pixels[0], working_top))
    image = image.copy(interpretation="rgb16" if working_top == 65535 else "srgb")
    if profile:
        image = _to_profile(image, profile)
        if depth == 8:
            image = (image.cast("float") * (255 / 65535)).rint().cast("uchar").copy(interpretation="srgb")
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    if picture.metadata:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "xmp-data", picture.metadata)
    return image


def _levels(pixels: Tensor, top: int) -> numpy.ndarray[Any, Any]:
    """Whole numbers from 0 to `top` (H, W, C) of `pixels` (C, H, W) in [0, 1], a few rows at a time."""
    import numpy

    channels, height, width = pixels.shape
    levels = numpy.empty((height, width, channels), "uint16" if top == 65535 else "uint8")
    for first in range(0, height, _ROWS):
        rows = pixels[:, first : first + _ROWS].clamp(0, 1).mul_(top).round_()
        levels[first : first + _ROWS] = rows.permute(1, 2, 0).numpy()
    return levels


def _is_rgb_profile(profile: bytes) -> bool:
    return profile[16:20] == b"RGB "


def _to_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """sRGB to the colours of `profile`, which a file must hold for the colour engine to read it."""
    alpha = image[3] if image.bands == 4 else None
    with tempfile.NamedTemporaryFile(suffix=".icc") as file:
        file.write(profile)
        file.flush()
        rgb = image[:3].icc_transform(file.name, input_profile="srgb", depth=16, intent="relative").copy_memory()
    return rgb if alpha is None else rgb.bandjoin(alpha)


def _encode(image: pyvips.Image, kind: Format, path: Path, quality: int | None) -> None:
    import pyvips

    name = str(path)
    try:
        if kind == "jpeg":
            image.jpegsave(name, Q=quality, subsample_mode="off" if quality and quality >= 90 else "auto")
        elif kind == "png":
            image.pngsave(name, compression=6)
        elif kind == "webp":
            image.webpsave(name, Q=quality, smart_subsample=True)
        elif kind == "tiff":
            image.tiffsave(name, compression="deflate", predictor="horizontal")
        elif kind == "avif":
            image.heifsave(name, Q=quality, compression="av1", subsample_mode="off")
        elif kind == "gif":
            image.gifsave(name)
        else:
            _encode_with_pillow(image, kind, path, quality)
    except pyvips.Error as error:
        reason = (error.detail.strip().splitlines() or ["unknown reason"])[-1]
        raise OSError(reason) from error


def _encode_with_pillow(image: pyvips.Image, kind: Format, path: Path, quality: int | None) -> None:
    from PIL import Image

    pillow = Image.fromarray(image.numpy())
    if kind == "bmp":
        pillow.save(path, format="BMP")
        return
    import pillow_heif

    pillow_heif.register_heif_opener()
    pillow.save(
        path,
        format="HEIF",
        quality=quality,
        chroma=444,
        icc_profile=bytes(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else None,
        xmp=bytes(image.get("xmp-data")) if image.get_typeof("xmp-data") else None,
    )
