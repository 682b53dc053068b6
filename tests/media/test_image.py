"""One file of each kind, and everything that can be wrong with one."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image, ImageCms

from impasto.errors import OutputError, PictureError, SettingsError, UnknownName
from impasto.media.image import Picture, dimensions, read
from impasto.media.writing import write

from fakes import picture

pytestmark = pytest.mark.once_in("float32")

Save = "conftest.SavePicture"


def close(a: torch.Tensor, b: torch.Tensor, levels: float) -> None:
    """Mean difference of at most so many of 255."""
    assert a.shape == b.shape
    assert float((a - b).abs().mean()) * 255 <= levels


@pytest.mark.parametrize(
    ("suffix", "levels"),
    [(".jpg", 2), (".png", 0.01), (".webp", 2), (".tif", 0.01), (".avif", 2), (".heic", 3), (".bmp", 0.3), (".gif", 8)],
)
def test_every_format_comes_back(tmp_path: Path, suffix: str, levels: float) -> None:
    original = picture(70, 90)
    original = (original * 255).round() / 255
    path = tmp_path / f"picture{suffix}"
    write(Picture(original, metadata=b"<x/>"), path)
    again = read(path)
    close(again.pixels, original, levels)
    assert again.pixels.dtype == torch.float32
    assert again.alpha is None
    assert dimensions(path) == (70, 90)
    if suffix not in (".bmp", ".gif"):
        assert again.metadata is not None
        assert b"<x/>" in again.metadata
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_not_cut(tmp_path: Path, suffix: str) -> None:
    original = (picture(40, 50) * 65535).round() / 65535
    path = tmp_path / f"deep{suffix}"
    write(Picture(original, depth=16), path)
    again = read(path)
    assert again.depth == 16
    torch.testing.assert_close(again.pixels, original, atol=1e-6, rtol=0)
    with pytest.raises(SettingsError, match="16 bits"):
        write(again, tmp_path / "shallow.jpg", depth=16)


def test_sixteen_bit_heic_and_avif_are_read(tmp_path: Path) -> None:
    import pillow_heif

    levels = (picture(64, 64)[0].permute(1, 2, 0).numpy() * 1023).round().astype(np.uint16) << 6
    heif = pillow_heif.from_bytes(mode="RGB;16", size=(64, 64), data=levels.tobytes())
    heif.save(tmp_path / "deep.heic", quality=100)
    again = read(tmp_path / "deep.heic")
    assert again.depth == 16
    close(again.pixels, picture(64, 64), 4)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "I;16"])
def test_modes(tmp_path: Path, mode: str) -> None:
    array = (picture(40, 40)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    colour = Image.fromarray(array)
    grey = np.asarray(colour.convert("L"))
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else colour.convert(mode)
    image.save(path)
    pixels = read(path).pixels
    expected = {"P": colour.convert("P").convert("RGB"), "CMYK": colour, "1": colour.convert("1").convert("RGB")}
    wanted = np.asarray(expected.get(mode, Image.fromarray(grey).convert("RGB")))
    close(pixels, torch.from_numpy(wanted.copy()).permute(2, 0, 1)[None] / 255, 30 if mode == "CMYK" else 0.6)
    assert pixels.shape == (1, 3, 40, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    array = np.zeros((20, 30, 3), np.uint8)
    array[:10, :15] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(array).save(path, exif=exif)
    from PIL import ImageOps

    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    pixels = read(path).pixels
    close(pixels, torch.from_numpy(upright.copy()).permute(2, 0, 1)[None] / 255, 0)
    assert dimensions(path) == upright.shape[:2]


def test_alpha_is_kept_straight_and_without_fringe(tmp_path: Path) -> None:
    array = np.zeros((60, 60, 4), np.uint8)
    array[10:50, 10:50] = (200, 40, 40, 255)
    array[..., 1][array[..., 3] == 0] = 255
    Image.fromarray(array).save(tmp_path / "cut.png")
    small = read(tmp_path / "cut.png", 31)
    assert small.alpha is not None
    assert float((small.pixels - torch.tensor([200, 40, 40]).view(1, 3, 1, 1) / 255).abs().max()) < 0.02
    write(small, tmp_path / "again.png")
    again = np.asarray(Image.open(tmp_path / "again.png"))
    assert again.shape == (31, 31, 4)
    assert again[0, 0, 3] == 0
    assert again[15, 15].tolist() == [200, 40, 40, 255]


def test_profile_is_converted_and_embedded_again(tmp_path: Path) -> None:
    profile = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb").icc_export(output_profile="p3")
    p3 = bytes(profile.get("icc-profile-data"))
    Image.new("RGB", (32, 32), (200, 100, 50)).save(tmp_path / "wide.png", icc_profile=p3)
    seen = read(tmp_path / "wide.png")
    to_srgb = ImageCms.buildTransform(io.BytesIO(p3), ImageCms.createProfile("sRGB"), "RGB", "RGB")
    expected = torch.tensor(ImageCms.applyTransform(Image.open(tmp_path / "wide.png"), to_srgb).getpixel((5, 5))) / 255
    assert float((seen.pixels[0, :, 5, 5] - expected).abs().max()) < 2 / 255
    write(seen, tmp_path / "again.png")
    with Image.open(tmp_path / "again.png") as again:
        assert again.info["icc_profile"] == p3
        assert max(abs(a - b) for a, b in zip(again.getpixel((5, 5)), (200, 100, 50))) <= 1


def test_a_broken_profile_is_passed_over(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 100, 50)).save(tmp_path / "x.png", icc_profile=b"nonsense" * 20)
    assert float((read(tmp_path / "x.png").pixels[0, :, 0, 0] * 255 - torch.tensor([200.0, 100, 50])).abs().max()) < 1


def test_scaling_fits_the_long_side_and_averages(tmp_path: Path) -> None:
    stripes = np.zeros((100, 200, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    small = read(tmp_path / "stripes.png", 50).pixels
    assert small.shape == (1, 3, 25, 50)
    assert float((small - 0.5).abs().max()) < 0.05
    assert read(tmp_path / "stripes.png", 400).size == (200, 400)


def test_a_wrong_suffix_does_not_matter_but_a_wrong_content_does(save: Save, tmp_path: Path) -> None:
    path = save("x.png")
    path.rename(tmp_path / "x.jpg")
    assert read(tmp_path / "x.jpg").size == (80, 96)
    for name in ("text.png", "table.csv", "vector.svg"):
        (tmp_path / name).write_text("<svg/>" if "svg" in name else "1,2\n3,4\n")
        with pytest.raises(PictureError, match="is not a picture"):
            read(tmp_path / name)


def test_files_that_cannot_be_read(tmp_path: Path, save: Save) -> None:
    with pytest.raises(PictureError, match="There is no file"):
        read(tmp_path / "missing.jpg")
    with pytest.raises(PictureError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PictureError, match="is empty"):
        read(tmp_path / "empty.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="not a regular file"):
        read(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif", "x.avif", "x.gif", "x.bmp", "x.heic"])
def test_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    noisy = Picture(torch.rand(1, 3, 120, 120, generator=torch.Generator().manual_seed(0)))
    write(noisy, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        read(tmp_path / name)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(PictureError, match=r"60000x60000.*--max-pixels"):
        read(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".heic", ".gif"])
def test_the_limit_of_pixels_holds_for_every_decoder(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    write(Picture(picture(70, 90)), path)
    with pytest.raises(PictureError, match=r"90x70.*--max-pixels"):
        read(path, max_pixels=6000)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20000, 10), (3900, 60)])
def test_shapes_that_cannot_be_painted(tmp_path: Path, width: int, height: int) -> None:
    Image.new("RGB", (width, height)).save(tmp_path / "x.png")
    with pytest.raises(PictureError, match=f"{width}x{height}"):
        read(tmp_path / "x.png")


def test_fully_transparent_is_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "x.png")
    with pytest.raises(PictureError, match="transparent"):
        read(tmp_path / "x.png")


def test_writing_refuses_and_leaves_nothing(tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Picture(picture(40, 40))
    path = save("there.png")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="--force"):
        write(shown, path)
    with pytest.raises(UnknownName, match=r"\.xyz"):
        write(shown, tmp_path / "x.xyz")
    with pytest.raises(OutputError, match="no folder"):
        write(shown, tmp_path / "nowhere" / "x.png")
    with pytest.raises(SettingsError, match="1 to 100"):
        write(shown, tmp_path / "x.jpg", quality=0)

    def full(*args: object, **options: object) -> None:
        raise pyvips.Error("wbuffer_write: write failed", "No space left on device")

    monkeypatch.setattr(pyvips.Image, "pngsave", full, raising=False)
    with pytest.raises(OutputError, match="could not be written"):
        write(shown, path, force=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["there.png"]
    with pytest.raises(SettingsError, match=r"ends in \.jpg, .*; got \.png"):
        write(shown, tmp_path / ".png")


def test_quality_and_print_resolution_are_in_the_file(tmp_path: Path) -> None:
    noisy = Picture(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    write(noisy, tmp_path / "fine.jpg", quality=95, dpi=300)
    write(noisy, tmp_path / "coarse.jpg", quality=20)
    assert (tmp_path / "coarse.jpg").stat().st_size < (tmp_path / "fine.jpg").stat().st_size / 2
    write(noisy, tmp_path / "print.png", dpi=300)
    for name in ("fine.jpg", "print.png"):
        with Image.open(tmp_path / name) as opened:
            assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.5)
