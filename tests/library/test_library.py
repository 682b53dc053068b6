"""The library of styles: what is kept, what is found, what is advised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.encoders import load_encoder
from impasto.errors import InputError
from impasto.library.advice import nearest, recommend
from impasto.library.catalogue import Catalogue
from impasto.library.traits import Traits, traits_of
from impasto.media.image import read
from impasto.provenance import Record
from impasto.serving.styles import in_library, offered

from door import run

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture(autouse=True)
def _private_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_LIBRARY", str(tmp_path / "library"))


def pattern(period: int, color: tuple[float, float, float], side: int = 128) -> torch.Tensor:
    wave = torch.sin(torch.arange(side) * 2 * torch.pi / period)
    light = 0.5 + 0.25 * (wave[:, None] + wave[None]) / 2
    return light * torch.tensor(color).view(1, 3, 1, 1) + 0.2


def stored(folder: Path, name: str, picture: torch.Tensor) -> Path:
    array = (picture[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    folder.mkdir(exist_ok=True)
    Image.fromarray(array).save(folder / name)
    return folder / name


RED, BLUE = (0.8, 0.2, 0.1), (0.1, 0.3, 0.8)


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    for name, period, color in (("fine_red", 6, RED), ("broad_red", 32, RED), ("fine_blue", 6, BLUE)):
        stored(tmp_path / "styles", f"{name}.png", pattern(period, color))
    return tmp_path / "styles"


def test_traits_say_colours_and_breadth(tmp_path: Path) -> None:
    encoder = load_encoder("compact")
    fine, broad, blue = (traits_of(pattern(*one), encoder) for one in ((6, RED), (32, RED), (6, BLUE)))
    assert fine.coarseness == pytest.approx(6, rel=0.2)
    assert broad.coarseness == pytest.approx(32, rel=0.3)
    assert np.abs(fine.colors - broad.colors).mean() < 0.3 * np.abs(fine.colors - blue.colors).mean()
    again = Traits.unpack(fine.pack())
    assert again.coarseness == pytest.approx(fine.coarseness)
    assert np.array_equal(again.texture, fine.texture)


def test_what_suits_a_photo_and_why(styles: Path, tmp_path: Path) -> None:
    catalogue = Catalogue()
    assert [done for _, done in catalogue.add(sorted(styles.iterdir()), {"artist": "somebody"})] == ["added"] * 3
    encoder = load_encoder("compact")
    photo = traits_of(pattern(7, RED), encoder)
    first, *_, last = recommend(photo, catalogue.entries())
    assert first.entry.path.stem == "fine_red"
    assert first.score > 0.6 > last.score
    assert "near" in first.reasons or "like" in first.reasons or "as broad" in first.reasons
    like, distance = nearest(traits_of(pattern(6, BLUE), encoder), catalogue.entries())[0]
    assert like.path.stem == "fine_blue"
    assert distance < 0.01


def test_pictures_that_moved_keep_their_facts(styles: Path, tmp_path: Path) -> None:
    catalogue = Catalogue()
    list(catalogue.add([styles / "fine_red.png"], {"title": "Dawn", "year": "1889"}))
    (styles / "fine_red.png").rename(tmp_path / "moved.png")
    (gone,) = catalogue.entries()
    assert not gone.here()
    with pytest.raises(InputError, match="No style of the library"):
        recommend(gone.traits, [gone])
    assert [done for _, done in catalogue.add([tmp_path / "moved.png"], {})] == ["moved"]
    (entry,) = catalogue.entries()
    assert entry.here()
    assert entry.label == "Dawn, 1889"
    assert [done for _, done in catalogue.add([tmp_path / "moved.png"], {"artist": "me"})] == ["known"]
    assert catalogue.entries()[0].label == "me, Dawn, 1889"
    assert catalogue.remove(["moved"]) == 1
    with pytest.raises(InputError, match="is called moved"):
        catalogue.remove(["moved"])


def test_from_the_door(styles: Path, tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    photo = save("photo.png", 70, 90)
    assert run("styles", "recommend", photo) == 2
    (styles / "broken.png").write_bytes(b"no picture")
    assert run("styles", "add", styles, "--artist", "X") == 1
    told = capsys.readouterr()
    assert "3 added" in told.out
    assert "1 passed over" in told.out
    assert run("styles", "list") == 0
    assert capsys.readouterr().out.count("X") >= 3
    assert run("styles", "near", styles / "fine_blue.png", "--count", 1) == 0
    assert "fine_blue" in capsys.readouterr().out
    assert run("styles", "recommend", photo, "--count", 2, "-o", tmp_path / "sheet.png") == 0
    assert len(re.findall(r"X, \w+: its", capsys.readouterr().out)) == 2
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 3 * 384


def test_links_that_lead_nowhere_and_pictures_of_every_suffix(styles: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("styles", "list") == 0
    assert "is empty; add pictures with" in capsys.readouterr().out
    (styles / "gone.png").symlink_to(tmp_path / "nothing.png")
    Image.open(styles / "fine_red.png").save(styles / "moving.gif")
    assert run("styles", "add", styles) == 0
    assert "4 added" in capsys.readouterr().out
    (tmp_path / "list.txt").write_text("styles/fine_red.png\nstyles/none.png\n")
    assert run("styles", "add", tmp_path / "list.txt") == 1
    assert "none.png cannot be read" in capsys.readouterr().err


def test_what_a_style_is_called(styles: Path) -> None:
    catalogue = Catalogue()
    list(catalogue.add(sorted(styles.iterdir()), {"artist": "Monet"}))
    assert [entry.label for entry in catalogue.entries()] == ["Monet, broad_red", "Monet, fine_blue", "Monet, fine_red"]


def test_licences_travel_with_what_is_painted(styles: Path, tmp_path: Path, save: Any) -> None:
    red, blue = styles / "fine_red.png", styles / "fine_blue.png"
    assert run("styles", "add", red, "--licence", "CC BY-NC 4.0") == 0
    assert run("styles", "add", blue) == 0
    (chosen, free) = sorted(offered_in_library(), key=lambda one: str(one["name"]), reverse=True)
    assert (chosen["licence"], chosen["commercial"]) == ("CC BY-NC 4.0", False)
    assert (free["licence"], free["commercial"]) == ("", True)
    assert in_library(str(chosen["id"])) == red.read_bytes()
    assert in_library("ab" * 32) is None
    out = tmp_path / "out.png"
    assert run("paint", save("photo.png"), red, blue, "--engine", "instant", "--size", 64, "-o", out) == 0
    sources = Record.from_xmp(read(out).metadata).pictures
    assert {name: source.licence for name, source in sources.items()} == {
        "fine_red.png": "CC BY-NC 4.0", "fine_blue.png": None,
    }  # fmt: skip


def offered_in_library() -> list[dict[str, Any]]:
    return [one for one in offered() if one["kind"] == "library"]
