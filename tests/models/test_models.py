"""Painting networks: transport, statistics, and that strips change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from impasto.device import autocast
from impasto.losses.terms import joined
from impasto.losses.wasserstein import Wasserstein, covariance_of
from impasto.models.grain import unsettled, varied
from impasto.models.instant import ADAPTATION, STYLE_LAYERS, Instant
from impasto.models.painter import WIDTHS, Painter
from impasto.models.stages import EPSILON, WHOLE, ChannelStatistics, Stage, styled
from impasto.models.strips import Stored, Strips
from impasto.models.translator import Translator

CHANNELS = {"relu1_1": 3, "relu2_1": 4, "relu3_1": 6, "relu4_1": 5, "relu5_1": 4}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def described(seed: int = 0, count: int = 1) -> dict[str, dict[str, torch.Tensor]]:
    return {
        layer: Wasserstein().describe(random(count, width, 12, 10, seed=seed).relu())
        for layer, width in CHANNELS.items()
    }


def instant() -> Instant:
    torch.manual_seed(0)
    return Instant(CHANNELS, widths=(8, 6, 6, 5, 4, 4, 4), reader=8).requires_grad_(False)


def painter(channels: int = 6, widths: Sequence[int] = (6, 5, 4, 4)) -> Painter:
    torch.manual_seed(0)
    network = Painter({"relu3_1": channels}, 3, widths=widths, blocks=2).requires_grad_(False).eval()
    for rows in [*network.scales, *network.shifts]:
        nn.init.normal_(rows, 0.5)
    return network


def translator(layout: Any) -> Translator:
    torch.manual_seed(0)
    return Translator(layout, width=4, blocks=2).requires_grad_(False).eval()


def content(height: int, width: int) -> dict[str, torch.Tensor]:
    return {
        "image": random(1, 3, height, width).sigmoid(),
        "relu3_1": random(1, 6, height // 4, width // 4).relu(),
        "relu4_1": random(1, 5, height // 8, width // 8, seed=1).relu(),
    }


def test_transport_reaches_mean_and_covariance() -> None:
    photo, style = random(2, 5, 20, 20) * 3 + 1, random(2, 5, 30, 20, seed=1).relu()
    wanted = Wasserstein().describe(style)
    moved = WHOLE.transported(photo, (wanted["mean"], covariance_of(wanted)))
    reached = Wasserstein().describe(moved)
    assert torch.allclose(reached["mean"], wanted["mean"], atol=1e-4)
    assert torch.allclose(covariance_of(reached), covariance_of(wanted), rtol=0.01, atol=1e-3)


def test_transport_of_a_picture_to_itself_moves_nothing() -> None:
    photo = random(1, 5, 20, 20).relu()
    own = Wasserstein().describe(photo)
    assert torch.allclose(WHOLE.transported(photo, (own["mean"], covariance_of(own))), photo, atol=2e-3)


def test_transport_of_a_flat_photo_is_the_mean_of_the_style() -> None:
    own = Wasserstein().describe(random(1, 5, 20, 20))
    moved = WHOLE.transported(torch.ones(1, 5, 8, 8), (own["mean"], covariance_of(own)))
    assert torch.allclose(moved, own["mean"][:, :, None, None].expand_as(moved), atol=1e-3)


def test_what_is_styled_has_the_mean_and_deviation_that_the_style_asks_for() -> None:
    x = random(1, 4, 40, 40) * 7 + 3
    y = styled(x, ChannelStatistics.of(x), torch.full((1, 4, 1, 1), 0.5), torch.full((1, 4, 1, 1), 9.0))
    assert torch.allclose(y.mean((2, 3)), torch.full((1, 4), 9.0), atol=1e-3)
    assert torch.allclose(y.std((2, 3)), torch.full((1, 4), 0.5), atol=1e-3)


@pytest.mark.parametrize("enlarge", [False, True])
@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_a_stage_is_a_convolution_normalised_and_styled(
    enlarge: bool, learning: bool, dtype: torch.dtype, tolerance: float
) -> None:
    x, scale, shift = random(2, 3, 17, 12) + 5, random(2, 4, 1, 1) + 2, random(2, 4, 1, 1, seed=1)
    stage = Stage(3, 4, enlarge=enlarge)
    with torch.set_grad_enabled(learning):
        came = WHOLE.stage(x.to(dtype), stage.to(dtype), scale, shift).float()
        larger = F.interpolate(x, scale_factor=2) if enlarge else x
        kernel = stage.convolution.weight.float()
        convolved = F.conv2d(F.pad(larger, (1, 1, 1, 1), "replicate" if enlarge else "reflect"), kernel)
    expected = (F.instance_norm(convolved, eps=EPSILON) * scale + shift).relu()
    assert came.shape == expected.shape
    assert (came - expected).abs().mean() < tolerance


@pytest.mark.parametrize(("stage", "size"), [
    (Stage(3, 4), (17, 12)), (Stage(3, 4, enlarge=True), (34, 24)), (Stage(3, 4, stride=2), (9, 6)),
])  # fmt: skip
def test_a_stage_on_strips_is_the_stage(stage: Stage, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.models.strips._VALUES", 100)
    x, scale, shift = random(1, 3, 17, 12), torch.full((1, 4, 1, 1), 2.0), torch.full((1, 4, 1, 1), 0.3)
    rows = Stored(3, 17, 12, torch.device("cpu"))
    rows.append(x[:, :, :5])
    rows.append(x[:, :, 5:])
    with torch.no_grad():
        whole, strips = WHOLE.stage(x, stage, scale, shift), Strips().stage(rows, stage, scale, shift)
    assert (strips.height, strips.width) == whole.shape[2:] == size
    assert torch.allclose(strips.rows(0, strips.height), whole, atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(64, 48), (120, 40), (40, 200)])
@pytest.mark.parametrize("kind", ["instant", "painter", "residual", "unet"])
def test_strips_change_nothing(kind: str, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.models.strips._VALUES", 600)
    seen = content(height, width)
    network: Instant | Painter | Translator
    if kind == "instant":
        network = instant()
        style = network.style(described())
    elif kind == "painter":
        network = painter()
        style = network.style(torch.tensor([[0.2, 0.5, 0.3]]))
    else:
        network = translator(kind)
        style = network.style()
    stored = {}
    for layer, features in seen.items():
        stored[layer] = Stored(*features.shape[1:], torch.device("cpu"))
        stored[layer].append(features)
    whole, strips = network(seen, style), network.draw(stored, style, Strips())
    assert len(list(strips.strips())) > 3
    difference = (strips.rows(0, height) - whole).abs()
    assert difference.max() < 1 / 255
    assert strips.rows(7, 9).shape == (1, 3, 2, width)


def test_strips_keep_bfloat16_and_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.models.strips._VALUES", 600)
    seen = {layer: features.bfloat16() for layer, features in content(120, 40).items()}
    network = painter()
    style, stored = network.style(torch.tensor([[0.2, 0.5, 0.3]])), {}
    for layer, features in seen.items():
        stored[layer] = Stored(*features.shape[1:], torch.device("cpu"))
        stored[layer].append(features)
    assert torch.equal(stored["relu3_1"].rows(3, 9), seen["relu3_1"][:, :, 3:9])
    with autocast(torch.device("cpu"), bfloat16=True):
        whole, rows = network(seen, style), network.draw(stored, style, Strips()).rows(0, 120)
        assert (rows.float() - whole.float()).abs().mean() < 1 / 255


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("size", [(240, 320), (120, 4000)])
def test_pictures_do_not_depend_on_the_number_of_threads(
    size: tuple[int, int], bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of networks of the usual widths: in narrow ones, convolutions themselves depend on it on some processors."""
    monkeypatch.setattr("impasto.models.strips._VALUES", 1 << 19)
    network, threads, painted = painter(96, WIDTHS), torch.get_num_threads(), []
    style = network.style(torch.tensor([[0.2, 0.5, 0.3]]))
    shape = 96, size[0] // 4, size[1] // 4
    seen = random(1, *shape).relu().to(memory_format=torch.channels_last)
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            stored = Stored(*shape, torch.device("cpu"))
            stored.append(seen)
            with torch.no_grad(), autocast(torch.device("cpu"), bfloat16=bfloat16):
                rows = network.draw({"relu3_1": stored}, style, Strips()).rows(0, size[0])
                painted.append((network({"relu3_1": seen}, style), rows))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(*pair) for pair in zip(*painted))


def test_what_is_flat_is_painted_unevenly_and_detail_is_left_alone() -> None:
    flat, detailed = torch.zeros(1, 6, 40, 40), 10 * random(1, 6, 40, 40).sign()
    assert (unsettled(flat) - flat).std() > 0.5
    assert (unsettled(detailed) - detailed).std() < 0.01
    painted = painter()({"relu3_1": flat + 1}, painter().style(torch.eye(3)[:1]))
    blocks = painted.unflatten(2, (-1, 8)).unflatten(4, (-1, 8))[:, :, 1:-1, :, 1:-1]
    assert blocks.std((2, 4)).mean() > 0.01
    assert torch.equal(painted, painter()({"relu3_1": flat + 1}, painter().style(torch.eye(3)[:1])))


def test_a_painters_styles_and_their_mixtures() -> None:
    network, seen = painter(), content(64, 64)
    one, other, both = (
        network(seen, network.style(torch.tensor([w]))) for w in ([1.0, 0, 0], [0, 0, 1.0], [0.5, 0, 0.5])
    )
    assert one.shape == (1, 3, 64, 64)
    assert (one - other).abs().mean() > 0.01
    assert (both - one).abs().mean() < (other - one).abs().mean()


def test_the_instant_network_follows_the_style() -> None:
    network, seen = instant(), content(64, 64)
    first, again, second = (network(seen, network.style(described(seed))) for seed in (0, 0, 5))
    assert torch.equal(first, again)
    assert not torch.allclose(first, second)
    assert set(described()) == set(STYLE_LAYERS)


def test_an_adapted_network_draws_by_its_own_code_and_weights() -> None:
    network, seen, known = instant(), content(64, 48), described()
    generator = torch.Generator().manual_seed(1)
    code = 0.2 * torch.randn(1, network.code_length, generator=generator)
    weights = 0.02 * torch.randn(1, len(network.weights), generator=generator)

    def painted(**adaptation: torch.Tensor) -> torch.Tensor:
        return network(seen, network.style({**known, ADAPTATION: adaptation}))

    usual, coded, weighed = painted(), painted(code=code), painted(weights=weights)
    assert all((other - usual).abs().mean() > 0.01 for other in (coded, weighed))
    assert torch.equal(painted(code=0 * code, weights=0 * weights), usual)
    assert torch.equal(network.changed(weights[0])(seen, network.style(known)), weighed)
    assert torch.equal(network.changed(weights[0]).weights, network.weights + weights[0])
    regions = network.style({**joined([known, known]), ADAPTATION: {"weights": torch.cat([weights, 0 * weights])}})
    assert regions.change is not None
    assert torch.allclose(regions.change, weights[0] / 2)


def test_statistics_are_as_exact_in_bfloat16() -> None:
    x = random(1, 4, 40, 40) + 100
    moments = ChannelStatistics.of(x.bfloat16())
    assert moments.mean.dtype == torch.float32
    torch.testing.assert_close(moments.variance, x.bfloat16().float().var((2, 3), keepdim=True, correction=0),
                               rtol=0.01, atol=0.05)  # fmt: skip


def test_a_variation_of_a_part_is_the_part_of_the_variation() -> None:
    photo = torch.full((1, 3, 90, 110), 0.5)
    whole = varied(photo, 7)
    assert torch.equal(varied(photo[..., 30:70, 50:], 7, 30, 50), whole[..., 30:70, 50:])
    assert torch.equal(varied(photo, 0), photo)
    assert not torch.equal(varied(photo, 8), whole)
    assert float((whole - photo).std()) == pytest.approx(0.025, abs=0.01)
