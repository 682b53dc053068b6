"""Still pictures from files to tensors: orientation, colour profile, alpha, 16 bit.

libvips decodes; Pillow does what it lacks (BMP, and HEIC with `pillow-heif`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from impasto.device import release_freed_memory
from impasto.errors import PictureError
from impasto.media.files import is_text
from impasto.media.geometry import fit
from impasto.media.transparency import fill_transparent

if TYPE_CHECKING:
    import numpy
    import pyvips
    from torch import Tensor

MAX_PIXELS = 250_000_000
MIN_SIDE = 16
MAX_ASPECT = 64

Depth = Literal[8, 16]
_INVISIBLE = 1 / 512
_AS_DECODED_BEYOND = 1 << 23
_LARGE_FILE = 1 << 22  # decoders keep up to 0.2 GB of 27 megapixels
_VIPS_LOADERS = {
    "VipsForeignLoadJpeg": "jpegload",
    "VipsForeignLoadPng": "pngload",
    "VipsForeignLoadWebp": "webpload",
    "VipsForeignLoadTiff": "tiffload",
    "VipsForeignLoadHeif": "heifload",
    "VipsForeignLoadNsgif": "gifload",
}


@dataclass(frozen=True)
class Picture:
    """A still picture.

    `pixels` (1, 3, H, W) float32, sRGB in [0, 1]; `alpha` (1, 1, H, W) in [0, 1], straight, or None if opaque;
    `profile`, the ICC profile that the file had and that is embedded again; `depth`, bits per channel;
    `metadata`, the XMP packet.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    profile: bytes | None = None
    depth: Depth = 8
    metadata: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


def read(path: str | Path, size: int | None = None, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture upright, in sRGB, its long side scaled to `size` pixels (as it is if None).

    JPEG, PNG, WebP, TIFF, AVIF, HEIC, BMP and GIF (first frame), told apart by content and not by name. Colours
    below fully transparent pixels are replaced by those of the nearest visible ones. The pixels of a large picture stay
    in the order in which they were decoded (channels_last), since a copy would take as much memory again.

    Raises:
        PictureError: the file is missing, unreadable, damaged, no picture, too large, or has no visible pixel.
    """
    path = Path(path)
    _check_file(path)
    with _reading(path):
        decoded, profile, depth, metadata = _decoded(path, size, max_pixels)

    import torch

    pixels = torch.from_numpy(decoded).permute(2, 0, 1)[None].clamp_(0, 1)
    as_decoded = pixels.shape[1] == 3 and pixels[0, 0].numel() > _AS_DECODED_BEYOND
    rgb, alpha = pixels if as_decoded else pixels[:, :3].contiguous(), None
    if pixels.shape[1] == 4 and bool((pixels[:, 3:] < 1).any()):
        alpha = pixels[:, 3:].where(pixels[:, 3:] > _INVISIBLE, 0)
        if not bool((alpha > 0).any()):
            raise PictureError(f"Every pixel of {path} is transparent; give a picture with something to see.")
        rgb = fill_transparent(rgb, alpha)
    return Picture(rgb, alpha, profile, depth, metadata)


def _decoded(
    path: Path, size: int | None, max_pixels: int
) -> tuple[numpy.ndarray[Any, Any], bytes | None, Depth, bytes | None]:
    """Pixels (H, W, C) as float32 in [0, 1], and the file's profile, depth and metadata."""
    image = _open(path, max_pixels)
    _check_header(path, (image.width, image.height), max_pixels)
    depth: Depth = 16 if image.format in ("ushort", "float") else 8
    profile = _profile(image)
    metadata = bytes(image.get("xmp-data")) if image.get_typeof("xmp-data") else None
    large = image.width * image.height > _LARGE_FILE
    image = _to_float_srgb(image)
    if size is not None:
        image = _resize(image, *fit(image.height, image.width, size))
    pixels = image.numpy()
    del image
    if large:
        release_freed_memory()
    return pixels, profile, depth, metadata


def dimensions(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(height, width) of an upright picture, from its header alone.

    Raises:
        PictureError: as `read`, as far as the header tells.
    """
    path = Path(path)
    _check_file(path)
    with _reading(path):
        image = _open(path, max_pixels)
        _check_header(path, (image.width, image.height), max_pixels)
        turned = image.get_typeof("orientation") != 0 and image.get("orientation") >= 5
    return (image.width, image.height) if turned else (image.height, image.width)


def moves(path: Path) -> bool:
    """Whether a picture that can be read is an animation; `read` gives its first frame."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:3] != b"GIF" and head[8:] != b"WEBP":
        return False
    with _reading(path):
        image = _open(path, MAX_PIXELS)
        return image.get_typeof("delay") != 0 and bool(image.get("n-pages") > 1)


def _check_file(path: Path) -> None:
    if not is_text(str(path)):
        raise PictureError(f"The name {str(path)!r} is no text in UTF-8; rename the file.")
    try:
        there = path.exists()
    except OSError:
        there = False
    if not there:
        raise PictureError(f"There is no file {path}; check the name.")
    if path.is_dir():
        raise PictureError(f"{path} is a folder; give a picture.")
    if not path.is_file():
        raise PictureError(f"{path} is not a regular file; give a picture.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if empty:
        raise PictureError(f"{path} is empty; give a picture.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyvips

    try:
        yield
    except pyvips.Error as error:
        reason = (error.detail.strip().splitlines() or ["unknown reason"])[0]
        raise PictureError(f"{path} is damaged and cannot be read whole ({reason}); give an intact picture.") from error


def _open(path: Path, max_pixels: int) -> pyvips.Image:
    """The picture with its header read and its pixels to come."""
    import pyvips

    with path.open("rb") as file:
        head = file.read(32)
    if head[:2] == b"BM" or _is_heic(head):
        return _open_with_pillow(path, max_pixels, heic=head[:2] != b"BM")
    loader = pyvips.vips_lib.vips_foreign_find_load(os.fsencode(path))
    name = pyvips.ffi.string(loader).decode() if loader != pyvips.ffi.NULL else ""
    operation = next((load for prefix, load in _VIPS_LOADERS.items() if name.startswith(prefix)), None)
    if operation is None:
        raise PictureError(
            f"{path} is not a picture that can be read; give JPEG, PNG, WebP, TIFF, AVIF, HEIC, BMP or GIF."
        )
    load: Callable[..., pyvips.Image] = getattr(pyvips.Image, operation)
    image = load(str(path), fail_on="truncated", access="sequential")
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        image = load(str(path), fail_on="truncated")
    return image


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1")


def _open_with_pillow(path: Path, max_pixels: int, *, heic: bool) -> pyvips.Image:
    import numpy
    import pyvips
    from PIL import Image, ImageOps

    try:
        if heic:
            import pillow_heif

            heif = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
            _check_header(path, heif.size, max_pixels)
            array, info = numpy.asarray(heif), heif.info
            deep = array.dtype == numpy.uint16
        else:
            with Image.open(path, formats=["BMP"]) as opened:
                _check_header(path, opened.size, max_pixels)
                array, info, deep = numpy.asarray(ImageOps.exif_transpose(opened).convert("RGB")), opened.info, False
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"{path} is damaged and cannot be read ({error}); give an intact picture.") from error
    image = pyvips.Image.new_from_array(numpy.ascontiguousarray(array))
    image = image.copy(interpretation="rgb16" if deep else "srgb")
    for field, value in (("icc-profile-data", info.get("icc_profile")), ("xmp-data", info.get("xmp"))):
        if value:
            image.set_type(pyvips.GValue.blob_type, field, value)
    return image


def _check_header(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"{path} has {width}x{height} pixels, more than the limit of {max_pixels:,}; "
            "if you trust the file, raise the limit with --max-pixels."
        )
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"{path} has {width}x{height} pixels; give at least {MIN_SIDE} a side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(
            f"{path} has {width}x{height} pixels, a side over {MAX_ASPECT} times the other; crop it first."
        )


def _profile(image: pyvips.Image) -> bytes | None:
    return bytes(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else None


def _to_float_srgb(image: pyvips.Image) -> pyvips.Image:
    """Upright, sRGB or sRGB with alpha, float in [0, 1]."""
    import pyvips

    image = image.autorot()
    alpha = None
    space, top = ("rgb16", 65535) if image.format == "ushort" else ("srgb", 255)
    if image.hasalpha():
        alpha = image[image.bands - 1].cast("float") / top
        image = image[: image.bands - 1]
    if image.get_typeof("icc-profile-data") and image.interpretation not in ("lab", "scrgb"):
        try:
            image, top = image.icc_transform("srgb", embedded=True, depth=16, intent="relative"), 65535
        except pyvips.Error:
            image = image.colourspace(space)
    else:
        image = image.colourspace(space)
    image = image.cast("float") / top
    return image if alpha is None else image.bandjoin(alpha)


def _resize(image: pyvips.Image, height: int, width: int) -> pyvips.Image:
    if (image.height, image.width) == (height, width):
        return image
    scale = {"vscale": height / image.height, "kernel": "lanczos3"}
    if image.bands == 3:
        return image.resize(width / image.width, **scale)
    covered = image.premultiply(max_alpha=1).resize(width / image.width, **scale)
    return (covered.extract_band(0, n=3) / covered[3]).bandjoin(covered[3])
