"""Manifests: what there is, looked at once."""

from __future__ import annotations

import shutil
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from impasto.cluster import manifest as manifests
from impasto.cluster.manifest import chunks, write_manifest
from impasto.cluster.shards import ShardTable, write_shards
from impasto.errors import InputError, SettingsError
from impasto.storage import Storage
from impasto.weights.files import sha256

from door import run
from s3 import bucket

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture
def photos(tmp_path: Path, save: Any) -> Path:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for number, (height, width) in enumerate([(60, 80), (80, 60), (60, 80)]):
        save(f"photos/{number}.png", height, width, number)
    save("photos/deep/9.jpg", 90, 60, 9)
    return tmp_path / "photos"


def rows(manifest: Path) -> list[dict[str, Any]]:
    return [row for chunk in chunks(manifest) for row in chunk.to_pylist()]


def test_photos_of_folders_lists_and_tables(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "broken.jpg").write_text("no picture")
    output = tmp_path / "photos.parquet"
    assert run("manifest", photos, "-o", output) == 1
    told = capsys.readouterr()
    assert "4 pictures, 1 left out" in told.out
    assert "broken.jpg" in told.err
    first, *_, last = rows(output)
    assert first == {"uri": str(photos / "0.png"), "sha256": sha256(photos / "0.png"), "height": 60, "width": 80}
    assert last["uri"] == str(photos / "deep" / "9.jpg")
    assert run("manifest", photos, "-o", output) == 2
    (tmp_path / "list.txt").write_text("photos/1.png\nphotos/0.png\n")
    (tmp_path / "table.csv").write_text("uri,title\nphotos/2.png,Sea\n")
    assert run("manifest", tmp_path / "list.txt", tmp_path / "table.csv", "-o", output, "--force") == 0
    assert [Path(row["uri"]).name for row in rows(output)] == ["1.png", "0.png", "2.png"]


def test_a_manifest_moves_with_its_photos(photos: Path, tmp_path: Path) -> None:
    assert run("manifest", photos, "-o", tmp_path / "photos.parquet") == 0
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("photos", "photos.parquet"):
        shutil.move(tmp_path / name, moved / name)
    assert all(Path(row["uri"]).is_file() for row in rows(moved / "photos.parquet"))


def test_after_an_interrupt_nothing_is_looked_at_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "photos.parquet"
    with closing(write_manifest([str(photos)], output, threads=1)) as looking:
        next(looking)
        next(looking)
    assert not output.exists()
    with (tmp_path / "photos.parquet.unfinished").open("a") as kept:
        kept.write('["cut off')
    seen = []
    look = manifests.dimensions
    monkeypatch.setattr(manifests, "dimensions", lambda path, **limits: seen.append(path) or look(path, **limits))
    assert len([*write_manifest([str(photos)], output)]) == 4
    assert len(seen) == 2
    assert len(rows(output)) == 4
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


@pytest.mark.parametrize(("source", "message"), [
    ("missing", "no pictures in missing"),
    ("https://bucket.example/a.jpg?signature=abc", "carry a secret"),
    ("https://me:word@bucket.example/a.jpg", "carry a secret"),
])  # fmt: skip
def test_sources_that_cannot_be_used(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises((InputError, SettingsError), match=message) as told:
        [*write_manifest([source], tmp_path / "photos.parquet")]
    assert "word" not in str(told.value).replace("password", "")
    assert "abc" not in str(told.value)
    assert [*tmp_path.glob("*.parquet")] == []


def test_photos_of_a_bucket(photos: Path, tmp_path: Path) -> None:
    with bucket() as address:
        storage = Storage(f"{address}/of/{tmp_path.name}")
        storage.put("a.png", photos / "0.png")
        storage.put("deep/b.jpg", photos / "deep" / "9.jpg")
        storage.put("notes.txt", b"no picture")
        output = tmp_path / "photos.parquet"
        assert run("manifest", storage.place, "-o", output) == 0
        assert [row["uri"].removeprefix(storage.place) for row in rows(output)] == ["/a.png", "/deep/b.jpg"]
        assert rows(output)[0]["sha256"] == sha256(photos / "0.png")


def test_shards_hold_one_shape_after_the_other_and_copies_together(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "2.png", photos / "copy of 2.png")
    output = tmp_path / "photos.parquet"
    assert run("manifest", photos, "-o", output) == 0
    cut = write_shards(output, tmp_path / "table", 40, 2)
    assert (cut.rows, cut.shards) == (5, 3)
    table = ShardTable(Storage(tmp_path), "table")
    found = [row for shard in range(3) for row in table.rows(shard)]
    shapes = [(row.height, row.width) for row in found]
    assert [shape for shape, _ in groupby(shapes)] == [(60, 80), (90, 60), (80, 60)]
    assert shapes.count((60, 80)) == 3
    assert len([*groupby(row.sha256 for row in found)]) == len({row.sha256 for row in found}) == 4


def test_what_is_no_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    other = tmp_path / "other.parquet"
    command = ("batch", other, "--style", "looks:swirls", "-o", tmp_path / "out")
    assert run(*command) == 2
    other.write_text("no table")
    assert run(*command) == 2
    pyarrow.parquet.write_table(pyarrow.table({"uri": ["a"]}), other)
    assert run(*command) == 2
    told = capsys.readouterr().err
    assert told.count("cannot be read as a manifest") == 2
    assert "no column sha256" in told
