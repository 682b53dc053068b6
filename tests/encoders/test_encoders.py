"""Encoders: names, weights in every convention, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from impasto.encoders import load_encoder
from impasto.encoders.compact import CompactName, load_compact, shipped_weights
from impasto.encoders.encoder import Architecture, Encoder
from impasto.encoders.normalise import natural_picture
from impasto.encoders.vgg import VGG16, VGG19, load_vgg
from impasto.errors import UnknownName, WeightsError

from fakes import picture, tiny_encoder

CAFFE_MEAN = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)


def first_block(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of VGG's first two convolutions."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "conv1_1.weight": torch.randn(64, 3, 3, 3, generator=generator) * 0.1,
        "conv1_1.bias": torch.randn(64, generator=generator),
        "conv1_2.weight": torch.randn(64, 64, 3, 3, generator=generator) * 0.05,
        "conv1_2.bias": torch.randn(64, generator=generator),
    }


def by_position(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names that torchvision gives."""
    names = {"conv1_1": "features.0", "conv1_2": "features.2"}
    return {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": value for key, value in state.items()}


def test_tables_have_the_published_layers() -> None:
    assert len(VGG19.convolutions) == 16
    assert len(VGG16.convolutions) == 13
    assert VGG19.layers()[:5] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]
    assert VGG19.layers()[-1] == "relu5_4"
    assert VGG16.layers()[-1] == "relu5_3"


def test_features_have_names_and_halve_by_block() -> None:
    features = tiny_encoder()(picture(32, 40), ["relu1_1", "conv2_1", "pool1"])
    assert {name: tuple(value.shape) for name, value in features.items()} == {
        "relu1_1": (1, 4, 32, 40),
        "pool1": (1, 4, 16, 20),
        "conv2_1": (1, 6, 16, 20),
    }


def test_a_pre_activation_survives_the_relu_after_it() -> None:
    features = tiny_encoder()(picture(32, 32), ["conv1_1", "relu1_1"])
    assert float(features["conv1_1"].min()) < 0
    torch.testing.assert_close(features["conv1_1"].relu(), features["relu1_1"])


def test_poolings() -> None:
    state = {f"{key.removeprefix('convolutions.')}": value for key, value in tiny_encoder().state_dict().items()}
    architecture = tiny_encoder().architecture
    pooled = {}
    for pooling in ("max", "average", "l2"):
        features = Encoder(architecture, state, pooling)(picture(8, 8), ["relu1_2", "pool1"])
        pooled[pooling] = features["pool1"]
    blocks = features["relu1_2"].unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    torch.testing.assert_close(pooled["max"], blocks.amax(4))
    torch.testing.assert_close(pooled["average"], blocks.mean(4))
    torch.testing.assert_close(pooled["l2"], blocks.square().mean(4).sqrt(), atol=2e-6, rtol=1e-4)
    with pytest.raises(UnknownName, match="did you mean 'average'"):
        Encoder(architecture, state, "averge")  # type: ignore[arg-type]


def test_both_conventions_mean_the_same_network(tmp_path: Path) -> None:
    state, image = first_block(), picture(24, 24)
    save_file(state, tmp_path / "named.safetensors")
    torch.save(by_position(state), tmp_path / "positions.pth")
    expected = torch.nn.functional.conv2d(
        image * 255 - CAFFE_MEAN, state["conv1_1.weight"], state["conv1_1.bias"], padding=1
    )
    named = load_vgg("vgg19", tmp_path / "named.safetensors")(image, ["conv1_1"])["conv1_1"]
    torch.testing.assert_close(named, expected, atol=1e-3, rtol=1e-4)

    state["conv1_1.weight"] = state["conv1_1.weight"].flip(1)
    torch.save(by_position(state), tmp_path / "bgr.pth")
    caffe = load_vgg("vgg16", tmp_path / "bgr.pth", convention="caffe")(image, ["conv1_1"])["conv1_1"]
    torch.testing.assert_close(caffe, expected, atol=1e-3, rtol=1e-4)

    normalised = (image - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(normalised, state["conv1_1.weight"].flip(1), state["conv1_1.bias"], padding=1)
    seen = load_vgg("vgg19", tmp_path / "positions.pth")(image, ["conv1_1"])["conv1_1"]
    torch.testing.assert_close(seen, expected, atol=1e-4, rtol=1e-4)


def test_weights_that_stop_early_have_fewer_layers(tmp_path: Path) -> None:
    save_file(first_block(), tmp_path / "short.safetensors")
    encoder = load_vgg("vgg19", tmp_path / "short.safetensors")
    assert encoder.layers[-1] == "relu1_2"
    with pytest.raises(UnknownName, match="no layer of the vgg19 encoder called 'relu4_1'"):
        encoder(picture(32, 32), ["relu4_1"])


@pytest.mark.parametrize("name", ["compact", "compact2"])
def test_compact_is_small_and_sees_in_proportion(name: CompactName) -> None:
    assert shipped_weights()[name].stat().st_size <= 4_000_000
    encoder = load_compact(name=name)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    with torch.inference_mode():
        features = encoder(picture(128, 160), layers)
    for layer in layers:
        assert 0.05 < float(features[layer].square().mean()) < 20, layer


def test_compact_has_no_border_of_its_own() -> None:
    with torch.inference_mode():
        flat = load_compact()(torch.full((1, 3, 64, 64), 0.5), ["relu5_1"])["relu5_1"]
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat), atol=1e-4, rtol=1e-4)


def test_weights_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        load_vgg("vgg19", tmp_path / "missing.pth")
    with pytest.raises(WeightsError, match="impasto weights get vgg19"):
        load_encoder("vgg19")
    with pytest.raises(UnknownName, match="did you mean 'vgg19'"):
        load_encoder("vgg18")  # type: ignore[arg-type]

    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsError, match="not an intact safetensors"):
        load_compact(tmp_path / "text.safetensors")

    state = first_block()
    state["conv1_2.weight"] = state["conv1_2.weight"][:32]
    save_file(state, tmp_path / "shape.safetensors")
    with pytest.raises(WeightsError, match=r"\(32, 64, 3, 3\), expected \(64, 64, 3, 3\)"):
        load_vgg("vgg19", tmp_path / "shape.safetensors")

    save_file({"other": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    for load in (load_compact, lambda path: load_vgg("vgg19", path)):
        with pytest.raises(WeightsError, match="keys like"):
            load(tmp_path / "foreign.safetensors")

    state = {**first_block(), "conv1_1.bias": torch.full((64,), float("nan"))}
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="NaN"):
        load_vgg("vgg19", tmp_path / "nan.safetensors")


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "sprung"),)  # type: ignore[return-value]

    with (tmp_path / "trap.pth").open("wb") as file:
        pickle.dump({"conv1_1.weight": Trap()}, file)
    torch.save({"conv1_1.weight": Trap()}, tmp_path / "trap2.pth")
    for name in ("trap.pth", "trap2.pth"):
        with pytest.raises(WeightsError, match="more than tensors"):
            load_vgg("vgg19", tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_truncation_keeps_order() -> None:
    short = VGG19.truncated(["1_1", "1_2", "3_1"])
    assert list(short.convolutions) == ["1_1", "1_2"]
    assert isinstance(short, Architecture)


@pytest.mark.parametrize("padding_mode", ["reflect", "zeros"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("height", [12, 16, 17, 19, 24])
@pytest.mark.parametrize("large", [False, True])
def test_the_gradient_of_fixed_weights_is_that_of_the_modules(
    padding_mode: Any, pooling: Any, height: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.encoders.encoder.IN_STRIPS_BEYOND", 0 if large else 10**9)
    monkeypatch.setattr("impasto.encoders.encoder._STRIP", 8)
    encoder = tiny_encoder()
    architecture = Architecture("tiny", encoder.architecture.convolutions, padding_mode)
    state = {key.removeprefix("convolutions."): value for key, value in encoder.state_dict().items()}
    fixed, free = Encoder(architecture, state, pooling), Encoder(architecture, state, pooling).requires_grad_()
    seen, gradients = [], []
    for each in (fixed, free):
        image = picture(height, 13).requires_grad_()
        features = each(image, ["relu1_1", "relu2_1"])
        loss = features["relu1_1"].square().sum() + features["relu2_1"].pow(3).sum()
        gradients.append(torch.autograd.grad(loss, image)[0])
        seen.append(features["relu2_1"])
    torch.testing.assert_close(*seen)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("large", [False, True])
def test_gradients_in_bfloat16_point_the_same_way(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.encoders.encoder.IN_STRIPS_BEYOND", 0 if large else 10**9)
    gradients = []
    for enabled in (False, True):
        image = picture(24, 20).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            features = tiny_encoder()(image, ["relu1_1", "relu2_1"])
        loss = sum(value.float().square().sum() for value in features.values())
        gradients.append(torch.autograd.grad(loss, image)[0].flatten())
    assert gradients[1].dtype == torch.float32
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.99


def test_normalising_scales_layers_and_nothing_else(tmp_path: Path) -> None:
    save_file(first_block(), tmp_path / "named.safetensors")
    plain = load_vgg("vgg19", tmp_path / "named.safetensors")
    scaled = load_encoder("vgg19", tmp_path / "named.safetensors")
    for layer in ("relu1_1", "relu1_2"):
        before, after = (encoder(picture(32, 32), [layer])[layer] for encoder in (plain, scaled))
        ratio = after.norm() / before.norm()
        torch.testing.assert_close(after, before * ratio, atol=1e-4, rtol=1e-3)
        assert float(scaled(natural_picture(), [layer])[layer].square().mean()) == pytest.approx(1, rel=1e-3)
