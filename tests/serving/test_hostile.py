"""Pictures of people who mean ill, or whose disk has failed: looked at in a child, and never more than refused."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image

from impasto.errors import PictureError
from impasto.serving.decoding import Decoder

from server import encoded

pytestmark = pytest.mark.once_in("bfloat16")
_SECONDS = 5.0


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    decoder.look(encoded(0))
    yield decoder
    decoder.close()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, rows: int = 0) -> bytes:
    """A PNG that says it has this size, and holds so many rows of zeros."""
    data = zlib.compress(bytes((width + 1) * rows))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_exif(block: bytes) -> bytes:
    data = encoded(1, "jpeg")
    body = b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


REFUSED = {
    "a square of 900 megapixels": png(30_000, 30_000, rows=20),
    "a line that is too long": png(60_000, 2, rows=2),
    "too narrow": png(6000, 20, rows=20),
    "nothing of what it says": png(4000, 3000),
    "sizes beyond 31 bits": png(2**31 - 1, 2**31 - 1),
    "a head alone": b"\x89PNG\r\n\x1a\n",
    "half a JPEG": encoded(2, "jpeg")[:700],
    "a TIFF that points at itself": b"II*\0\x08\0\0\0"
    + struct.pack("<HHHII", 1, 0x100, 4, 1, 99)
    + struct.pack("<I", 8),
    "a GIF of huge extents": b"GIF89a\xff\xff\xff\xff\x00\x00\x00;",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "a Photoshop file": b"8BPS\0\1" + bytes(60),
    "a PDF": b"%PDF-1.7\n",
}
TAKEN = {
    "a comment of 10 MB": png(80, 80, chunk(b"tEXt", b"x\0" + bytes([65]) * 10_000_000), rows=80),
    "a profile that is none": png(80, 80, chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile at all")), rows=80),
    "a script behind it": encoded(3, "gif") + b"<script>alert(1)</script>",
    "an archive behind it": encoded(3) + b"PK\x03\x04" + bytes(100),
    "EXIF of nothing": with_exif(b"MM\0*\0\0\0\x08\xff\xff"),
    "EXIF that is text": with_exif(b"MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\x04abc\0\0\0\0\0"),
    "an orientation of 99": with_exif(b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x63\0\0\0\0\0\0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_once(decoder: Decoder, name: str) -> None:
    began = time.monotonic()
    with pytest.raises(PictureError) as told:
        decoder.look(REFUSED[name])
    assert time.monotonic() - began < _SECONDS
    assert "/tmp" not in str(told.value)
    assert decoder.look(encoded(0)).width == 120


@pytest.mark.parametrize("name", TAKEN)
def test_only_its_pixels_are_taken(decoder: Decoder, name: str) -> None:
    looked = decoder.look(TAKEN[name])
    assert looked.height * looked.width >= 80 * 80
    assert not any(word in looked.shown for word in (b"script", b"PK\x03\x04", b"AAAA"))


def test_a_thousand_frames_are_one_picture(decoder: Decoder) -> None:
    frames = [Image.new("P", (64, 64), number % 7) for number in range(1000)]
    file = io.BytesIO()
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:])
    assert decoder.look(file.getvalue())[:2] == (64, 64)


def test_hundreds_of_damaged_pictures_end_nothing(decoder: Decoder) -> None:
    chance, whole = random.Random(0), [encoded(4, kind) for kind in ("png", "jpeg", "webp", "gif", "tiff", "bmp")]
    refused = 0
    for number in range(300):
        data = bytearray(whole[number % len(whole)])
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(12, len(data))] = chance.randrange(256)
        try:
            decoder.look(bytes(data[: chance.randrange(20, len(data))] if number % 3 == 0 else data))
        except PictureError:
            refused += 1
    assert 50 < refused < 300
    assert decoder.look(encoded(0)).width == 120


def test_a_child_that_dies_or_hangs_is_replaced() -> None:
    decoder = Decoder()
    decoder.look(encoded(0))
    for _ in range(2):
        (child,) = (psutil.Process(number) for number in decoder._pool._processes)
        child.kill()
        with pytest.raises(PictureError, match="could not be read"):
            decoder.look(encoded(0))
        assert decoder.look(encoded(0)).width == 120
    decoder.close()
