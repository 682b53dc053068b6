"""Residual networks, with random weights in torchvision's names and shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import impasto
from impasto import Brief, Recipe, Region
from impasto.encoders import load_encoder
from impasto.encoders.resnet import _BLOCKS, _WIDTHS, ResNetName, smoothed
from impasto.errors import SettingsError, UnknownName, WeightsError
from impasto.media.image import Picture
from impasto.presets import preset

from fakes import picture


def state_of(name: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {"fc.weight": torch.zeros(3, 3)}

    def add(key: str, norm: str, before: int, after: int, side: int) -> None:
        spread = (2 / (before * side * side)) ** 0.5
        state[f"{key}.weight"] = spread * torch.randn(after, before, side, side, generator=generator)
        for part, value in (("weight", 1.2), ("bias", 0.1), ("running_mean", 0.05), ("running_var", 1.5)):
            state[f"{norm}.{part}"] = torch.full((after,), value)

    add("conv1", "bn1", 3, 64, 7)
    channels = 64
    for stage, count in enumerate(_BLOCKS[name], 1):
        width = _WIDTHS[stage - 1]
        out = 4 * width if name == "resnet50" else width
        for number in range(count):
            prefix = f"layer{stage}.{number}"
            if name == "resnet50":
                sizes = [(channels, width, 1), (width, width, 3), (width, out, 1)]
            else:
                sizes = [(channels, width, 3), (width, width, 3)]
            for index, size in enumerate(sizes, 1):
                add(f"{prefix}.conv{index}", f"{prefix}.bn{index}", *size)
            if number == 0 and channels != out:
                add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", channels, out, 1)
            channels = out
    return state


@pytest.fixture(scope="module", params=["resnet18", "resnet34", "resnet50"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[ResNetName, Path]:
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.pth"
    torch.save(state_of(request.param), path)
    return request.param, path


def test_layers_have_the_published_shapes(weights: tuple[ResNetName, Path]) -> None:
    name, path = weights
    encoder = load_encoder(name, path)
    seen = encoder(picture(96, 128), ["conv1", "layer1_1", "layer2_2", "layer3_2", "layer4_2", "image"])
    wide = 4 if name == "resnet50" else 1
    shapes = {layer: tuple(features.shape[1:]) for layer, features in seen.items()}
    assert shapes == {
        "image": (3, 96, 128), "conv1": (64, 48, 64), "layer1_1": (64 * wide, 24, 32), "layer2_2": (128 * wide, 12, 16),
        "layer3_2": (256 * wide, 6, 8), "layer4_2": (512 * wide, 3, 4),
    }  # fmt: skip
    assert len(encoder.layers) == 1 + sum(_BLOCKS[name])


def test_the_first_layer_by_hand(weights: tuple[ResNetName, Path]) -> None:
    name, path = weights
    image, state = picture(64, 64), state_of(name)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = F.conv2d((image - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1), state["conv1.weight"], None, 2, 3)
    norm = [state[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    expected = smoothed(F.relu(F.batch_norm(x, *norm)))
    torch.testing.assert_close(load_encoder(name, path)(image, ["conv1"])["conv1"], expected, rtol=1e-3, atol=1e-4)


def test_smoothing_is_a_softmax_over_channels_and_places() -> None:
    features = torch.tensor([0.0, 1.0, 2.0, 5.0]).view(1, 2, 1, 2)
    powers = features.exp()
    torch.testing.assert_close(smoothed(features), 4 * powers / powers.sum())
    peaked = torch.zeros(1, 8, 16, 16)
    peaked[0, 0, 0, 0] = 4.0
    assert float(smoothed(peaked).std()) < float(peaked.div(peaked.mean()).std())


def test_a_picture_can_be_painted_by_its_eyes(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(state_of("resnet18"), path)
    gentle = {"size": 96, "steps": (6,), "learning_rate": 0.01, "start": "content", "precision": "float32"}
    recipe = preset("balanced", encoder="resnet18", **gentle)
    assert recipe.style_layers["layer4_1"] == 0.2
    brief = Brief(regions=[Region(styles=["style"])], engine="optimize", settings=recipe, weights=str(path))
    photo, style = Picture(picture(96, 96, 1)), Picture(picture(96, 96, 2))
    first, *_, last = impasto.paint(photo, brief, {"style": style})
    assert last.losses["style"] < first.losses["style"]
    tiles = brief.model_copy(update={"settings": recipe.model_copy(update={"tile": 128, "size": 512})})
    with pytest.raises(SettingsError, match="leave --tile out"):
        list(impasto.paint(photo, tiles, {"style": style}))


def test_wrong_weights_and_layers_are_refused(weights: tuple[ResNetName, Path], tmp_path: Path) -> None:
    name, path = weights
    with pytest.raises(UnknownName, match="did you mean 'layer1_1'"):
        load_encoder(name, path)(picture(64, 64), ["layer1_11"])
    state = state_of(name)
    for key, change, said in (
        ("layer1.0.conv1.weight", None, "lack 'layer1.0.conv1.weight'"),
        ("bn1.bias", torch.zeros(3), "shape"),
        ("bn1.bias", torch.full((64,), float("nan")), "NaN"),
    ):
        broken = {**state, key: change} if change is not None else {k: v for k, v in state.items() if k != key}
        torch.save(broken, tmp_path / "broken.pth")
        with pytest.raises(WeightsError, match=said):
            load_encoder(name, tmp_path / "broken.pth")


def test_layers_that_are_named_stay() -> None:
    recipe = Recipe.model_validate({"encoder": "resnet50", "style_layers": {"conv1": 1.0}})
    assert recipe.style_layers == {"conv1": 1.0}
    assert set(recipe.content_layers) == {"layer2_2", "layer3_2"}
