"""Masks made from a picture, and maps of colours."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from impasto.controls import select
from impasto.controls.maps import alike, colors_of, places_of
from impasto.errors import PictureError, SettingsError
from impasto.recipes.regions import find, seen_in

from fakes import picture


def scene(height: int = 120, width: int = 160) -> tuple[torch.Tensor, torch.Tensor]:
    """A red disc on a bluish ground with some texture, and where it is."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = ((rows - 60) ** 2 + (columns - 80) ** 2 < 30**2).float()[None, None]
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 0.1
    ground = picture(height, width, 3) * 0.2 + torch.tensor([0.1, 0.3, 0.6]).view(1, 3, 1, 1)
    disc = torch.tensor([0.8, 0.2, 0.1]).view(1, 3, 1, 1)
    return (ground.lerp(disc.expand_as(ground), inside) + noise).clamp(0, 1), inside


def overlap(mask: torch.Tensor, truth: torch.Tensor) -> float:
    return float(((mask > 0.5) & (truth > 0.5)).sum() / ((mask > 0.5) | (truth > 0.5)).sum())


def test_a_box_points_strokes_and_a_colour_find_the_disc() -> None:
    photo, truth = scene()
    strokes = torch.full((1, 1, 120, 160), 0.5)
    strokes[..., 58:62, 70:90], strokes[..., :4, :] = 1, 0
    found = {
        "box": select.from_box(photo, (45, 25, 115, 95), seen_in(photo)),
        "points": select.from_points(photo, [(80, 60), (90, 70)], [(10, 10), (150, 110)]),
        "strokes": select.from_strokes(photo, strokes),
        "color": select.from_color(photo, "#d84028"),
        "subject": find("subject", photo),
    }
    for name, mask in found.items():
        assert mask.shape == truth.shape
        assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
        assert overlap(mask, truth) > 0.9, name
    assert torch.equal(found["box"], select.from_box(photo, (45, 25, 115, 95), seen_in(photo)))


def test_large_pictures_get_sharp_masks() -> None:
    photo, truth = (F.interpolate(one, scale_factor=8.0, mode="bilinear") for one in scene())
    mask = select.from_box(photo, (360, 200, 920, 760), seen_in(photo))
    assert mask.shape == (1, 1, 960, 1280)
    assert overlap(mask, truth) > 0.95
    assert float(((mask > 0.02) & (mask < 0.98)).float().mean()) < 0.05


def test_what_is_not_there_is_one_sentence() -> None:
    photo, _ = scene()
    with pytest.raises(PictureError, match="No face"):
        find("face", photo)
    with pytest.raises(PictureError, match="No place has the colour"):
        select.from_color(photo, "#00ff00", 0.05)
    with pytest.raises(SettingsError, match="#3a6ea5"):
        select.from_color(photo, "blue")
    with pytest.raises(SettingsError, match=r"160x120 pixels; got 200,10,300,50"):
        select.from_box(photo, (200, 10, 300, 50), seen_in(photo))
    with pytest.raises(SettingsError, match="500,3 is not within"):
        select.from_points(photo, [(500, 3)])
    with pytest.raises(PictureError, match="strokes on grey"):
        select.from_strokes(photo, torch.full((1, 1, 120, 160), 0.5))


def colour_map(*colours: str, noise: float = 0.0) -> torch.Tensor:
    stripes = [torch.tensor([*bytes.fromhex(one)]).view(3, 1, 1).expand(3, 40, 12) / 255 for one in colours]
    pixels = torch.cat(stripes, 2)[None]
    return (pixels + noise * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


def test_colours_of_maps_survive_resampling_and_noise() -> None:
    colours = ["ff0000", "00ff00", "000000", "ffff00"]
    for pixels in (
        colour_map(*colours),
        colour_map(*colours, noise=0.01),
        F.interpolate(colour_map(*colours), (97, 131), mode="bicubic", antialias=True).clamp(0, 1),
    ):
        known = colors_of(pixels)
        assert {alike(one, colours) for one in known} == set(colours)
        assert len(known) == 4
        total = sum(float(places_of(pixels, known, one).mean()) for one in known)
        assert total == pytest.approx(1, abs=1e-4)
        red = places_of(pixels, known, alike("ff0000", known) or "")
        assert float(red.mean()) == pytest.approx(0.25, abs=0.02)


def test_ten_by_ten_pixels_are_a_region_and_a_thousand_colours_are_none() -> None:
    pixels = torch.zeros(1, 3, 100, 100)
    pixels[:, 0, 10:20, 10:20] = 1
    assert sorted(colors_of(pixels)) == ["000000", "ff0000"]
    many = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with pytest.raises(PictureError, match="more than 32 colours"):
        colors_of(F.interpolate(many, scale_factor=6.0, mode="nearest"))
    assert alike("123456", ["ff0000", "00ff00"]) is None
