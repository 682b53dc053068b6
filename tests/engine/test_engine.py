"""The slow road: scales, optimisers, resuming, and what goes wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from impasto.encoders.compact import load_compact
from impasto.engine.describe import described
from impasto.engine.optimize import Objective, State, Update, enlarge, optimize
from impasto.engine.optimizer_settings import OptimizerSettings
from impasto.engine.optimizers import Adam
from impasto.engine.scales import Scale, plan_scales
from impasto.engine.start import first_image
from impasto.engine.tiles import Slope
from impasto.errors import DivergedError
from impasto.losses.wasserstein import Wasserstein
from impasto.media.geometry import resample

from fakes import picture

WANTED = picture(48, 64, seed=5)


class Bowl:
    """The nearer to a wanted picture, the lower."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def objective(self, scale: Scale) -> Objective:
        wanted = resample(WANTED, (scale.height, scale.width))

        def objective(image: Tensor, step: int) -> Slope:
            self.steps.append(step)
            loss = float((image - wanted).square().sum())
            return Slope(loss, {"bowl": loss}, 2 * (image - wanted))

        return objective

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        size = (scale.height, scale.width)
        return torch.full((1, 3, *size), 0.5) if coarser is None else resample(coarser, size)


def run(settings: OptimizerSettings, resume: State | None = None, stop: int = 10**6) -> list[Update]:
    steps = []
    for step in optimize(plan_scales(48, 64, (30, 20, 10)), Bowl(), settings, resume):
        steps.append(step)
        if len(steps) == stop:
            break
    return steps


def test_scales_double_up_to_the_size() -> None:
    scales = plan_scales(1365, 2048, (100, 60, 20))
    assert [(scale.height, scale.width) for scale in scales] == [
        (85, 128), (171, 256), (341, 512), (682, 1024), (1365, 2048),
    ]  # fmt: skip
    assert [scale.steps for scale in scales] == [100, 60, 20, 10, 5]
    assert [scale.steps for scale in plan_scales(300, 200, (100, 60, 20))] == [100, 60]
    assert [scale.steps for scale in plan_scales(64, 64, (100, 60, 20))] == [100]
    assert [scale.steps for scale in plan_scales(512, 512, (0, 60, 20))] == [60, 20]
    assert [scale.steps for scale in plan_scales(128, 128, (0, 60, 20))] == [60]
    (only,) = plan_scales(512, 512, (500,), pyramid=False)
    assert (only.height, only.width, only.steps) == (512, 512, 500)


def test_scales_too_narrow_to_see_are_left_out() -> None:
    assert [min(scale.height, scale.width) for scale in plan_scales(2048, 80, (9, 9, 9))] == [40, 80]


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
def test_every_optimizer_goes_down(optimizer: str) -> None:
    rate = {"adam": 0.05, "sgd": 0.05, "lbfgs": 1.0}[optimizer]
    steps = run(OptimizerSettings(optimizer=optimizer, learning_rate=rate, averaging=0.9))  # type: ignore[arg-type]
    assert float((steps[-1].picture - WANTED).abs().mean()) < 0.02
    assert steps[-1].done == pytest.approx(1)
    assert steps[-1].picture.shape == WANTED.shape
    assert all(a.done < b.done for a, b in pairwise(steps))


def test_patience_leaves_a_size_early() -> None:
    steps = run(OptimizerSettings(learning_rate=1.0, decay=0.15, optimizer="lbfgs", patience=3))
    assert len(steps) < len(run(OptimizerSettings()))
    assert [step.done == 1 for step in steps] == [False] * (len(steps) - 1) + [True]


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("stop", [1, 17, 30, 31])
def test_resuming_is_bit_exact(optimizer: str, stop: int) -> None:
    settings = OptimizerSettings(optimizer=optimizer, learning_rate=0.03, patience=50)  # type: ignore[arg-type]
    scales = [Scale(48, 64, 30, 0.25), Scale(96, 128, 1, 0.5), Scale(192, 256, 5, 1.0)]

    def go(resume: State | None, count: int) -> list[Update]:
        steps = []
        for step in optimize(scales, Bowl(), settings, resume):
            steps.append(step)
            if len(steps) == count:
                break
        return steps

    whole = go(None, 10**6)
    part = go(None, stop)[-1].state()
    rest = go(part, 10**6)
    assert len(rest) == len(whole) - stop
    assert torch.equal(rest[-1].picture, whole[-1].picture)
    assert [step.total for step in rest] == [step.total for step in whole[stop:]]


def test_nan_stops_with_advice() -> None:
    class Cliff(Bowl):
        def objective(self, scale: Scale) -> Objective:
            inner = super().objective(scale)

            def objective(image: Tensor, step: int) -> Slope:
                slope = inner(image, step)
                return slope._replace(loss=float("nan")) if len(self.steps) > 4 else slope

            return objective

    steps = optimize(plan_scales(48, 64, (30,)), Cliff(), OptimizerSettings())
    assert [next(steps).step for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(DivergedError, match=r"nan at size 1, step 5; lower --learning-rate"):
        next(steps)


def test_clipping_shortens_the_first_step() -> None:
    free = run(OptimizerSettings(optimizer="sgd", learning_rate=0.1, averaging=0), stop=1)[0].picture
    clipped = run(OptimizerSettings(optimizer="sgd", learning_rate=0.1, averaging=0, clip=0.5), stop=1)[0].picture
    assert float((clipped - 0.5).norm()) == pytest.approx(0.05, rel=1e-3)
    assert float((free - 0.5).norm()) > 0.1


def test_enlarging_an_untouched_photo_gives_the_photo() -> None:
    photo = picture(64, 64) * 0.9 + 0.05 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    small = resample(photo, (32, 32))
    torch.testing.assert_close(enlarge(small, photo, 1.0), photo.clamp(0, 1))
    torch.testing.assert_close(enlarge(small, photo, 0.0), resample(small, (64, 64)).clamp(0, 1))


def test_starts() -> None:
    content, style = picture(32, 32), picture(40, 40, seed=3)
    assert torch.equal(first_image("content", content, style, 0), content)
    assert torch.equal(first_image("noise", content, style, 7), first_image("noise", content, style, 7))
    assert not torch.equal(first_image("noise", content, style, 7), first_image("noise", content, style, 8))
    tinted = first_image("color", content, style, 0)
    assert float((tinted.mean((2, 3)) - style.mean((2, 3))).abs().max()) < 0.05


def test_what_slopes_were_is_carried_on_as_large_as_they_will_be() -> None:
    adam = Adam()
    adam.mean, adam.square = torch.full((1, 3, 12, 12), 0.5), torch.full((1, 3, 12, 12), 1e-6)
    adam.square[..., 4:8, 4:8] = 1.0
    adam.enlarge((24, 24))
    assert adam.mean is not None
    assert adam.square is not None
    torch.testing.assert_close(adam.mean, torch.full((1, 3, 24, 24), 0.25))
    assert float(adam.square.min()) >= 0.999e-6 / 4
    assert float(adam.square.max()) <= 1 / 4


def test_calm_places_move_less() -> None:
    image, gradient = torch.zeros(1, 3, 16, 16), torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    gradient[..., :8] *= 1e-3
    Adam().update(image, 0.0, gradient, 0.1)
    assert float(image[..., :7].abs().max()) < 0.002
    assert float(image[..., 9:].abs().mean()) > 0.03


def test_color_moves_as_far_as_light() -> None:
    image, gradient = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    gradient[:, 0] += 0.01
    gradient[:, 2] -= 0.03
    Adam().update(image, 0.0, gradient, 0.1)
    light, color = image.sum(1) / 3**0.5, (image[:, 0] - image[:, 2]) / 2**0.5
    assert float(light.mean()) == pytest.approx(-0.1 / 1.1**0.5, rel=1e-3)
    torch.testing.assert_close(color, light, rtol=1e-3, atol=1e-4)


def test_a_painting_that_was_done_goes_on_as_it_was() -> None:
    last = run(OptimizerSettings())[-1]
    state = last.state()
    assert state is not None
    (again,) = run(OptimizerSettings(), resume=state)
    assert again.done == 1
    assert torch.equal(again.picture, last.picture)


def test_large_pictures_are_described_in_tiles_as_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, whole = load_compact(), picture(333, 250)
    layers = ("relu1_1", "relu3_1", "relu5_1")
    one = described(whole, encoder.reach, Wasserstein().describe, lambda part: encoder.walk(part, layers))
    monkeypatch.setattr("impasto.engine.describe._IN_TILES_BEYOND", 1)
    monkeypatch.setattr("impasto.engine.describe._TILE", 112)
    tiled = described(whole, encoder.reach, Wasserstein().describe, lambda part: encoder.walk(part, layers))
    for layer in layers:
        for name, value in one[layer].items():
            torch.testing.assert_close(tiled[layer][name], value, atol=1e-4, rtol=1e-4)
