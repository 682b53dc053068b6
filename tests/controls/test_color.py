"""Formulas of colour, by answers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from impasto.controls.color import (
    COLORS,
    finished,
    keep_hues,
    keep_palette,
    match_histogram,
    match_palette,
    oklab,
    recolored,
)

from fakes import picture


def flat(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous()


def test_oklab_of_known_colours() -> None:
    for rgb, lab in (((1, 1, 1), (1, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (0.62796, 0.22486, 0.12585))):
        assert torch.allclose(oklab(flat(*rgb))[0, :, 0, 0], torch.tensor(lab, dtype=torch.float32), atol=1e-4)


def test_each_formula_leaves_a_picture_alone_in_its_own_colours() -> None:
    photo = picture(24, 32, 5)
    for change in (keep_palette, keep_hues, match_palette):
        assert torch.allclose(change(photo, photo), photo, atol=2e-3)
    assert float((match_histogram(photo, photo) - photo).abs().mean()) < 0.01


def test_luminance_only() -> None:
    kept = keep_palette(flat(0.5, 0.5, 0.5), flat(0.4, 0.3, 0.2))
    light = 0.299 * 0.4 + 0.587 * 0.3 + 0.114 * 0.2
    assert torch.allclose(kept[0, :, 0, 0], torch.tensor([0.4, 0.3, 0.2]) + 0.5 - light, atol=1e-5)


def test_harmony_takes_hue_from_the_photo_and_lightness_from_the_painting() -> None:
    painted, photo = flat(0.8, 0.3, 0.2), flat(0.2, 0.35, 0.6)
    result, wanted = oklab(keep_hues(painted, photo)), oklab(photo)
    assert torch.allclose(result[:, 0], oklab(painted)[:, 0], atol=1e-3)
    hues = [float(torch.atan2(lab[0, 2, 0, 0], lab[0, 1, 0, 0])) for lab in (result, wanted)]
    assert hues[0] == pytest.approx(hues[1], abs=0.02)
    grey = keep_hues(painted, flat(0.5, 0.5, 0.5))
    assert float(grey.amax(1).sub(grey.amin(1)).max()) < 1e-2


def test_palettes_have_mean_and_covariance_of_the_part_that_is_meant() -> None:
    painting, photo = picture(40, 40, 1), picture(40, 40, 2) * 0.5 + 0.25
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., :20] = 1
    part, inside = match_palette(painting, photo, mask).flatten(2)[0], photo[..., :20].flatten(2)[0]
    assert torch.allclose(part.mean(1), inside.mean(1), atol=0.02)
    assert torch.allclose(torch.cov(part), torch.cov(inside), atol=0.01)


def test_histograms_are_matched() -> None:
    painting, photo = picture(64, 64, 1), picture(64, 64, 2).square()
    moved = match_histogram(painting, photo)
    at = torch.linspace(0.02, 0.98, 20)
    for channel in range(3):
        own, wanted = (torch.quantile(image[0, channel].flatten(), at) for image in (moved, photo))
        assert float((own - wanted).abs().mean()) < 0.02
    grey = match_histogram(painting, photo.mean(1, keepdim=True).expand(-1, 3, -1, -1))
    assert float(grey.amax(1).sub(grey.amin(1)).max()) < 0.05


def test_every_colour_is_either_before_or_after() -> None:
    painting, photo = picture(24, 24, 1), picture(24, 24, 2)
    for color in COLORS:
        before = torch.equal(recolored(painting, color, photo), painting)
        after = torch.equal(finished(painting, color, photo), painting)
        assert (before, after) == {"style": (True, True), "content": (True, False), "harmony": (True, False)}.get(
            color, (False, True)
        )
