"""Settings found by trial."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from impasto.errors import RecordError, SettingsError, UnknownName
from impasto.presets import read_settings
from impasto.search.axis import Axis
from impasto.search.painting import PaintingSubject
from impasto.search.study import Search
from impasto.settings import Recipe
from impasto.shelf.card import read_card

from door import run

pytestmark = pytest.mark.once_in("float32")

QUICK = Recipe(
    size=64, steps=(3,), pyramid=False, start="content", device="cpu", encoder="compact", content_weight=0.16
)


def test_axes() -> None:
    assert Axis.parse("content_weight=0.03:0.6", Recipe) == Axis("content_weight", 0.03, 0.6)
    assert Axis.parse("--style-scale=0.5:2", Recipe) == Axis("style_scale", 0.5, 2.0)
    assert Axis.parse("color=style,match", Recipe).choices == ("style", "match")
    assert Axis.parse("jitter=true,false", Recipe).choices == (True, False)
    assert Axis.parse("size=64:128", Recipe).whole
    with pytest.raises(UnknownName, match="content_weight"):
        Axis.parse("content_wieght=0:1", Recipe)
    for wrong in ("content_weight=1", "content_weight=2:1", "color=style,red", "steps=1:2", "style_layers=a,b"):
        with pytest.raises(SettingsError, match="Expected a range"):
            Axis.parse(wrong, Recipe)


def search(folder: Path, save: Any, *objectives: str, **changes: Any) -> Search:
    content, style = save("c.png", 64, 80, 1), save("s.png", 70, 60, 2)
    axes = [Axis.parse("content_weight=0.01:5", Recipe), Axis.parse("color=style,content", Recipe)]
    base = QUICK.model_copy(update=changes)
    return Search(PaintingSubject(content, style, base), axes, objectives or ("style", "content"), folder / "s.sqlite")


def test_what_is_chosen_is_nowhere_worse_than_the_base(tmp_path: Path, save: Any) -> None:
    job = search(tmp_path, save)
    tried = list(job.run(8, time.monotonic() + 100))
    assert [one.done for one in tried] == list(range(1, 9))
    assert tried[0].settings == {"content_weight": QUICK.content_weight, "color": "style"}
    assert len({tuple(one.settings.items()) for one in tried}) == 8
    chosen = job.chosen()
    assert all(chosen.values[name] <= tried[0].values[name] + 1e-9 for name in ("style", "content"))
    assert chosen.done in {one.done for one in job.front()} | {0}
    for one in job.front():
        better = [other for other in tried if all(other.values[n] < one.values[n] for n in ("style", "content"))]
        assert not better
    assert list(job.run(8, time.monotonic() + 100)) == []
    more = list(search(tmp_path, save).run(10, time.monotonic() + 100))
    assert [one.done for one in more] == [9, 10]
    with pytest.raises(RecordError, match="something else"):
        search(tmp_path, save, "ssim").open()


class Valley:
    """Something to search whose best settings are known."""

    axes, objectives = ("strength=0:1",), ("left", "right")
    measures: ClassVar = {"left": "lower", "right": "higher"}
    base = QUICK

    def check(self) -> None:
        pass

    def identity(self) -> list[object]:
        return ["valley"]

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        assert isinstance(settings, Recipe)
        yield from [{"left": settings.strength**2 + 1, "right": 2 - settings.strength}] * (len(looks) + 1)


def test_lower_and_higher_are_told_apart(tmp_path: Path) -> None:
    job = Search(Valley(), [Axis.parse("strength=0:1", Recipe)], ("left", "right"), tmp_path / "s.sqlite")
    tried = list(job.run(12, time.monotonic() + 100))
    best = min(tried, key=lambda one: one.settings["strength"])
    assert job.chosen().settings == best.settings
    assert best.values["left"] < tried[0].values["left"] == 2
    alone = Search(Valley(), [Axis.parse("strength=0:1", Recipe)], ("right",), tmp_path / "alone.sqlite")
    tried = list(alone.run(12, time.monotonic() + 100))
    assert (
        alone.chosen().settings
        == min((one for one in tried if one.values), key=lambda one: one.settings["strength"]).settings
    )
    assert alone.importances() == {"strength": 1.0}


class Souring(Valley):
    """Each attempt ends worse than the one before."""

    def __init__(self) -> None:
        self.attempts, self.looks = 0, 0

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        self.attempts += 1
        for _ in range(len(looks) + 1):
            self.looks += 1
            yield {"left": float(self.attempts), "right": 0.0}


def test_what_looks_worse_than_the_median_is_given_up(tmp_path: Path) -> None:
    souring = Souring()
    job = Search(souring, [Axis.parse("strength=0:1", Recipe)], ("left",), tmp_path / "s.sqlite")
    tried = list(job.run(9, time.monotonic() + 100))
    assert [bool(one.values) for one in tried] == [True] * 5 + [False] * 4
    assert souring.looks == 5 * 3 + 4
    assert job.chosen().values == {"left": 1.0}


def test_one_objective_of_a_painting(tmp_path: Path, save: Any) -> None:
    job = search(tmp_path, save, "ssim", steps=(6,))
    tried = list(job.run(4, time.monotonic() + 100))
    assert job.chosen().values["ssim"] == max(one.values["ssim"] for one in tried if one.values)


def test_from_the_door(tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    content, style = save("c.png", 64, 80, 1), save("s.png", 70, 60, 2)
    (tmp_path / "base.json").write_text(QUICK.model_dump_json(exclude_defaults=True))
    output = tmp_path / "best.json"
    command = ["search", "--content", content, "--style", style, "--preset", tmp_path / "base.json", "--size", 64]
    command += ["--over", "content_weight=0.01:5", "-o", output]

    assert run(*command, "--trials", 3) == 0
    assert set(json.loads(output.read_text())) >= {"steps", "start", "size"}
    assert read_settings(str(output)).steps == (3,)
    assert run(*command, "--trials", 4, "--workers", 2) == 0
    assert "style" in capsys.readouterr().out
    assert run(*command, "--trials", 0) == 2
    assert run(*command, "--trials", 5, "--objective", "beauty") == 2
    (tmp_path / "best.sqlite").write_bytes(b"damaged")
    assert run(*command, "--trials", 5) == 2
    assert "cannot be read as a search" in capsys.readouterr().err


def test_settings_of_a_training(tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(12):
        save(f"photos/{number:02}.png", 70, 66, number)
    style, output = save("style.png", 70, 70, 50), tmp_path / "best.json"
    flags = ["--batch", 1, "--crop-size", 64, "--steps", 2, "--validate-every", 1, "--device", "cpu"]
    training = ["train", "painter", "--style", style, "--photos", tmp_path / "photos", "--from", "none", *flags]
    command = ["search", "--over", "learning_rate=0.001:0.1", "--over", "schedule=linear,cosine", "-o", output]
    assert run(*command, "--trials", 2, "--", *training) == 0
    assert run(*command, "--trials", 3, "--workers", 2, "--", *training) == 0
    told = capsys.readouterr().out
    assert "style 0." in told
    assert "learning_rate 0." in told
    assert not [*tmp_path.glob("*.impasto")]
    settings = json.loads(output.read_text())
    assert settings["crop_size"] == 64
    again = ["--style", style, "--photos", tmp_path / "photos", "--preset", output]
    assert run("train", "painter", *again, "--steps", 1, "-o", tmp_path / "best.impasto") == 0
    made = read_card(tmp_path / "best.impasto").training["settings"]
    assert (made["crop_size"], made["steps"]) == (64, 1)
    assert run(*command, "--", "train", "encoder") == 2
    assert run(*command, "--", "train", "painter", "--stile", style) == 2
    assert run(*command, "--objective", "beauty", "--", *training) == 2
    assert "There is no measure called 'beauty'" in capsys.readouterr().err
    assert run(*command, "--content", style, "--style", style, "--", *training) == 2


def test_a_foreign_database_is_left_alone(tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    content, style = save("c.png", 64, 80, 1), save("s.png", 70, 60, 2)
    with sqlite3.connect(tmp_path / "app.sqlite") as table:
        table.execute("CREATE TABLE customers (name TEXT)")
    (tmp_path / "app.json").write_text("precious")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = ["search", "--content", content, "--style", style, "--size", 64, "--trials", 1]
    assert run(*command, "-o", tmp_path / "app.json") == 2
    assert "cannot be read as a search" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_cannot_be_tried_leaves_nothing(tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    content = save("c.png", 64, 80, 1)
    command = ["search", "--content", content, "--style", tmp_path / "nosuch.jpg", "-o", tmp_path / "best.json"]
    assert run(*command) == 2
    assert "There is no file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


class Dying(Valley):
    """Its first attempt is killed."""

    def __init__(self) -> None:
        self.attempts = 0

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        self.attempts += 1
        if self.attempts == 1:
            raise KeyboardInterrupt
        return super().attempt(settings, looks)


def test_the_base_is_tried_again_if_its_trial_was_killed(tmp_path: Path) -> None:
    job = Search(Dying(), [Axis.parse("strength=0:1", Recipe)], ("left", "right"), tmp_path / "s.sqlite")
    with pytest.raises(KeyboardInterrupt):
        list(job.run(3, time.monotonic() + 100))
    tried = list(job.run(3, time.monotonic() + 100))
    assert tried[0].settings == {"strength": QUICK.strength}
    assert all(job.chosen().values["left"] <= one.values["left"] for one in tried[:1])
