"""Losses for pictures without pairs."""

from __future__ import annotations

import math

import pytest
import torch

from impasto.losses.adversarial import Game, critic_loss, painter_loss
from impasto.losses.contrastive import patch_contrast


@pytest.mark.parametrize(
    ("game", "critic", "painter"),
    [("logistic", 2 * math.log(2), math.log(2)), ("least_squares", 1.0, 1.0), ("hinge", 2.0, 0.0)],
)
def test_a_critic_that_cannot_tell(game: Game, critic: float, painter: float) -> None:
    verdicts = [torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 2, 2)]
    assert float(critic_loss(game, verdicts, verdicts)) == pytest.approx(critic)
    assert float(painter_loss(game, verdicts)) == pytest.approx(painter)


@pytest.mark.parametrize("game", ["logistic", "least_squares", "hinge"])
def test_the_critic_gains_by_telling_and_the_painter_by_being_taken_for_real(game: Game) -> None:
    yes, no = [torch.ones(1, 1, 2, 2)], [-torch.ones(1, 1, 2, 2)]
    assert critic_loss(game, yes, no) < critic_loss(game, no, yes)
    assert painter_loss(game, yes) < painter_loss(game, no)


def test_contrast_finds_each_place_in_its_own_photo() -> None:
    photo = torch.nn.functional.normalize(torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0)), dim=2)
    assert patch_contrast(photo, photo) < 0.2
    assert patch_contrast(photo.roll(1, 1), photo) > 3
    same = torch.ones(1, 16, 1)
    assert float(patch_contrast(same, same)) == pytest.approx(math.log(16))


def test_nothing_is_learned_through_the_photo() -> None:
    photo, painted = torch.rand(1, 4, 3, requires_grad=True), torch.rand(1, 4, 3, requires_grad=True)
    patch_contrast(painted, photo).backward()
    assert photo.grad is None
    assert painted.grad is not None
