"""Training by gradient descent: data, loading, the loop, going on, what comes out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image

from impasto.errors import DivergedError, InputError, OutputError, PictureError, RecordError, SettingsError
from impasto.models.instant import STYLE_LAYERS, Instant, moments
from impasto.models.painter import Painter
from impasto.shelf.card import load_model, read_card
from impasto.shelf.models import find
from impasto.training.instant import extended, tell_apart, train_instant
from impasto.training.loading import Loader
from impasto.training.loop import learning_rate
from impasto.training.painter import train_painter, widened
from impasto.training.pictures import Crops, find_pictures, split
from impasto.training.run_folder import RunFolder
from impasto.training.settings import InstantTraining, PainterTraining, Training
from impasto.training.task import Choice
from impasto.weights.fetch import cache_folder

from door import run
from runs import PATIENCE

pytestmark = pytest.mark.usefixtures("few_crops")

QUICK: dict[str, Any] = {"batch": 2, "crop_size": 64, "steps": 4, "validate_every": 2, "device": "cpu"}


@pytest.fixture
def folder(tmp_path: Path, save: Any) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(24):
        save(f"photos/{number:02}.png", 72, 80, number)
    return photos


@pytest.fixture
def style(save: Any) -> Path:
    return save("style.png", 96, 96, 77)


def test_a_crop_depends_on_its_number_alone(folder: Path) -> None:
    paths = find_pictures([folder])
    one, other = (Crops(paths, 64, seed=3, disturbed=0.5) for _ in range(2))
    first = one.batch(range(8))
    other.batch([5, 2])
    assert torch.equal(other.batch(range(8)), first)
    assert torch.equal(one.draw(8), first)
    assert not torch.equal(Crops(paths, 64, seed=4).batch(range(8)), first)


def test_loading_in_threads_and_processes_draws_every_crop_once(folder: Path) -> None:
    crops = Crops(find_pictures([folder]), 64, disturbed=0.0)
    alone = [indices for indices, _ in zip(range(6), Loader(crops, 2).batches())]
    assert alone == list(range(6))
    seen = []
    for rank in range(2):
        batches = Loader(crops, 2, workers=3, rank=rank, world=2).batches(start=1)
        for _ in range(2):
            indices, batch = next(batches)
            assert torch.equal(batch, crops.batch(indices))
            seen += list(indices)
        batches.close()  # type: ignore[attr-defined]
    assert sorted(seen) == list(range(4, 12))


def test_archives_and_lists(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "00.png", "../../escaped.png")
        archive.write(folder / "01.png", "deep/inside.png")
        archive.writestr("notes.txt", "no picture")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tape:
        tape.add(folder / "02.png", "/absolute.png")
    (tmp_path / "list.txt").write_text("photos/03.png\nphotos/04.png\n")
    (tmp_path / "list.csv").write_text("path,artist\nphotos/05.png,somebody\n")
    zipped, taped, listed, tabled = find_pictures(
        [tmp_path / name for name in ("a.zip", "b.tar.gz", "list.txt", "list.csv")]
    )
    assert [len(paths) for paths in (zipped, taped, listed, tabled)] == [2, 1, 2, 1]
    assert not (tmp_path.parent / "escaped.png").exists()
    assert find_pictures([tmp_path / "a.zip"]) == [zipped]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (*zipped, *taped, *listed, *tabled))
    (tmp_path / "c.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:300])
    with pytest.raises(InputError, match="cannot be unpacked"):
        find_pictures([tmp_path / "c.zip"])


def test_choices_mix_some_styles() -> None:
    choice = Choice.draw(range(400), 5, seed=0)
    assert set(choice.styles.flatten().tolist()) == set(range(5))
    assert 60 < int((choice.mixture > 0).sum()) < 140
    rows = choice.mix(torch.eye(5))
    assert torch.allclose(rows.sum(1), torch.ones(400))


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0)])
def test_the_learning_rate(schedule: Any, half: float) -> None:
    settings = Training(learning_rate=1.0, warm_up=10, schedule=schedule)
    assert learning_rate(settings, 4, 0.0) == pytest.approx(0.5)
    assert learning_rate(settings, 500, 0.5) == pytest.approx(half)


def instant(folder: Path, output: Path, **changes: Any) -> dict[str, torch.Tensor]:
    settings = InstantTraining(**{**QUICK, **changes})
    resume = changes.get("steps", 0) == 4 and output.with_name(f"{output.stem}.training").exists()
    for _ in train_instant([folder], [folder], output, settings, resume=resume):
        pass
    return torch.load(output.with_name(f"{output.stem}.training") / "checkpoint.pt", weights_only=True)


def test_resuming_gives_the_same_bits(folder: Path, tmp_path: Path) -> None:
    through = instant(folder, tmp_path / "through.impasto", accumulate=2, schedule="constant", workers=2)
    instant(folder, tmp_path / "halves.impasto", accumulate=2, schedule="constant", steps=3)
    halves = instant(folder, tmp_path / "halves.impasto", accumulate=2, schedule="constant", steps=4)
    assert through["step"] == halves["step"] == 4
    for part in ("task", "average"):
        for key, value in through[part].items():
            assert torch.equal(value, halves[part][key]), key
    assert torch.equal(through["random"], halves["random"])
    assert through["best"][0] == halves["best"][0]
    assert (tmp_path / "through.impasto").read_bytes()[5000:] == (tmp_path / "halves.impasto").read_bytes()[5000:]


def test_a_painter_learns(folder: Path, style: Path, tmp_path: Path) -> None:
    settings = PainterTraining(**{**QUICK, "steps": 40, "learning_rate": 0.01, "warm_up": 2, "validate_every": 10})
    output = tmp_path / "one.impasto"
    reports = list(train_painter([style], output, settings, photos=[folder]))
    first, last = (float(report.message.split("style ")[1].split()[0]) for report in (reports[0], reports[-1]))
    assert last < 0.8 * first
    card, _ = load_model(output)
    assert card.styles == ("style",)
    assert card.training["test"]["style"] < first
    assert (card.encoder.name, card.training["judge"]["name"]) == ("compact.safetensors", "compact2.safetensors")
    assert [path.name for path in (tmp_path / "one.training").glob("events*")]

    more = tmp_path / "more.impasto"
    other = style.with_name("other.png")
    Image.open(style).rotate(90).save(other)
    quick = PainterTraining(**QUICK)
    list(train_painter([style, other], more, quick, photos=[folder], start=output))
    assert read_card(more).styles == ("style", "other")
    assert read_card(more).training["from"]["name"] == "one.impasto"
    with pytest.raises(SettingsError, match="a painter goes on from another painter"):
        list(train_painter([style], more, quick, photos=[folder], start=find("instant")))


def test_a_widened_painter_paints_as_before_and_its_new_channels_learn() -> None:
    learned = Painter({"relu3_1": 12}, 3, widths=(8, 8, 8, 8), blocks=1)
    wide = widened(learned, (12, 8, 16, 10))
    seen, mixture = {"relu3_1": torch.rand(1, 12, 24, 32)}, torch.tensor([[0.2, 0.5, 0.3]])
    with torch.no_grad():
        before, after = (network.eval()(seen, network.style(mixture)) for network in (learned, wide))
    assert float((before - after).abs().max()) < 1e-5
    wide(seen, wide.style(mixture)).square().sum().backward()
    for layer, new in ((wide.stages[1], slice(8, 12)), (wide.stages[-1], slice(8, 16))):
        assert float(layer.convolution.weight.grad[:8, new].abs().mean()) > 0
    assert float(wide.output.weight.grad[:, 8:].abs().mean()) > 0
    with pytest.raises(SettingsError, match=r"widths \[8, 8, 8, 8\], which can only grow; not \[8, 8, 8, 4\]"):
        widened(learned, (8, 8, 8, 4))


def test_a_wider_reader_reads_as_before_and_its_new_units_tell_styles_apart() -> None:
    learned = Instant(dict.fromkeys(STYLE_LAYERS, 6), widths=(8, 6, 6, 5, 4, 4, 4), reader=16, blocks=1)
    strong = torch.linspace(0.5, 3, 40).view(40, 1, 1, 1)
    features = {layer: (strong * torch.rand(40, 6, 5, 5)).flatten(2) for layer in STYLE_LAYERS}
    styles = {
        layer: {"mean": seen.mean(2), "moment": seen @ seen.mT / seen.shape[2]} for layer, seen in features.items()
    }
    wide = extended(learned, 40, 1)
    tell_apart(styles, wide, 16)
    before, after = learned.style(styles), wide.style(styles)
    for one, other in zip([*before.scales, *before.shifts], [*after.scales, *after.shifts]):
        assert torch.allclose(one, other, atol=1e-6)
    old, new = (wide.reader[0](moments(styles))[:, units] for units in (slice(16), slice(16, None)))
    alike = [seen.T.corrcoef().abs().mean() for seen in (old, new)]
    assert torch.allclose(new.std(0), torch.ones(24), atol=1e-3)
    assert alike[1] < 0.7 * alike[0]
    sum(scale.square().sum() for scale in after.scales).backward()  # type: ignore[union-attr]
    assert all(head.weight.grad[:, 16:].abs().mean() > 0 for head in wide.heads)
    with pytest.raises(SettingsError, match="has --reader 16, which can only grow; not 12"):
        extended(learned, 12, 1)


def test_content_counts_for_each_style_as_it_is_told(folder: Path, style: Path, save: Any, tmp_path: Path) -> None:
    styles, only_content = [style, save("other.png", 96, 96, 78)], {"style_weight": 0.0, "grid_weight": 0.0, "steps": 1}

    def tested(**weights: Any) -> dict[str, float]:
        settings = PainterTraining(**{**QUICK, **only_content, **weights})
        list(train_painter(styles, tmp_path / "p.impasto", settings, photos=[folder]))
        shutil.rmtree(tmp_path / "p.training")
        test: dict[str, float] = read_card(tmp_path / "p.impasto").training["test"]
        return test

    both = tested(content_weight=1.0)
    other = tested(content_weight=1.0, content_weights={"style": 0.0})
    assert both["total"] == pytest.approx(both["content"], rel=1e-2)
    assert 0.2 * other["content"] < other["total"] < 0.8 * other["content"]
    with pytest.raises(SettingsError, match="no style to be learned called 'stile'; did you mean 'style'"):
        tested(content_weights={"stile": 1.0})


@pytest.mark.once_in("float32")
def test_it_stops_when_nothing_gets_better(folder: Path, style: Path, tmp_path: Path) -> None:
    settings = PainterTraining(**{**QUICK, "steps": 50, "learning_rate": 1e-12, "patience": 2, "validate_every": 1})
    reports = list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
    assert len(reports) < 10


def test_a_steady_painter_moves_less_when_its_photo_is_disturbed(folder: Path, style: Path, tmp_path: Path) -> None:
    def unsteady(weight: float, disturbance: str) -> float:
        how: dict[str, Any] = {"steady_weight": weight, "disturbance": disturbance, "epsilon": 16.0}
        settings = PainterTraining(**{**QUICK, "steps": 8, "warm_up": 0, **how})
        reports = list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
        shutil.rmtree(tmp_path / "p.training")
        return float(reports[-1].message.split("unsteady ")[1].split()[0])

    usual = unsteady(1e-9, "fgsm")
    assert unsteady(1e-9, "noise") < usual
    assert unsteady(20.0, "fgsm") < 0.95 * usual


def test_nan_stops_and_keeps_the_last_checkpoint(folder: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.impasto"
    settings = PainterTraining(**{**QUICK, "steps": 60, "learning_rate": 1e30, "warm_up": 0, "clip": 1e30,
                                  "checkpoint_minutes": 1e-9})  # fmt: skip
    with pytest.raises(DivergedError, match="lower --learning-rate"):
        list(train_painter([style], output, settings, photos=[folder]))
    assert not output.exists()
    state = torch.load(tmp_path / "p.training" / "checkpoint.pt", weights_only=True)
    assert state["step"] >= 1


@pytest.mark.once_in("float32")
def test_other_settings_and_damaged_checkpoints_are_refused(folder: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.impasto"
    list(train_painter([style], output, PainterTraining(**QUICK), photos=[folder]))
    other = PainterTraining(**{**QUICK, "learning_rate": 0.5, "content_weight": 3.0, "seed": 1})
    with pytest.raises(RecordError, match=r"other settings \(content_weight, seed\)"):
        list(train_painter([style], output, other, photos=[folder], resume=True))
    (tmp_path / "p.training" / "checkpoint.pt").write_bytes(b"PK nothing")
    with pytest.raises(RecordError, match="is damaged"):
        list(train_painter([style], output, PainterTraining(**QUICK), photos=[folder], resume=True))


@pytest.mark.once_in("float32")
def test_bad_sources(folder: Path, style: Path, save: Any, tmp_path: Path) -> None:
    settings, output = PainterTraining(**QUICK), tmp_path / "p.impasto"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures in"):
        list(train_painter([style], output, settings, photos=[tmp_path / "empty"]))
    few = tmp_path / "few"
    few.mkdir()
    (folder / "00.png").rename(few / "00.png")
    with pytest.raises(InputError, match="holds 1 pictures; a training needs 21"):
        list(train_painter([style], output, settings, photos=[few]))
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    with pytest.raises(PictureError, match="all one colour"):
        list(train_painter([tmp_path / "red.png"], output, settings, photos=[folder]))
    with pytest.raises(SettingsError, match="two are called style"):
        list(train_painter([style, style], output, settings, photos=[folder]))
    (few / "00.png").rename(folder / "00.png")
    for path in split(find_pictures([folder])[0]).training[:12]:
        path.write_bytes(path.read_bytes()[:80])
    reports = list(train_painter([style], output, settings, photos=[folder]))
    assert "broken pictures" in reports[-1].message


FLAGS = ["--batch", 2, "--crop-size", 64, "--device", "cpu"]


@pytest.mark.once_in("float32")
def test_an_interrupt_keeps_a_checkpoint_that_can_be_resumed(folder: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.impasto"
    command = ["train", "painter", "--style", style, "--photos", folder, "--from", "none", "-o", output, *FLAGS]
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", *map(str, command), "--steps", "100000"], stderr=subprocess.PIPE, text=True
    )
    events = tmp_path / "p.training"
    for _ in range(1200):
        if list(events.glob("events*")):
            break
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "--resume goes on" in told
    steps = torch.load(events / "checkpoint.pt", weights_only=True)["step"]
    assert steps >= 1
    assert run(*command, "--steps", steps + 2) == 2
    assert run(*command, "--steps", steps + 2, "--resume") == 0
    assert read_card(output).training["steps"] == steps + 2


def test_two_processes_train_as_one(folder: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "ddp.impasto"
    command = ["train", "painter", "--style", style, "--photos", folder, "--from", "none", "-o", output, *FLAGS]
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "impasto", *map(str, command), "--steps", "3", "--devices", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    try:
        told, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # each says where it stands
        told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert told.count(str(output)) == 1
    assert read_card(output).training["settings"]["devices"] == 2

    alone = tmp_path / "alone.impasto"
    settings = PainterTraining(**{**QUICK, "batch": 4, "steps": 3, "validate_every": 250})
    list(train_painter([style], alone, settings, photos=[folder]))
    together = torch.load(tmp_path / "ddp.training" / "checkpoint.pt", weights_only=True)["task"]
    apart = torch.load(tmp_path / "alone.training" / "checkpoint.pt", weights_only=True)["task"]
    for key, value in apart.items():
        assert torch.allclose(together[key], value, atol=2e-2), key


def test_what_the_door_refuses(folder: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "painter", "--style", style, "--photos", folder, *FLAGS, "--steps", 1, "--from"]
    assert run(*command, "none", "-o", tmp_path / "p.txt") == 2
    assert "ends in .impasto" in capsys.readouterr().err
    assert run(*command, "nothing", "-o", tmp_path / "p.impasto") == 2
    assert "no model on the shelf" in capsys.readouterr().err
    (tmp_path / "mine.impasto").write_bytes(find("looks").read_bytes())
    assert run(*command, tmp_path / "mine.impasto", "-o", tmp_path / "mine.impasto", "--force") == 2
    assert "one of the inputs" in capsys.readouterr().err
    assert run(*command, "none", "-o", tmp_path / "p.impasto", "--resume") == 2
    assert "no training to resume" in capsys.readouterr().err
    assert run(*command, "none", "-o", tmp_path / "p.impasto", "--clip", 0) == 2
    assert "The setting clip is" in capsys.readouterr().err
    assert run(*command, "none", "-o", tmp_path / "p.impasto", "--widths", 96, "--widths", 64) == 2
    assert "The setting widths is ['96', '64'], but must be four numbers from 8 to 512" in capsys.readouterr().err
    narrow = [part for width in (64, 64, 32, 8) for part in ("--widths", width)]
    assert run(*command, find("looks"), "-o", tmp_path / "p.impasto", *narrow) == 2
    assert "which can only grow; not [64, 64, 32, 8]" in capsys.readouterr().err
    assert not list(tmp_path.glob("p.*"))
    assert json.loads(PainterTraining().model_dump_json())["style_scale"] == 1.0


def test_lists_and_archives_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("photos/Käse.png\n".encode("latin-1"))
    with pytest.raises(InputError, match="save it as text in UTF-8"):
        find_pictures([tmp_path / "latin.txt"])
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as archive:
        archive.write(folder / "00.png", "a.png")
    packed = bytearray((tmp_path / "locked.zip").read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(header) + flags] |= 1  # encrypted, it says
    (tmp_path / "locked.zip").write_bytes(packed)
    with pytest.raises(InputError, match="without a password"):
        find_pictures([tmp_path / "locked.zip"])
    (folder / "gone.png").symlink_to(tmp_path / "nothing.png")
    assert len(find_pictures([folder])[0]) == 24


@pytest.mark.once_in("float32")
def test_two_processes_may_unpack_one_archive(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    code = (
        "import sys, pathlib; from impasto.training.pictures import find_pictures; "
        "print(len(find_pictures([pathlib.Path(sys.argv[1])])[0]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.zip")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=PATIENCE)[0] for process in both] == ["24\n"] * 3
    (unpacked,) = (cache_folder() / "archives").iterdir()
    assert len(list(unpacked.iterdir())) == 24


@pytest.mark.once_in("float32")
def test_the_time_limit_is_that_of_the_whole_command(folder: Path, style: Path, tmp_path: Path) -> None:
    settings = PainterTraining(**{**QUICK, "steps": 10_000, "minutes": 0.001})
    reports = list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
    assert len(reports) == 1
    assert read_card(tmp_path / "p.impasto").training["steps"] == 1
    described = InstantTraining(**{**QUICK, "steps": 10_000, "minutes": 0.0001})
    steps = [
        one for one in train_instant([folder], [folder], tmp_path / "i.impasto", described) if "step" in one.message
    ]
    assert len(steps) == 1


def test_faults_are_found_before_the_work(folder: Path, tmp_path: Path) -> None:
    settings = InstantTraining(**QUICK)
    steps = train_instant([folder], [folder], tmp_path / "i.impasto", settings, start=find("looks"))
    with pytest.raises(SettingsError, match="goes on from another instant network"):
        next(iter(steps))
    assert not (tmp_path / "i.training").exists()


def test_a_training_that_came_to_nothing_leaves_nothing(folder: Path, style: Path, tmp_path: Path) -> None:
    settings = PainterTraining(**{**QUICK, "steps": 60, "learning_rate": 1e30, "warm_up": 0, "clip": 1e30})
    with pytest.raises(DivergedError):
        list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
    assert not [*tmp_path.glob("p.*")]


@pytest.mark.once_in("float32")
def test_checkpoints_that_cannot_be_written_now_may_be_later(
    folder: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OutputError("The disk is full.")

    save, calls = RunFolder.save, []

    def sometimes(self: Any, progress: Any) -> None:
        calls.append(progress.step)
        (full if len(calls) < 3 else save)(self, progress)

    monkeypatch.setattr(RunFolder, "save", sometimes)
    settings = PainterTraining(**{**QUICK, "checkpoint_minutes": 1e-9})
    list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
    assert caplog.text.count("No checkpoint: The disk is full.") == 2
    assert (tmp_path / "p.training" / "checkpoint.pt").is_file()


def test_a_network_learns_not_to_weave_not_to_blotch_and_not_to_swim(folder: Path, style: Path, tmp_path: Path) -> None:
    for name, weight in (("grid", "grid_weight"), ("blotches", "blotch_weight"), ("shift", "shift_weight")):
        only = {"style_weight": 0.0, "content_weight": 0.0, "grid_weight": 0.0, weight: 1.0}
        settings = PainterTraining(
            **{**QUICK, "steps": 40, "validate_every": 10, "warm_up": 0, "learning_rate": 0.01, **only}
        )
        reports = list(train_painter([style], tmp_path / f"{name}.impasto", settings, photos=[folder]))
        first, mean = (float(one.message.split(f"{name} ")[1].split()[0]) for one in (reports[0], reports[-1]))
        assert mean < 0.8 * first
        test = read_card(tmp_path / f"{name}.impasto").training["test"]
        assert name == "shift" or 0 < test["total"] == pytest.approx(test[name], abs=1e-4)


@pytest.mark.once_in("float32")
@pytest.mark.parametrize("leaving", ["nan", "interrupt", "death"])
def test_processes_that_train_together_end_together(folder: Path, style: Path, tmp_path: Path, leaving: str) -> None:
    output = tmp_path / "p.impasto"
    flags = ["--batch", 1, "--crop-size", 64, "--device", "cpu", "--devices", 2, "--checkpoint-minutes", 0.01]
    flags += ["--learning-rate", 1e30, "--warm-up", 0, "--clip", 1e30] if leaving == "nan" else []
    command = ["train", "painter", "--style", style, "--photos", folder, "--from", "none", "-o", output, *flags]
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", *map(str, command), "--steps", "100000"],
        stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    checkpoint = tmp_path / "p.training" / "checkpoint.pt"
    for _ in range(600):
        if checkpoint.is_file() or leaving == "nan":
            break
        time.sleep(0.1)
    if leaving == "interrupt":
        process.send_signal(signal.SIGINT)  # the first process alone
    if leaving == "death":
        psutil.Process(process.pid).children(recursive=True)[0].kill()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == (130 if leaving == "interrupt" else 2), told
    wanted = {"nan": "The loss became nan", "interrupt": "--resume goes on", "death": "Another process"}[leaving]
    assert wanted in told
    if leaving != "nan":
        assert torch.load(checkpoint, weights_only=True)["step"] >= 1


def test_a_training_that_came_to_nothing_leaves_a_folder_that_was_there(
    folder: Path, style: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.training").mkdir()
    (tmp_path / "p.training" / "notes.txt").write_text("precious")
    settings = PainterTraining(**{**QUICK, "steps": 60, "learning_rate": 1e30, "warm_up": 0, "clip": 1e30})
    with pytest.raises(DivergedError):
        list(train_painter([style], tmp_path / "p.impasto", settings, photos=[folder]))
    assert (tmp_path / "p.training" / "notes.txt").read_text() == "precious"
