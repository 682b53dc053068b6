"""Formulas against answers worked out by hand, and against what must not change them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.losses.blotches import blotches
from impasto.losses.content import Content, instance_normalised
from impasto.losses.cosine import Cosine
from impasto.losses.gram import Gram
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein, quantiles_of
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Loss, PlaceLoss, Term, describe, mix, total
from impasto.losses.wasserstein import Wasserstein

A = torch.tensor([[1.0, 3.0], [2.0, 0.0]]).view(1, 2, 1, 2)
B = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 2, 1, 2)
STYLES: list[Loss] = [
    Gram(), Gram("size", mean_weight=2.0), Moments(), Moments("mean"), Moments("relative"), Wasserstein(),
    Wasserstein("none"), SlicedWasserstein(),
]  # fmt: skip


def distance(loss: Loss | PlaceLoss, x: Tensor, y: Tensor) -> float:
    if isinstance(loss, PlaceLoss):
        return float(loss.compare(loss.describe(x, loss.photo(y))))
    return float(loss.compare(loss.describe(x), loss.prepare(loss.describe(y))))


def test_content_by_hand() -> None:
    assert distance(Content("gatys"), A, B) == pytest.approx((0 + 4 + 4 + 0) / 2)
    assert distance(Content("mean"), A, B) == pytest.approx(8 / 4)


def test_instance_normalisation_forgets_mean_and_contrast(noise: Tensor) -> None:
    changed = noise * torch.tensor([2.0, 0.5, 3.0, 1.0]).view(1, 4, 1, 1) + 7
    torch.testing.assert_close(instance_normalised(changed), instance_normalised(noise), atol=2e-2, rtol=0)
    assert distance(Content("instance"), changed, noise) < 1e-3
    assert distance(Content("instance"), noise.flip(3), noise) > 0.3


def test_a_channel_that_dies_is_not_blown_up(noise: Tensor) -> None:
    faint, dead = noise.clone(), noise.clone()
    faint[:, 0] *= 1e-4
    faint[:, 0, 3, 3] = 0.02
    dead[:, 0] = 0
    assert instance_normalised(faint)[:, 0].abs().max() < 1
    assert abs(distance(Content("instance"), faint, noise) - distance(Content("instance"), dead, noise)) < 0.01


def test_gram_by_hand() -> None:
    # Gram matrices over M = 2 positions: [[10, 2], [2, 4]] and [[2, 0], [0, 0]]; their difference [[8, 2], [2, 4]].
    squares = 64 + 4 + 4 + 16
    assert distance(Gram("gatys"), A, B) == pytest.approx(squares / (4 * 2**2 * 2**2))
    assert distance(Gram("size"), A, B) == pytest.approx(squares / (2 * 2) ** 2)
    # Means 2, 1 and 1, 0.
    assert distance(Gram("size", mean_weight=3.0), A, B) == pytest.approx(squares / 16 + 3 * 2)


def test_moments_by_hand() -> None:
    # Means 2, 1 against 1, 0; deviations 1, 1 against 0, 0.
    assert distance(Moments("sum"), A, B) == pytest.approx(4, rel=1e-3)
    assert distance(Moments("mean"), A, B) == pytest.approx(2, rel=1e-3)
    assert distance(Moments("relative"), A, B) == pytest.approx(4 / 1, rel=1e-3)


def test_wasserstein_of_one_channel_is_the_distance_of_means_and_deviations() -> None:
    x, y = torch.tensor([0.0, 2.0]).view(1, 1, 1, 2), torch.tensor([1.0, 7.0]).view(1, 1, 1, 2)
    assert distance(Wasserstein("none"), x, y) == pytest.approx((1 - 4) ** 2 + (1 - 3) ** 2, rel=1e-5)
    assert distance(Wasserstein("relative"), x, y) == pytest.approx(13 / (9 + 16), rel=1e-5)
    assert distance(Wasserstein("none", root=True), x, y) == pytest.approx(math.sqrt(13), rel=1e-5)


def test_wasserstein_equals_the_matrix_formula_and_its_gradient(noise: Tensor) -> None:
    from scipy.linalg import sqrtm

    x = noise.double().requires_grad_()
    y = torch.randn(1, 4, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2 + 1

    def moments(features: Tensor) -> tuple[Tensor, Tensor]:
        flat = features.flatten(2)[0]
        return flat.mean(1), torch.cov(flat, correction=0)

    (mean, covariance), (mean_y, covariance_y) = moments(x.detach()), moments(y)
    root = torch.from_numpy(sqrtm(covariance_y.numpy()).real)
    cross = torch.from_numpy(sqrtm((root @ covariance @ root).numpy()).real).trace()
    expected = (mean - mean_y).square().sum() + covariance.trace() + covariance_y.trace() - 2 * cross
    loss = Wasserstein("none")
    target = loss.prepare(loss.describe(y))
    assert float(loss.compare(loss.describe(x), target).detach()) == pytest.approx(float(expected), rel=1e-6)
    assert torch.autograd.gradcheck(lambda z: loss.compare(loss.describe(z), target), x, eps=1e-5, atol=1e-5)


def test_sliced_wasserstein_by_hand() -> None:
    x, y = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2), torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    # One channel: every direction is +1 or -1; sorted, 1 3 against 0 4.
    assert distance(SlicedWasserstein(directions=3, quantiles=2), x, y) == pytest.approx((1 + 1) / 2, rel=1e-5)


def test_quantiles_are_means_of_equal_shares() -> None:
    ordered = torch.tensor([[[0.0, 1.0, 2.0, 5.0]]])
    torch.testing.assert_close(quantiles_of(ordered, 2), torch.tensor([[[0.5, 3.5]]]))
    torch.testing.assert_close(quantiles_of(ordered, 8), torch.tensor([[[0.0, 0, 1, 1, 2, 2, 5, 5]]]))
    torch.testing.assert_close(quantiles_of(ordered, 3).mean(), torch.tensor(2.0))


def test_sliced_sees_what_a_gaussian_does_not() -> None:
    two_peaks = torch.tensor([-1.0, 1.0]).repeat(500).view(1, 1, 1, 1000)
    bell = torch.randn(1, 1, 1, 1000, generator=torch.Generator().manual_seed(0))
    bell = (bell - bell.mean()) / bell.std(correction=0)
    assert distance(Wasserstein("none"), two_peaks, bell) < 1e-5
    assert distance(SlicedWasserstein(), two_peaks, bell) > 0.1


def test_cosine_by_hand() -> None:
    # Positions (1, 2) and (3, 0) against (1, 0) and (1, 0).
    assert distance(Cosine(), A, B) == pytest.approx(((1 - 1 / math.sqrt(5)) + 0) / 2, rel=1e-5)
    assert distance(Cosine(), A, 5 * A) == pytest.approx(0, abs=1e-6)


def test_total_variation_by_hand() -> None:
    image = torch.tensor([[0.0, 1.0], [0.0, 3.0]]).view(1, 1, 2, 2)
    assert distance(TotalVariation("l1"), image, image) == pytest.approx((1 + 3) / 2 + (0 + 2) / 2)
    assert distance(TotalVariation("l2"), image, image) == pytest.approx((1 + 9) / 2 + (0 + 4) / 2)


@pytest.mark.parametrize("loss", STYLES, ids=repr)
def test_style_ignores_where_and_is_zero_for_itself(loss: Loss, noise: Tensor) -> None:
    shuffled = noise.flatten(2)[..., torch.randperm(30, generator=torch.Generator().manual_seed(3))].view_as(noise)
    other = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(4))
    assert distance(loss, shuffled, noise) == pytest.approx(0, abs=1e-5)
    assert distance(loss, shuffled, other) == pytest.approx(distance(loss, noise, other), rel=1e-4)
    assert distance(loss, noise, other) > 1e-3


@pytest.mark.parametrize("loss", [loss for loss in STYLES if not isinstance(loss, SlicedWasserstein)], ids=repr)
def test_halves_average_to_the_whole(loss: Loss, noise: Tensor) -> None:
    halves = [{"x": loss.describe(noise[:, :, :3])}, {"x": loss.describe(noise[:, :, 3:])}]
    for name, value in mix(halves, [1, 1])["x"].items():
        torch.testing.assert_close(value, loss.describe(noise)[name])


def test_total_reports_weighted_parts(noise: Tensor) -> None:
    features = [("relu1_1", noise), ("image", noise)]
    terms = [
        Term("content", Content("mean"), {"relu1_1": 0.5}, 4.0),
        Term("smooth", TotalVariation(), {"image": 1.0}, 2.0),
    ]
    zero = describe(terms, [("relu1_1", torch.zeros_like(noise)), ("image", noise)])
    targets = {term.name: term.prepare(zero[term.name]) for term in terms}
    value, parts = total(terms, describe(terms, features, photo=targets), targets)
    assert parts["content"] == pytest.approx(4 * 0.5 * float(noise.square().mean()), rel=1e-5)
    assert float(value) == pytest.approx(sum(parts.values()), rel=1e-5)


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [1.0], [float("nan"), 1.0]])
def test_bad_blends_are_refused(weights: list[float], noise: Tensor) -> None:
    described = [{"x": Moments().describe(noise)}] * 2
    with pytest.raises(SettingsError, match="Expected 2 weights"):
        mix(described, weights)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(SettingsError, match="0 or more"):
        Term("style", Gram(), {"relu1_1": -1.0}, 1.0)


def test_blotches_are_what_differs_where_the_photo_does_not() -> None:
    """Sky above ground: any two colours for them are none, a third in the sky is one, and touches are not seen."""
    photo = torch.full((1, 3, 96, 96), 0.8)
    photo[..., 48:, :] = 0.2
    clean = 1 - photo
    touched = clean + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    halo = clean.clone()
    halo[..., 24:40, :] = 0.6
    assert float(blotches(photo, clean)) < 0.02
    assert float(blotches(photo, touched)) < 0.03
    assert float(blotches(photo, halo)) > 0.1
    both = float(blotches(photo.expand(2, -1, -1, -1), torch.cat([halo, clean])))
    assert both == pytest.approx(float(blotches(photo, halo)) / 2, abs=0.01)
