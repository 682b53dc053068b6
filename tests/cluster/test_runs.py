"""Runs over a manifest: whoever paints, each result once, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from impasto.cluster import painting
from impasto.cluster.attempts import Attempts
from impasto.cluster.painting import ShardPainter
from impasto.media.image import read
from impasto.provenance import Record
from impasto.storage import Storage

from door import run
from runs import PATIENCE, contents, in_background, outcomes, wait_until
from s3 import bucket

pytestmark = pytest.mark.once_in("float32")

SMALL = ("--size", 64, "--style", "looks:swirls")
LONGER = ("--size", 448, "--style", "looks:swirls")


def test_every_photo_in_every_style_under_its_key(manifest: Path, tmp_path: Path, style: Path) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "--style", style, "-o", out) == 0
    found = outcomes(out)
    assert Counter((one.state, one.style) for one in found) == {("done", "swirls"): 6, ("done", "style"): 6}
    assert len({one.key for one in found}) == 12
    for one in found:
        record = Record.from_xmp(read(out / one.result).metadata)
        assert record.content.sha256 == one.sha256
        assert Path(one.result).stem == one.key
    assert {source.name for one in found for source in _record(out / one.result).pictures.values()} == {"style.png"}
    before = contents(out)
    assert run("batch", manifest, *SMALL, "--style", style, "-o", out) == 0
    assert contents(out) == before
    assert [*(out / "attempts").iterdir()] == []


def _record(path: Path) -> Record:
    return Record.from_xmp(read(path).metadata)


def test_photos_of_long_and_odd_names(tmp_path: Path, save: Any) -> None:
    (tmp_path / "photos").mkdir()
    names = ["画" * 80 + ".png", "a b\n#?%.png", "-x.png", "'.png"]
    for number, name in enumerate(names):
        save(f"photos/{name}", 60, 80, number)
    manifest, out = tmp_path / "photos.parquet", tmp_path / "out"
    assert run("manifest", tmp_path / "photos", "-o", manifest) == 0
    assert run("batch", manifest, *SMALL, "-o", out, "--workers", 1) == 0
    assert sorted(Path(one.uri).name for one in outcomes(out)) == sorted(names)


def test_shards_are_tars_that_webdataset_reads(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--shards", 4) == 0
    found, seen = outcomes(out), 0
    for path in (out / "shards").iterdir():
        with tarfile.open(path) as tar:
            for member in tar:
                data = tar.extractfile(member)
                assert data
                key, _, suffix = member.name.partition(".")
                one = next(one for one in found if one.key == key)
                if suffix == "png":
                    seen += 1
                    assert Image.open(io.BytesIO(data.read())).size in [(64, 48), (64, 55)]
                    assert one.result == f"shards/{path.name}/{member.name}"
                else:
                    assert json.load(data) == {"photo": one.sha256, "style": "swirls"}
    assert seen == 6


def test_begun_here_and_finished_elsewhere(manifest: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run("batch", manifest, *SMALL, "-o", whole) == 0
    for part in ("2/3", "0/3", "1/3"):
        assert run("batch", manifest, *SMALL, "-o", parts, "--part", part, "--workers", 1) == 0
    assert contents(whole) == contents(parts)


def test_what_is_wrong_with_a_photo_is_told_and_stops_nothing(
    manifest: Path, photos: Path, tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for original, copy in ((5, 6), (4, 8)):
        shutil.copy(photos / f"{original}.png", photos / f"{copy}.png")
    save("photos/7.png", 400, 300, 7)
    assert run("manifest", photos, "-o", manifest, "--force") == 0
    for number in (0, 4):
        (photos / f"{number}.png").unlink()
    (photos / "1.png").write_bytes((photos / "2.png").read_bytes())
    capsys.readouterr()
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--max-pixels", 100_000, "--shards", 20) == 1
    states = {Path(one.uri).name: one for one in outcomes(out)}
    assert Counter(one.state for one in states.values()) == {"done": 4, "failed": 4, "same": 1}
    assert "no picture" in states["0.png"].problem
    assert "not what the manifest was made from" in states["1.png"].problem
    assert "120,000" in states["7.png"].problem or "limit" in states["7.png"].problem
    assert states["6.png"].key == states["5.png"].key
    assert states["8.png"].state == "done"
    told = capsys.readouterr()
    assert told.err.count("/photos/") >= 3
    assert "4 painted, 1 copies, 4 failed" in told.out


def test_another_run_in_the_same_place_is_refused(
    manifest: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--part", "5/6") == 0
    before = contents(out)
    others = {
        "style": ("--size", 64, "--style", "looks:mosaic"),
        "format": (*SMALL, "--format", "jpg"),
        "--shards": (*SMALL, "--shards", 3),
    }
    for part, options in others.items():
        assert run("batch", manifest, *options, "-o", out) == 2
        assert f"another {part}" in capsys.readouterr().err
    (photos / "0.png").unlink()
    assert run("manifest", photos, "-o", manifest, "--force") == 0
    assert run("batch", manifest, *SMALL, "-o", out) == 2
    assert contents(out) == before
    text = (out / "run.json").read_text()
    (out / "run.json").write_text(text.replace('"torch": "', '"torch": "1.'))
    shutil.copytree(photos, tmp_path / "kept")
    assert run("batch", manifest, *SMALL, "-o", out) == 2


@pytest.mark.parametrize(("options", "message"), [
    (("--part", "3/3"), "Expected --part as 3/16"),
    (("--part", "x"), "Expected --part as 3/16"),
    (("--shards", -1), "1 result in a shard"),
    (("--workers", 0), "1 worker or more"),
    (("--style", "missing.jpg"), "no file missing.jpg"),
])  # fmt: skip
def test_what_cannot_be_asked_for(
    manifest: Path, tmp_path: Path, options: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("batch", manifest, *SMALL, "-o", tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err


def test_a_bucket_needs_a_manifest(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for output, options in (("s3://bucket/out", ()), (tmp_path / "out", ("--on", "ray"))):
        assert run("batch", photos, *SMALL, "-o", output, *options) == 2
        assert "need a manifest" in capsys.readouterr().err


def test_a_painter_that_is_killed_is_replaced(manifest: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", whole, "--shards", 2) == 0
    process = in_background("batch", manifest, *SMALL, "-o", out, "--shards", 2, "--workers", 1)
    killed, ends = 0, time.monotonic() + 60
    while killed < 2 and time.monotonic() < ends:
        tried = [*(out / "attempts").glob("*")] if (out / "attempts").is_dir() else []
        for child in psutil.Process(process.pid).children():
            if "spawn_main" in " ".join(child.cmdline()) and tried:
                child.kill()
                killed += 1
                time.sleep(0.5)
        time.sleep(0.02)
    told, _ = process.communicate(timeout=PATIENCE)
    assert killed == 2
    assert process.returncode == 0, told
    assert contents(out) == contents(whole)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on_after_it_was_stopped(manifest: Path, tmp_path: Path, sign: signal.Signals) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run("batch", manifest, *LONGER, "-o", whole) == 0
    process = in_background("batch", manifest, *LONGER, "-o", out, "--workers", 1)
    wait_until(lambda: len([*out.glob("ledger/*.parquet")]) > 0)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sign)
    _, told = process.communicate(timeout=PATIENCE)
    assert len([*out.glob("ledger/*.parquet")]) < 6
    assert process.returncode == (130 if sign == signal.SIGINT else -sign)
    assert sign == signal.SIGKILL or "The same command goes on" in told
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    assert run("batch", manifest, *LONGER, "-o", out) == 0
    assert contents(out) == contents(whole)


def test_a_photo_that_kills_its_painter_holds_up_no_others(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--shards", 6, "--part", "1/2") == 0
    code = (
        "import os, sys; from impasto.cluster.painting import ShardPainter; painter = ShardPainter(sys.argv[1]);"
        "paint = painter._painted;"
        "painter._painted = lambda style, file: os._exit(9) if file.name == '3.png' else paint(style, file);"
        "painter.paint(0)"
    )
    codes = [subprocess.run([sys.executable, "-c", code, out]).returncode for _ in range(4)]
    assert codes == [9, 9, 9, 0]
    failed = [one for one in outcomes(out) if one.state == "failed"]
    assert [(Path(one.uri).name, "died three times" in one.problem) for one in failed] == [("3.png", True)]
    assert Counter(one.state for one in outcomes(out)) == {"done": 5, "failed": 1}


def test_an_attempt_that_ends_well_counts_for_nothing(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for _ in range(3):
        Attempts.begin(storage, 7).close()
    assert Attempts.begin(storage, 7).number == 1
    assert Attempts.begin(storage, 7).number == 2
    assert Attempts.begin(storage, 8).number == 1


def test_two_painters_of_one_shard_leave_one_result(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--shards", 6, "--part", "1/2") == 0
    first, second = ShardPainter(str(out)), ShardPainter(str(out))
    late = second.storage.get
    second.storage.get = lambda name: None if name.startswith("ledger/") else late(name)  # type: ignore[method-assign]
    one, other = first.paint(0), second.paint(0)
    assert one == other
    assert len([*(out / "shards").iterdir()]) == 1
    for painter in (first, second):
        painter.close()


def test_other_versions_are_refused(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert run("batch", manifest, *SMALL, "-o", out, "--part", "5/6") == 0
    monkeypatch.setattr(painting, "versions", lambda: {"impasto": "0.1.0", "torch": "1.0"})
    with pytest.raises(Exception, match=r"begun with torch .*, and here is 1\.0"):
        ShardPainter(str(out))


def test_a_storage_that_fails_and_is_slow(photos: Path, tmp_path: Path) -> None:
    with bucket(failing=0.05, delay=0.01) as address:
        there = f"{address}/{tmp_path.name}"
        for path in sorted(photos.iterdir()):
            Storage(f"{there}/photos").put(path.name, path)
        manifest = tmp_path / "there.parquet"
        assert run("manifest", f"{there}/photos", "-o", manifest) == 0
        assert run("batch", manifest, *SMALL, "-o", f"{there}/out") == 0
        found = outcomes(f"{there}/out")
        assert Counter(one.state for one in found) <= Counter(done=6, there=6)
        assert len(found) == len({one.key for one in found}) == 6
        names = list(Storage(f"{there}/out").names("pictures/"))
        assert sorted(names) == sorted(one.result for one in found)
        secrets = b"".join(Storage(f"{there}/out").get(name) or b"" for name in Storage(f"{there}/out").names(""))
        assert b"not-so-secret" not in secrets + manifest.read_bytes()
    assert os.environ.get("AWS_SECRET_ACCESS_KEY") is None
