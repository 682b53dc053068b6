"""Records: those of earlier versions are followed, those of later ones are refused."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impasto.brief import Brief
from impasto.errors import RecordError
from impasto.media.image import read
from impasto.media.writing import write
from impasto.provenance import Record, labelled

from door import run

OLD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:impasto="urn:impasto:record:1" impasto:record="{record}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def as_version_1(record: Record, names: list[str]) -> str:
    """What impasto 0.1 wrote for the same picture."""
    told = record.model_dump(mode="json")
    brief = told["brief"]
    optimized = brief["engine"] == "optimize"
    return json.dumps({
        "method": "optimize" if optimized else "painter" if names else "instant",
        "content": told["content"],
        "styles": list(told["pictures"].values()),
        "names": names,
        "blend": [1.0] * (len(names) or len(told["pictures"])),
        "recipe": brief["settings"],
        "encoder": told["encoder"],
        "model": told["model"],
        "output": brief["output"],
        "done": told["done"],
        "versions": told["versions"],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("styles", "how", "names"),
    [
        (["one.png", "two.png"], ["--engine", "instant", "--color", "match", "--strength", 0.4], []),
        (["one.png"], ["--steps", 2, "--style-scale", 0.5], []),
        (["looks:swirls", "looks:irises"], [], ["swirls", "irises"]),
    ],
)
def test_records_of_version_1_are_followed(
    styles: list[str], how: list[Any], names: list[str], save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    save("photo.png", 72, 96), save("one.png", 80, 80, 4), save("two.png", 80, 80, 7)
    assert run("paint", "photo.png", *styles, *how, "--size", 96, "-o", "out.png") == 0
    picture = read("out.png")
    told = html.escape(as_version_1(Record.from_xmp(picture.metadata), names))
    write(replace(picture, metadata=OLD.format(record=told).encode()), "old.png")
    assert run("reproduce", "old.png") == 0
    assert "byte for byte" in capsys.readouterr().out


def test_records_hold_names_without_folders(save: Any, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    photo, one, two = save("photo.png", 72, 96), save("a/style.png", 80, 80, 4), save("b/style.png", 80, 80, 7)
    out = tmp_path / "out.png"
    assert run("paint", photo, one, two, "--engine", "instant", "--size", 96, "-o", out) == 0
    record = Record.from_xmp(read(out).metadata)
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in (read(out).metadata or b"")
    assert str(tmp_path) not in record.model_dump_json()
    assert list(record.pictures) == ["style.png", "2_style.png"]
    assert Brief(**record.brief).regions[0].styles == ("style.png", "2_style.png")
    assert run("reproduce", out, "--inputs", tmp_path / "a", "--inputs", tmp_path / "b") == 0
    assert labelled(["x", "x", "y", "x"]) == ["x", "2_x", "y", "4_x"]


def test_records_of_later_versions_are_told() -> None:
    with pytest.raises(RecordError, match="newer version"):
        Record.from_json('{"version": 3}')
    for text in ("[]", "{", '{"version": 2}', '{"method": "instant"}'):
        with pytest.raises(RecordError):
            Record.from_json(text)


def test_names_that_mean_something_and_names_that_collide(save: Any, tmp_path: Path) -> None:
    assert labelled(["a", "a", "2_a"]) == ["a", "2_a", "3_2_a"]
    (tmp_path / "d").mkdir()
    photo, style, left = save("photo.png", 72, 96), save("style.png", 80, 80, 4), save("d/left.png", 72, 96, 8)
    meant = left.rename(tmp_path / "d" / "subject")
    out = tmp_path / "out.png"
    assert run("paint", photo, style, "--mask", meant, "--engine", "instant", "--size", 96, "-o", out) == 0
    assert Brief(**Record.from_xmp(read(out).metadata).brief).regions[0].mask == "_subject"
    assert run("reproduce", out, "--inputs", tmp_path / "d") == 0


def test_a_painter_that_has_left_the_shelf_is_found_as_a_file(save: Any, tmp_path: Path) -> None:
    from impasto.shelf.models import find, shelf_folder

    mine = tmp_path / "mine.impasto"
    mine.write_bytes(find("looks").read_bytes()[:-1] + find("looks").read_bytes()[-1:])
    assert run("models", "add", mine) == 0
    photo, out = save("photo.png", 72, 96), tmp_path / "out.png"
    assert run("paint", photo, "mine:swirls", "--size", 96, "-o", out) == 0
    (shelf_folder() / "mine.impasto").unlink()
    assert run("reproduce", out) == 0


def test_a_record_beside_goes_with_a_copy(save: Any, tmp_path: Path) -> None:
    photo, style, out = save("photo.png", 72, 96), save("style.png", 80, 80, 4), tmp_path / "out.bmp"
    assert run("paint", photo, style, "--engine", "instant", "--size", 96, "-o", out) == 0
    assert run("reproduce", out, "-o", tmp_path / "again.bmp") == 0
    assert (tmp_path / "again.bmp.json").read_text() == (tmp_path / "out.bmp.json").read_text()
