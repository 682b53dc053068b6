"""The formats of pictures, by their suffixes: what is looked for in folders is what can be read and written."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

Format = Literal["jpeg", "png", "webp", "tiff", "avif", "heic", "bmp", "gif"]

FORMATS: dict[str, Format] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".avif": "avif",
    ".heic": "heic",
    ".heif": "heic",
    ".bmp": "bmp",
    ".gif": "gif",
}
DEEP = ("png", "tiff")
LONGEST_SIDE: dict[Format, int] = {"webp": 16383, "avif": 16384, "jpeg": 65500, "gif": 65535}
WITHOUT_QUALITY = ("png", "tiff", "bmp", "gif")
WITHOUT_METADATA = ("bmp", "gif")


def quality_in(path: PurePath, quality: int | None) -> int | None:
    """`quality`, where the format of the suffix has one."""
    return None if FORMATS.get(path.suffix.lower()) in WITHOUT_QUALITY else quality


def named_as_picture(path: PurePath) -> bool:
    """Whether the suffix is that of a picture."""
    return path.suffix.lower() in FORMATS
