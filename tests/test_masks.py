"""Masks: what is shared out, what fills gaps, what becomes of them at other sizes."""

from __future__ import annotations

import torch

from impasto.masks import Masks, feathered, fitted, grown


def half(height: int = 8, width: int = 8) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    return mask


def test_overlaps_are_shared_and_the_rest_is_what_is_left() -> None:
    masks = Masks.of([torch.ones(1, 1, 8, 8), half()])
    assert torch.equal(masks.inside[0, :, 0, 0], torch.tensor([0.5, 0.5]))
    assert torch.equal(masks.inside[0, :, 0, 7], torch.tensor([1.0, 0.0]))
    rest = Masks.of([half(), None])
    assert torch.equal(rest.inside[:, 1:], 1 - half())
    assert rest.shares is rest.inside


def test_gaps_keep_the_photo_and_act_as_what_is_near() -> None:
    left, right = half(32, 32) * 1.0, 1 - half(32, 32)
    left[..., 12:16] = right[..., 16:20] = 0
    masks = Masks.of([left, right])
    assert masks.coverage[..., 12:20].max() == 0
    assert masks.coverage[..., :12].min() == 1
    assert torch.allclose(masks.shares.sum(1), torch.ones(1, 32, 32), atol=1e-5)
    assert masks.shares[0, 0, 5, 12] > 0.8
    assert masks.shares[0, 1, 5, 19] > 0.8
    alone = Masks.of([half()])
    assert torch.equal(alone.shares, torch.ones(1, 1, 8, 8))


def test_what_is_kept_comes_off_every_region() -> None:
    masks = Masks.of([torch.ones(1, 1, 8, 8)], keep=half())
    assert torch.equal(masks.inside, 1 - half())
    assert masks.areas == [0.5]


def test_smaller_masks_are_means_and_are_made_once() -> None:
    masks = Masks.of([half(8, 8), None])
    small = masks.at(2, 2)
    assert torch.equal(small.inside[0, 0], torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert masks.at(2, 2) is small
    assert masks.at(8, 8) is masks
    assert torch.equal(masks.spread([2.0, 4.0]), 4 - 2 * half())


def test_fitted_masks_do_not_overshoot() -> None:
    large = fitted(half(20, 20), (50, 70))
    assert large.shape == (1, 1, 50, 70)
    assert large[..., :25].min() == 1
    assert large[..., 45:].max() == 0


def test_masks_grow_shrink_and_fade() -> None:
    mask = torch.zeros(1, 1, 21, 21)
    mask[..., 8:13, 8:13] = 1
    assert float(grown(mask, 2).sum()) == 81
    assert float(grown(mask, -1).sum()) == 9
    soft = feathered(mask, 4)
    assert 0 < soft[0, 0, 10, 7] < soft[0, 0, 10, 9] <= 1
    assert torch.equal(feathered(mask, 0), mask)
