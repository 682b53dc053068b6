"""Distilling an encoder: the closed form, the fine-tuning, the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from impasto.encoders.compact import load_compact
from impasto.encoders.encoder import Encoder
from impasto.errors import DivergedError, InputError, WeightsError
from impasto.provenance import Source
from impasto.training.encoder import load_teacher, train_encoder, write_encoder
from impasto.training.fine_tuning import fine_tune
from impasto.training.heads import explained_by_linear_heads, weigh_channels
from impasto.training.in_progress import PaintingsInProgress
from impasto.training.pictures import Crops, find_pictures, split
from impasto.training.prune_and_regress import Teacher, prune_and_regress, select_channels, student_of
from impasto.training.settings import EncoderTraining
from impasto.weights.files import sha256

from door import run
from fakes import picture, tiny_encoder

KEYS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1")


def crops(count: int) -> torch.Tensor:
    noise = torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return torch.cat([picture(64, 64, seed) for seed in range(count)]).add(0.1 * noise).clamp(0, 1)


def test_selection_takes_what_explains_most_and_leaves_the_dead_and_the_doubled() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1000, generator=generator)
    rows = torch.stack([0.1 * a, 3 * a, 0 * a, b, 2 * a + 0.0001 * b])
    assert select_channels(rows @ rows.T, 2) in ([1, 3], [3, 4])
    assert 2 not in select_channels(rows @ rows.T, 5)


def test_a_student_as_wide_as_its_teacher_is_its_teacher() -> None:
    teacher = Teacher([tiny_encoder()])
    *_, (fitted, state) = prune_and_regress(teacher, crops(12), {"1_1": 4, "1_2": 4, "2_1": 6}, ridge=1e-8)
    assert fitted.explained > 0.98
    shares = explained_by_linear_heads(teacher, student_of(state), crops(12), crops(20)[12:], ["relu1_2", "relu2_1"])
    assert min(shares.values()) > 0.95


def test_weighing_channels_changes_nothing_but_their_scale() -> None:
    teacher, encoder = Teacher([tiny_encoder()]), tiny_encoder()
    weighed = weigh_channels(encoder, teacher, crops(4))
    image = picture(40, 40, 99)
    for layer in ("relu1_1", "relu2_1"):
        before, after = encoder(image, [layer])[layer], weighed(image, [layer])[layer]
        ratio = (after / before)[before > 1e-3].view(-1)
        scale = after.sum((2, 3), keepdim=True) / before.sum((2, 3), keepdim=True).clamp_min(1e-9)
        torch.testing.assert_close(after, before * scale, atol=1e-4, rtol=1e-3)
        assert bool((ratio > 0).all())
        assert float(weighed(crops(4), [layer])[layer].square().mean()) == pytest.approx(1, rel=0.05)


@pytest.fixture
def folder(save: Any, tmp_path: Path) -> Path:
    for number in range(24):
        save(f"{number:02}.png", 72, 80, number)
    (tmp_path / "24.jpg").write_text("not a picture")
    return tmp_path


def test_pictures_are_split_once(folder: Path) -> None:
    (paths,) = find_pictures([folder])
    parts = split(paths)
    assert len(paths) == 25
    assert [len(parts.training), len(parts.validation), len(parts.test)] == [22, 1, 2]
    assert sorted(parts.training + parts.validation + parts.test) == paths
    assert split(paths) == parts
    assert split(paths, seed=1) != parts
    (folder / "none").mkdir()
    with pytest.raises(InputError, match="no pictures in"):
        find_pictures([folder / "none"])


def test_crops_are_fixed_by_their_seed_and_skip_what_is_broken(folder: Path) -> None:
    paths = find_pictures([folder])
    drawn = Crops(paths, 64, seed=3)
    first = drawn.draw(150)
    assert first.shape == (150, 3, 64, 64)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert torch.equal(Crops(paths, 64, seed=3).draw(150), first)
    assert [path.name for path in drawn.broken] == ["24.jpg"]
    with pytest.raises(InputError):
        Crops([[folder / "24.jpg"]], 64).draw(1)


def test_enlarged_crops_are_soft(folder: Path) -> None:
    def detail(enlarged: float) -> float:
        return float(
            Crops(find_pictures([folder]), 64, disturbed=0, enlarged=enlarged).draw(60).diff(dim=3).abs().mean()
        )

    assert detail(1.0) < 0.7 * detail(0.0)


def test_crops_can_keep_the_size_of_touches(tmp_path: Path) -> None:
    path = tmp_path / "stripes.png"
    Image.fromarray(np.tile(np.array([0, 255], np.uint8), (256, 128))).save(path)

    def contrast(smallest_scale: float) -> float:
        return float(Crops([[path]], 64, disturbed=0, smallest_scale=smallest_scale).draw(20).std())

    assert contrast(1.0) == pytest.approx(0.5, abs=0.01)
    assert contrast(0.0) < 0.3


def test_the_whole_training(folder: Path, tmp_path: Path) -> None:
    teacher_path = tmp_path / "teacher.safetensors"
    save_file(tiny_encoder(**dict.fromkeys(KEYS, 6)).state(), teacher_path)
    settings = EncoderTraining(crops=16, crop_size=64, steps=3, batch=2, minutes=1)
    teacher = load_teacher([teacher_path])
    steps = list(train_encoder(teacher, [folder], settings))
    assert steps[-1].done == 1
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    out = tmp_path / "out.safetensors"
    assert steps[-1].encoder
    card = write_encoder(steps[-1].encoder, out, teacher, [teacher_path], [folder], settings)
    assert json.loads(out.with_suffix(".json").read_text()) == card
    assert card["sha256"] == sha256(out)
    image = picture(64, 64)
    expected = steps[-1].encoder(image, ["relu5_1"])["relu5_1"]
    torch.testing.assert_close(load_compact(out)(image, ["relu5_1"])["relu5_1"], expected, atol=0.05, rtol=0.05)


@pytest.mark.once_in("float32")
def test_the_command_trains_anew_and_further(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher, first, second = (tmp_path / f"{name}.safetensors" for name in ("teacher", "first", "second"))
    save_file(stack().state(), teacher)
    few = ["--crops", "16", "--crop-size", "64", "--batch", "2", "--steps", "2"]
    command = ["train", "encoder", "--teacher", str(teacher), "--pictures", str(folder), *few]
    widths = "1_1=8,1_2=8,2_1=8,3_1=8,3_4=8,4_1=8,4_2=8,5_1=8"
    assert run(*command, "--widths", widths, "-o", str(first)) == 0
    assert run(*command, "--from", str(first), "-o", str(second)) == 0
    card = json.loads(second.with_suffix(".json").read_text())
    assert card["from"] == Source(name="first.safetensors", sha256=sha256(first)).model_dump()
    assert [*card["architecture"]] == ["1_1", "1_2", "2_1", "3_1", "3_4", "4_1", "4_2", "5_1"]
    assert list(tmp_path.glob("*.partial.*")) == []
    assert run(*command, "--from", "compcat", "-o", str(first), "--force") == 2
    assert "no weights file compcat" in capsys.readouterr().err
    assert run(*command, "--widths", "1_1=8,2_1=8", "-o", str(first), "--force") == 2
    assert "8 or more channels to each of 1_1, 2_1" in capsys.readouterr().err


def stack(seed: int = 0) -> Encoder:
    """An encoder with every layer, from 1_1 to 5_1, whose weights are a little different for each seed."""
    encoder = tiny_encoder(**dict.fromkeys(KEYS, 6))
    generator = torch.Generator().manual_seed(seed)
    state = {key: value * (1 + 0.3 * seed * torch.randn(value.shape, generator=generator)) if "conv" in key else value
             for key, value in encoder.state().items()}  # fmt: skip
    return Encoder(encoder.architecture, state)


def kernel_error(student: Encoder, teacher: Encoder, layer: str) -> float:
    """How far inner products between places of pictures are from the teacher's, whatever their scale."""
    pictures = crops(30)[24:]
    kernels = []
    for encoder in (student, teacher):
        rows = encoder(pictures, [layer])[layer].transpose(0, 1).flatten(1).T[::5]
        kernels.append(rows @ rows.T)
    own, wanted = kernels
    own = own * (own * wanted).sum() / own.square().sum()
    return float((own - wanted).square().sum() / wanted.square().sum())


@pytest.mark.once_in("float32")
def test_fine_tuning_comes_nearer_to_the_teacher(folder: Path) -> None:
    teacher, student = stack(), stack(seed=1)
    before = {layer: kernel_error(student, teacher, layer) for layer in ("relu2_1", "relu3_4", "relu4_1")}
    settings = EncoderTraining(crop_size=64, steps=150, batch=4, learning_rate=2e-3)
    *_, last = fine_tune(student, Teacher([teacher]), Crops(find_pictures([folder]), 64), settings)
    assert last.step == 150
    assert last.done == 1
    after = {layer: kernel_error(last.encoder, teacher, layer) for layer in before}
    assert {layer: after[layer] < 0.7 * before[layer] for layer in before} == dict.fromkeys(before, True), (
        before,
        after,
    )


def test_fine_tuning_that_diverges_says_so(folder: Path) -> None:
    settings = EncoderTraining(crop_size=64, steps=50, batch=2, learning_rate=1e30)
    with pytest.raises(DivergedError, match="lower --learning-rate"):
        list(fine_tune(stack(), Teacher([stack(seed=1)]), Crops(find_pictures([folder]), 64), settings))


@pytest.mark.once_in("float32")
def test_paintings_in_progress_are_painted_by_the_encoder(folder: Path) -> None:
    def begun() -> PaintingsInProgress:
        return PaintingsInProgress(stack(), Crops(find_pictures([folder]), 64, disturbed=0), 3, bfloat16=False)

    paintings = begun()
    pictures = torch.cat([paintings.advance(3) for _ in range(100)])
    assert pictures.shape == (300, 3, 64, 64)
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1
    assert len({picture.sum().item() for picture in pictures}) == 300
    again = begun()
    assert torch.equal(torch.cat([again.advance(3) for _ in range(2)]), pictures[:6])
    again.encoder = stack(seed=1)
    assert not torch.equal(again.advance(3), pictures[6:9])


def test_an_encoder_is_trained_further_from_where_it_is(folder: Path) -> None:
    settings = EncoderTraining(crop_size=64, steps=1, batch=2, learning_rate=1e-7)
    *_, last = train_encoder(Teacher([stack()]), [folder], settings, stack(seed=1))
    assert last.encoder
    torch.testing.assert_close(last.encoder.state(), stack(seed=1).state(), atol=1e-5, rtol=1e-4)


def test_teachers_that_stop_early_are_refused(folder: Path, tmp_path: Path) -> None:
    save_file(tiny_encoder().state(), tmp_path / "short.safetensors")
    teacher = load_teacher([tmp_path / "short.safetensors"])
    with pytest.raises(WeightsError, match="lack relu2_2, relu3_1"):
        list(train_encoder(teacher, [folder], EncoderTraining()))
    with pytest.raises(WeightsError, match="lack relu3_1"):
        list(train_encoder(teacher, [folder], EncoderTraining(), stack()))
