"""Batches: what is planned, what is done once, what survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from impasto.batch import ledger as ledgers
from impasto.batch.ledger import BatchJob, Ledger
from impasto.batch.plan import plan
from impasto.errors import InputError, OutputError
from impasto.media.image import read

from door import run
from runs import PATIENCE

pytestmark = pytest.mark.once_in("bfloat16")

SMALL = ["--size", "64"]
OUT = Path("out")


@pytest.fixture
def photos(tmp_path: Path, save: Any) -> Path:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    save("photos/a.jpg", 60, 80, 0)
    save("photos/deep/b.png", 80, 60, 1)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    save("style.png", 90, 90, 7)
    return tmp_path / "photos"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if not path.name.startswith("."))


def test_plans(photos: Path, tmp_path: Path) -> None:
    pairs = plan([str(photos)], ["x/starry.jpg", "looks:swirls"], ".png", OUT)
    assert [str(pair.output) for pair in pairs] == [
        "a_starry.png", "a_swirls.png", "deep/b_starry.png", "deep/b_swirls.png",
    ]  # fmt: skip
    assert len(plan([str(photos / "**" / "*.*")], ["s.jpg"], ".jpg", OUT)) == 2
    table = tmp_path / "pairs.csv"
    table.write_text("content,style,output\nphotos/a.jpg,style.png,one.jpg\nphotos/deep/b.png,looks:swirls,\n")
    one, two = plan([str(table)], [], ".png", OUT)
    assert (str(one.output), one.styles) == ("one.jpg", (str(tmp_path / "style.png"),))
    assert (str(two.output), two.styles) == ("b_swirls.png", ("looks:swirls",))


def test_pictures_of_one_name_are_told_apart(photos: Path, save: Any) -> None:
    save("photos/a.png", 60, 80, 2)
    assert sorted(str(pair.output) for pair in plan([str(photos)], ["s.jpg"], ".png", OUT))[:2] == [
        "deep/b_s.png", "jpg_a_s.png",
    ]  # fmt: skip


@pytest.mark.parametrize(("table", "message"), [
    ("content,style\n", "at least one row"),
    ("photo,style\na,b\n", "columns content and style"),
    ("content,style,output\na.jpg,b.jpg,../out.png\n", "outside the folder"),
    ("content,style,output\na.jpg,,x.png\n", "lacks its content or style"),
    ("content,style,output\na.jpg,b.jpg,x.png\nc.jpg,b.jpg,x.png\nd.jpg,b.jpg,x.png\n", "Two results"),
])  # fmt: skip
def test_tables_that_cannot_be_followed(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(table)
    with pytest.raises(InputError, match=message):
        plan([str(tmp_path / "pairs.csv")], [], ".png", OUT)


def test_the_ledger_gives_each_job_to_one(tmp_path: Path) -> None:
    jobs = [BatchJob(f"{n}.png", f"key{n}", "c", "s") for n in range(3)]
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    first.enter(jobs)
    keys = [job.key for job in jobs]
    taken = [ledger.claim(keys) for ledger in (first, second, first, second)]
    assert taken == [*jobs, None]
    first.finish(jobs[0])
    first.fail(jobs[1], "no", retry=True)
    second.release(jobs[2])
    assert second.claim(["key1"]) == jobs[1]
    for _ in range(2):
        second.fail(jobs[1], "no", retry=True)
        second.claim(["key1"])
    second.fail(jobs[1], "no", retry=True)
    states = first.states(jobs)
    assert [state for state, _ in states.values()] == ["done", "failed", "waiting"]


def test_the_ledger_takes_back_what_the_dead_were_doing(tmp_path: Path) -> None:
    job = BatchJob("a.png", "key", "c", "s")
    ledger = Ledger(tmp_path)
    ledger.enter([job])
    code = (
        "import pathlib, sys; from impasto.batch.ledger import Ledger; Ledger(pathlib.Path(sys.argv[1])).claim(['key'])"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert ledger.claim(["key"]) is None
    state, error = ledger.states([job])[job.output]
    assert state == "failed"
    assert "died 3 times" in str(error)


def test_a_lease_is_held_on_other_machines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Ledger(tmp_path), Ledger(tmp_path)
    jobs = [BatchJob(f"{name}.png", name, "photo", "{}") for name in "ab"]
    here.enter(jobs)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(ledgers, "_HERE", "another")
        assert there.claim(["a"]) == jobs[0]
    assert here.claim(["a"]) is None
    assert here.busy(["a"])
    clock = time.time
    monkeypatch.setattr(ledgers.time, "time", lambda: clock() + 0.9 * ledgers.LEASE)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(ledgers, "_HERE", "another")
        there.beat()
    monkeypatch.setattr(ledgers.time, "time", lambda: clock() + 1.5 * ledgers.LEASE)
    assert here.claim(["a"]) is None
    monkeypatch.setattr(ledgers.time, "time", lambda: clock() + 2 * ledgers.LEASE)
    assert here.claim(["a"]) == jobs[0]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(ledgers, "_HERE", "another")
        assert not there.mine(jobs[0])
    for one in (here, there):
        one.close()


def test_a_damaged_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / ".impasto-batch.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(OutputError, match="cannot be used"):
        Ledger(tmp_path)


def test_a_ledger_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    job = BatchJob("a.png", "key", "a.jpg", "style.jpg")
    ledger = Ledger(tmp_path)
    ledger.enter([job])
    ledger._table.execute("PRAGMA query_only=ON")
    for change in (lambda: ledger.enter([job]), lambda: ledger.claim(["key"]), lambda: ledger.release(job)):
        with pytest.raises(OutputError, match="make room"):
            change()
    assert ledger.states([job]) == {"a.png": ("waiting", None)}


def test_every_photo_in_every_style_once(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:400])
    command = ["batch", photos, "--style", tmp_path / "style.png", "-o", out, *SMALL]
    assert run(*command) == 1
    told = capsys.readouterr()
    assert "2 painted, 1 failed, of 3 pictures" in told.out
    assert "broken_style.png" in told.err
    assert names(out) == ["a_style.png", "deep/b_style.png"]
    assert read(out / "a_style.png").size == (48, 64)
    painted = (out / "a_style.png").stat().st_mtime_ns
    (photos / "broken.jpg").unlink()
    assert run(*command) == 0
    assert (out / "a_style.png").stat().st_mtime_ns == painted
    assert run(*command, "--strength", "0.5") == 0
    assert (out / "a_style.png").stat().st_mtime_ns != painted
    assert run("reproduce", out / "a_style.png", "-i", photos, "-i", tmp_path) == 0


def test_foreign_files_are_not_replaced(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a_style.png").write_text("mine")
    command = ["batch", photos, "--style", tmp_path / "style.png", "-o", out, *SMALL]
    assert run(*command) == 2
    assert "no result of a batch" in capsys.readouterr().err
    assert (out / "a_style.png").read_text() == "mine"


def test_it_survives_kill_and_shares_with_another(photos: Path, tmp_path: Path, save: Any) -> None:
    for number in range(12):
        save(f"photos/{number:02}.png", 60, 80, number)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "impasto", "batch", photos, "--style", tmp_path / "style.png", "-o", out]
    command += ["--size", "384", "--workers", "1"]
    arguments = [str(argument) for argument in command]
    process = subprocess.Popen(arguments, start_new_session=True)
    for _ in range(600):
        if names(out) if out.is_dir() else False:
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    assert 0 < len(before) < 14
    both = [subprocess.Popen(arguments) for _ in range(2)]
    assert [process.wait(timeout=PATIENCE) for process in both] == [0, 0]
    assert len(names(out)) == 14
    again = [name for name, when in before.items() if (out / name).stat().st_mtime_ns != when]
    assert len(again) <= 1  # written, but not yet entered, when the process was killed


@pytest.mark.parametrize(("arguments", "message"), [
    (["{photos}"], "Expected a --style"),
    (["{tmp}/none", "--style", "{style}"], "no pictures in"),
    (["{photos}", "--style", "{tmp}/none.png"], "no file"),
    (["{photos}", "--style", "{style}", "--format", "doc"], "doc"),
    (["{photos}", "--style", "{style}", "--workers", "0"], "1 worker or more"),
    (["--style", "{style}"], "Expected photos"),
    (["{photos}", "--style", "{style}", "--preset", "best"], "--preset steers painting by optimisation"),
    (["{photos}", "--style", "{tmp}/photos/deep/../../empty"], "no file"),
    (["{photos}", "--style", "{style}", "--format", "."], "Expected a name that ends in"),
    (["{photos}", "--style", "{style}", "--steps", "4"], "--steps steers painting by optimisation"),
])  # fmt: skip
def test_what_is_refused_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [a.format(photos=photos, tmp=tmp_path, style=tmp_path / "style.png") for a in arguments]
    assert run("batch", *given, "-o", tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_a_row_that_another_batch_took_over_is_not_marked_by_the_first(tmp_path: Path) -> None:
    old, new = BatchJob("a.png", "old", "c", "s"), BatchJob("a.png", "new", "c", "s")
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    first.enter([old])
    assert first.claim(["old"]) == old
    second.enter([new])
    first.finish(old)
    assert second.states([new]) == {"a.png": ("waiting", None)}
    assert first.states([old]) == {}
    first.fail(old, "no", retry=True)
    assert second.claim(["new"]) == new


def test_a_batch_is_the_same_wherever_its_folder_lies(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["batch", "photos", "--style", "style.png", *SMALL, "-o"]
    assert run(*command, "out") == 0
    assert run(*command, tmp_path / "out") == 0
    (tmp_path / "out").rename(tmp_path / "moved")
    assert run(*command, "moved") == 0
    told = capsys.readouterr().out
    assert told.count("0 painted, 2 already there, of 2 pictures") == 2


def test_a_style_of_another_model_repaints_nothing_and_another_preset_everything(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["batch", photos / "a.jpg", "-o", tmp_path / "out"]
    assert run(*command, "--style", tmp_path / "style.png", *SMALL) == 0
    assert run(*command, "--style", tmp_path / "style.png", "--style", "looks:swirls", *SMALL) == 0
    assert "1 painted, 1 already there" in capsys.readouterr().out
    preset = tmp_path / "mine.json"
    command += ["--style", tmp_path / "style.png", "--engine", "optimize", "--preset", preset]
    for strength, told in ((0.5, "1 painted"), (0.5, "1 already there"), (0.6, "1 painted")):
        preset.write_text(f'{{"size": 64, "steps": [2], "strength": {strength}}}')
        assert run(*command) == 0
        assert told in capsys.readouterr().out


def test_results_are_no_photos_and_never_cover_one(photos: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["batch", photos, "--style", tmp_path / "style.png", *SMALL]
    for _ in range(2):
        assert run(*command, "-o", photos / "out") == 0
        assert "of 2 pictures" in capsys.readouterr().out
    table = tmp_path / "pairs.csv"
    table.write_text("content,style,output\nphotos/a.jpg,style.png,a.jpg\n")
    before = (photos / "a.jpg").read_bytes()
    assert run("batch", table, "-o", photos, "--force", *SMALL) == 2
    assert "one of the inputs" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before


@pytest.mark.parametrize("suffix", ["gif", "bmp"])
def test_formats_without_room_for_a_record_have_it_beside(photos: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "out"
    assert run("batch", photos, "--style", tmp_path / "style.png", "--format", suffix, "-o", out, *SMALL) == 0
    assert names(out)[:2] == [f"a_style.{suffix}", f"a_style.{suffix}.json"]
    assert run("reproduce", out / f"a_style.{suffix}", "-i", photos, "-i", tmp_path) == 0


def test_a_folder_of_styles(photos: Path, tmp_path: Path, save: Any, capsys: Any) -> None:
    (tmp_path / "paintings").mkdir()
    for number in range(2):
        save(f"paintings/p{number}.png", 70, 70, 20 + number)
    out = tmp_path / "out"
    assert run("batch", photos / "a.jpg", "--style", tmp_path / "paintings", "-o", out, *SMALL) == 0
    assert names(out) == ["a_p0.png", "a_p1.png"]
    assert run("batch", photos, "--style", photos / "deep" / "..", "-o", photos / "deep" / "none", "--format", "x") == 2


def test_names_that_are_too_long_are_refused_before_any_work(
    photos: Path, tmp_path: Path, save: Any, capsys: Any
) -> None:
    save(f"photos/{'x' * 200}.png", 60, 80)
    save(f"{'y' * 100}.png", 60, 80)
    assert run("batch", photos, "--style", tmp_path / f"{'y' * 100}.png", "-o", tmp_path / "out", *SMALL) == 2
    assert "too long" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "out"), [("photos", "."), ("photos/*.jpg", "."), ("photos/*.jpg", "photos"), ("photos", "photos")]
)
def test_results_may_lie_above_or_among_the_photos(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, source: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for told in ("painted, of", "already there, of"):
        assert run("batch", source, "--style", "style.png", "-o", out, *SMALL) == 0
        assert told in capsys.readouterr().out


def test_who_has_lost_a_picture_to_another_batch_does_not_write_it(tmp_path: Path) -> None:
    old, new = BatchJob("a.png", "old", "c", "s"), BatchJob("a.png", "new", "c", "s")
    ledger = Ledger(tmp_path)
    ledger.enter([old])
    assert ledger.claim(["old"]) == old
    assert ledger.mine(old)
    ledger.enter([new])
    assert not ledger.mine(old)


def test_names_that_are_no_text(photos: Path, tmp_path: Path, capsys: Any) -> None:
    strange = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.jpg")
    Path(strange).write_bytes((photos / "a.jpg").read_bytes())
    assert run("batch", photos, "--style", tmp_path / "style.png", "-o", tmp_path / "out", *SMALL) == 2
    assert "is no text in UTF-8" in capsys.readouterr().err
    for how in (["--engine", "instant"], ["--steps", "2"]):
        assert run("paint", strange, tmp_path / "style.png", "-o", tmp_path / "one.png", *how, *SMALL) == 2
        assert "is no text in UTF-8" in capsys.readouterr().err
