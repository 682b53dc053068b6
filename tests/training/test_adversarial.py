"""Training without pairs: two collections, a game, what comes out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.encoders.compact import load_compact
from impasto.errors import DivergedError, InputError, SettingsError
from impasto.models.critic import FeatureCritic, PatchCritic
from impasto.models.instant import STYLE_LAYERS
from impasto.shelf.card import load_model, read_card
from impasto.training.adversarial import Duel, Pool
from impasto.training.augmentation import augmented
from impasto.training.collection import train_collection
from impasto.training.manner import Memory, pooled
from impasto.training.settings import CollectionTraining

from door import run
from runs import PATIENCE

pytestmark = pytest.mark.usefixtures("few_crops")

QUICK: dict[str, Any] = {
    "batch": 1, "crop_size": 64, "steps": 4, "validate_every": 2, "device": "cpu", "width": 4, "blocks": 1,
    "critic_width": 4, "pool": 2,
}  # fmt: skip


@pytest.fixture
def folders(tmp_path: Path, save: Any) -> tuple[Path, Path]:
    for name in ("photos", "paintings"):
        (tmp_path / name).mkdir()
        for number in range(12):
            save(f"{name}/{number:02}.png", 70, 66, number + (50 if name == "paintings" else 0))
    return tmp_path / "photos", tmp_path / "paintings"


def trained(
    folders: tuple[Path, Path], output: Path, stop: int | None = None, **changes: Any
) -> dict[str, torch.Tensor]:
    """The weights after a whole training, or {} after one that is left at step `stop`."""
    options = {name: changes.pop(name) for name in ("resume", "start") if name in changes}
    settings = CollectionTraining(**{**QUICK, **changes})
    steps = train_collection([folders[0]], [folders[1]], output, settings, **options)
    for report in steps:
        if stop and f"step {stop} " in report.message:
            steps.close()  # type: ignore[attr-defined]
            return {}
    return dict(load_model(output)[1].state_dict())


@pytest.mark.parametrize("changes", [
    {"method": "cut", "generator": "residual", "critic": "patches"},
    {"method": "cyclegan", "generator": "unet", "critic": "patches", "spectral": True, "game": "hinge"},
    {"method": "cyclegan", "generator": "painter", "augmentation": True},
    {"method": "fastcut", "generator": "painter", "r1": 1.0, "game": "logistic", "pool": 0, "steady_weight": 1.0,
     "blotch_weight": 1.0, "smallest_scale": 1.0},
], ids=["cut", "cyclegan", "cyclegan, painter", "fastcut"])  # fmt: skip
def test_a_training_that_was_interrupted_ends_in_the_same_bytes(
    changes: dict[str, Any], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = trained(folders, tmp_path / "whole.impasto", **changes)
    trained(folders, tmp_path / "parts.impasto", stop=3, **changes)
    parts = trained(folders, tmp_path / "parts.impasto", resume=True, **changes)
    assert (tmp_path / "parts.impasto").read_bytes()
    assert all(torch.equal(parts[key], value) for key, value in whole.items())
    (tmp_path / "parts.impasto").unlink()
    again = trained(folders, tmp_path / "parts.impasto", resume=True, **changes)
    assert all(torch.equal(again[key], value) for key, value in whole.items())
    other = trained(folders, tmp_path / "other.impasto", **{**changes, "seed": 1})
    assert not all(torch.equal(other[key], value) for key, value in whole.items())
    test = read_card(tmp_path / "whole.impasto").training["test"]
    assert set(test) == {"manner", "content", "habits", "total"}


@pytest.mark.once_in("float32")
def test_what_was_trained_paints_and_goes_on_from_where_it_is(
    folders: tuple[Path, Path], tmp_path: Path, save: Any
) -> None:
    model, photo = tmp_path / "mine.impasto", save("photo.png", 70, 101)
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    sources = ["--from", folders[0], "--to", folders[1], "--generator", "residual"]
    assert run("train", "collection", *sources, *arguments, "--start", "none", "-o", model) == 0
    assert read_card(model).kind == "translator"
    assert run("paint", photo, model, "-o", tmp_path / "out.png") == 0
    assert (tmp_path / "out.png").is_file()
    assert run("train", "collection", *sources, *arguments, "--start", model, "-o", tmp_path / "more.impasto") == 0
    assert read_card(tmp_path / "more.impasto").training["from"]["name"] == "mine.impasto"


def test_collections_that_cannot_be_used(folders: tuple[Path, Path], tmp_path: Path) -> None:
    photos = folders[0]
    with pytest.raises(InputError, match="12 pictures are in both"):
        trained((photos, photos), tmp_path / "a.impasto")
    shutil.copy(photos / "03.png", folders[1] / "copied.png")
    with pytest.raises(InputError, match=r"1 pictures are in both.*copied\.png"):
        trained(folders, tmp_path / "a.impasto")
    (folders[1] / "copied.png").unlink()
    (tmp_path / "one.txt").write_text("paintings/00.png\n")
    with pytest.raises(InputError, match="holds 1 pictures"):
        trained((photos, tmp_path / "one.txt"), tmp_path / "a.impasto")
    trained(folders, tmp_path / "residual.impasto", generator="residual")
    with pytest.raises(SettingsError, match="kind residual, not unet"):
        trained(folders, tmp_path / "a.impasto", generator="unet", start=tmp_path / "residual.impasto")
    assert not (tmp_path / "a.impasto").exists()


def test_a_network_that_collapsed_is_not_handed_over(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="collapsed"):
        trained(
            folders, tmp_path / "a.impasto", generator="residual", learning_rate=50.0, clip=1e6, warm_up=0, steps=40
        )
    assert not (tmp_path / "a.impasto").exists()


@pytest.mark.once_in("float32")
def test_a_critic_that_won_or_says_the_same_is_told(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for folder, colour in zip(folders, ("black", "white")):
        for path in folder.iterdir():
            Image.new("RGB", (70, 66), colour).save(path)
    plain = {"generator": "residual", "method": "fastcut", "critic": "features", "pool": 0, "steps": 200,
             "validate_every": 200, "warm_up": 0, "game": "hinge"}  # fmt: skip
    with pytest.raises(DivergedError, match=r"The critic has won.*--augmentation"):
        trained(folders, tmp_path / "a.impasto", **plain, learning_rate=1e-5, critic_pace=1e3)
    assert not (tmp_path / "a.impasto").exists()
    playing: Any = SimpleNamespace(settings=CollectionTraining())
    with pytest.raises(DivergedError, match=r"The critic has collapsed.*--critic-pace"):
        Duel.check(playing, [{"back_critic": 2.0}] * 50)
    Duel.check(playing, [{"critic": 0.5 + step / 100} for step in range(50)])


def test_the_pool_gives_back_earlier_pictures() -> None:
    torch.manual_seed(0)
    pool, given = Pool(3, 2), []
    for number in range(20):
        given += pool.exchange(torch.full((1, 3, 2, 2), float(number))).mean((1, 2, 3)).tolist()
    assert given[:3] == [0, 1, 2]
    later = given[3:]
    assert any(number < place + 3 for place, number in enumerate(later))
    assert len(set(later)) == len(later)


def test_statistics_are_remembered_and_gradients_are_of_now() -> None:
    encoder = load_compact()
    first, second = (pooled(encoder(torch.rand(2, 3, 64, 64) * scale, STYLE_LAYERS)) for scale in (1.0, 0.3))
    memory = Memory(first, 0.75)
    assert torch.allclose(memory.joined(first)["relu1_1"]["mean"], first["relu1_1"]["mean"])
    for _ in range(30):
        memory.joined(first)
    now = {
        layer: {name: rows.clone().requires_grad_() for name, rows in named.items()} for layer, named in second.items()
    }
    mixed = memory.joined(now)["relu1_1"]["moment"]
    assert torch.allclose(mixed, first["relu1_1"]["moment"].lerp(second["relu1_1"]["moment"], 0.25), atol=1e-5)
    (slope,) = torch.autograd.grad(mixed.sum(), now["relu1_1"]["moment"])
    assert torch.equal(slope, torch.ones_like(slope))


def test_augmentation_disturbs_and_lets_gradients_through() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(3, 3, 32, 32, requires_grad=True)
    changed = augmented(pictures)
    assert changed.shape == pictures.shape
    assert (changed == 0.5).any((1, 2, 3)).all()
    changed.sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0


def test_each_verdict_of_a_patch_critic_is_on_70_pixels() -> None:
    critic, picture = PatchCritic(4, 2, spectral=True).eval(), torch.rand(1, 3, 160, 160, requires_grad=True)
    fine, coarse = critic({"image": picture})
    assert coarse.shape[2] < fine.shape[2]
    fine[0, 0, 9, 9].backward()
    assert picture.grad is not None
    rows = picture.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_a_feature_critic_weighs_layers_alike() -> None:
    torch.manual_seed(0)
    critic = FeatureCritic({"relu1_1": 3, "relu2_1": 5}, 8)
    seen = {"relu1_1": torch.rand(2, 3, 8, 8) * 100, "relu2_1": torch.rand(2, 5, 4, 4)}
    first, second = critic(seen)
    assert first.shape == (2, 1, 8, 8)
    assert second.shape == (2, 1, 4, 4)
    assert first.std() < 10 * second.std()


@pytest.mark.once_in("float32")
@pytest.mark.parametrize("layout", ["residual", "unet"])
def test_a_translator_as_onnx_paints_the_same(
    layout: str, folders: tuple[Path, Path], save: Any, tmp_path: Path
) -> None:
    model, exported, photo = tmp_path / "a.impasto", tmp_path / "a.onnx", save("photo.png", 61, 90)
    trained(folders, model, generator=layout)
    assert run("export", model, "-o", exported) == 0
    painted = []
    for network in (model, exported):
        output = network.with_suffix(f"{network.suffix}.png")
        assert run("paint", photo, network, "-o", output, "--size", 90, "--precision", "float32") == 0
        painted.append(np.asarray(Image.open(output)).astype(int))
    assert painted[0].std() > 2
    assert np.abs(painted[0] - painted[1]).max() <= 1


@pytest.mark.parametrize("method", ["cyclegan"])
def test_two_processes_play_as_one(method: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "ddp.impasto"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    command = ["train", "collection", "--from", folders[0], "--to", folders[1], "--method", method, *flags,
               "--generator", "residual", "--devices", "2", "-o", output]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "impasto", *map(str, command)],
        capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(output)) == 1
    assert read_card(output).training["settings"]["devices"] == 2


@pytest.mark.once_in("float32")
def test_collections_of_all_kinds_of_pictures(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for number, (mode, size) in enumerate([("RGBA", (40, 300)), ("L", (500, 64)), ("LA", (64, 64)), ("P", (90, 33)),
                                           ("CMYK", (70, 70)), ("I;16", (65, 80)), ("1", (66, 66))]):  # fmt: skip
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.effect_noise(size, 60).convert(mode).save(folders[1] / f"{mode[0]}{number}.{suffix}")
    (folders[1] / "broken.png").write_bytes(b"no picture")
    weights = trained(folders, tmp_path / "a.impasto", steps=8)
    assert all(torch.isfinite(value).all() for value in weights.values())
