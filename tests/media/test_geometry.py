"""Sizes and shifts."""

from __future__ import annotations

import pytest
import torch

from impasto.media.geometry import fit, resample, shift
from impasto.media.transparency import fill_transparent

from fakes import picture

pytestmark = pytest.mark.once_in("float32")


def test_fit() -> None:
    assert fit(300, 400, 100) == (75, 100)
    assert fit(4000, 10, 100) == (100, 1)


def test_resampling_keeps_flat_areas_and_means() -> None:
    torch.testing.assert_close(resample(torch.full((1, 3, 20, 30), 0.3), (7, 45)), torch.full((1, 3, 7, 45), 0.3))
    image = picture(64, 64)
    assert float((resample(image, (16, 16)).mean() - image.mean()).abs()) < 0.01


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (0, 1), (2, 1), (-1, -2)])
def test_shift_moves_and_mirrors(down: int, right: int) -> None:
    image = torch.arange(30.0).view(1, 1, 5, 6)
    moved = shift(image, down, right)
    assert moved.shape == image.shape
    rows, columns = slice(max(down, 0), 5 + min(down, 0)), slice(max(right, 0), 6 + min(right, 0))
    source = image[..., max(-down, 0) : 5 - max(down, 0), max(-right, 0) : 6 - max(right, 0)]
    torch.testing.assert_close(moved[..., rows, columns], source)
    if down == 1:
        torch.testing.assert_close(moved[..., 0, columns], source[..., 1, :])


def test_transparent_pixels_take_the_nearest_colour_and_visible_ones_stay() -> None:
    pixels, alpha = torch.zeros(1, 3, 37, 53), torch.zeros(1, 1, 37, 53)
    pixels[:, 0, 5:9, 5:9], alpha[..., 5:9, 5:9] = 0.8, 1
    pixels[:, 2, 30:34, 45:49], alpha[..., 30:34, 45:49] = 0.6, 0.5
    filled = fill_transparent(pixels, alpha)
    torch.testing.assert_close(filled * (alpha > 0), pixels)
    assert float(filled[0, 0, 0, 0]) > 0.6
    assert float(filled[0, 2, -1, -1]) > 0.4
    assert float(filled.sum(1).min()) > 0.3


@pytest.mark.parametrize("size", [(16, 300), (300, 16), (40, 41), (64, 64), (100, 37)])
def test_a_picture_that_is_half_transparent_has_no_black_in_it(size: tuple[int, int]) -> None:
    pixels, alpha = torch.zeros(1, 3, *size), torch.zeros(1, 1, *size)
    longer = 2 if size[0] > size[1] else 3
    seen = [slice(None)] * 4
    seen[longer] = slice(0, size[longer - 2] // 2)
    pixels[tuple(seen)], alpha[tuple(seen)] = 0.9, 1
    torch.testing.assert_close(fill_transparent(pixels, alpha), torch.full_like(pixels, 0.9), atol=0.02, rtol=0)
