"""Motion between frames."""

from __future__ import annotations

import numpy as np
import torch

from impasto.controls.flow import Flow, Motion, is_cut
from impasto.media.geometry import shift

from fakes import picture


def detailed(height: int = 90, width: int = 160, seed: int = 0) -> torch.Tensor:
    fine = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(fine, size=(height, width), mode="bicubic").clamp(0, 1)


def test_a_picture_that_moves_is_found_where_it_was() -> None:
    before = detailed()
    now = shift(before, 2, -3)
    flow = Motion().between(before, now)
    middle = flow.offsets[20:-20, 20:-20]
    assert abs(middle[..., 0].mean() - 3) < 0.1
    assert abs(middle[..., 1].mean() + 2) < 0.1
    assert flow.trust[..., 20:-20, 20:-20].mean() > 0.9
    carried = flow.carried(before)
    assert (carried - now)[..., 20:-20, 20:-20].abs().mean() < 0.01
    assert (before - now)[..., 20:-20, 20:-20].abs().mean() > 0.1


def test_what_appears_and_what_leaves_is_not_trusted() -> None:
    before = detailed()
    now = before.clone()
    now[..., 30:60, 60:100] = detailed(seed=9)[..., 30:60, 60:100]
    flow = Motion().between(before, now)
    assert flow.trust[..., 34:56, 64:96].mean() < 0.3
    assert flow.trust[..., :25, :].mean() > 0.95
    still = Motion().between(before, before)
    assert still.trust.mean() > 0.95
    assert abs(still.offsets).max() < 0.1


def test_masks_are_carried_like_pictures() -> None:
    flow = Flow(np.tile(np.float32([1, 0]), (8, 9, 1)), torch.ones(1, 1, 8, 9))
    mask = torch.zeros(1, 1, 8, 9)
    mask[..., 4:] = 1
    assert torch.equal(flow.carried(mask)[..., :8].round(), mask[..., 1:])


def test_cuts_are_told_from_motion_and_light() -> None:
    before = picture(90, 160, 0)
    assert is_cut(before, 1 - 0.4 * picture(90, 160, 3))
    assert not is_cut(before, shift(before, 4, 12))
    assert not is_cut(before, (before * 1.03).clamp(0, 1))
