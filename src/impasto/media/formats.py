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
LOSSLESS = ("png", "tiff", "bmp", "gif")
WITHOUT_METADATA = ("bmp", "gif")


def named_as_picture(path: PurePath) -> bool:
    """Whether the suffix is that of a picture."""
    return path.suffix.lower() in FORMATS
