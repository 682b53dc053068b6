"""The shelf, and files that should not be trusted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from impasto.encoders import weights_path
from impasto.errors import InputError, OutputError, UnknownName, WeightsError
from impasto.models.painter import Painter
from impasto.provenance import Source
from impasto.shelf.card import Card, load_model, read_card, write_model
from impasto.shelf.models import add, find, models, remove, shelf_folder

ARCHITECTURE = {"channels": {"relu3_1": 6}, "styles": 2, "widths": [6, 5, 4, 4], "blocks": 1}


def card(**changes: object) -> Card:
    fields = {
        "kind": "painter", "description": "two", "architecture": ARCHITECTURE, "styles": ("a", "b"),
        "encoder": Source(name="compact", sha256="0"), "licence": "MIT", "training": {},
    }  # fmt: skip
    return Card.model_validate({**fields, **changes})


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPASTO_SHELF", str(tmp_path / "shelf"))
    path = tmp_path / "two.impasto"
    torch.manual_seed(0)
    write_model(path, card(), Painter(**ARCHITECTURE).state_dict())  # type: ignore[arg-type]
    return path


def test_a_model_comes_back_as_it_was(model: Path) -> None:
    torch.manual_seed(0)
    original = Painter(**ARCHITECTURE)  # type: ignore[arg-type]
    loaded_card, loaded = load_model(model)
    assert loaded_card == card() == read_card(model)
    for key, value in original.state_dict().items():
        assert torch.allclose(loaded.state_dict()[key], value, atol=1e-3)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_shelf(model: Path) -> None:
    assert {"instant", "looks"} <= set(models())
    add(model)
    add(model, "other")
    assert {"two", "other"} <= set(models())
    assert find("two") == shelf_folder() / "two.impasto"
    with pytest.raises(OutputError, match="exists"):
        add(model)
    remove("two")
    with pytest.raises(UnknownName, match="other"):
        find("othr")
    with pytest.raises(InputError, match="comes with the package"):
        remove("instant")
    for name in ("../out", "a/b", "", ".hidden"):
        with pytest.raises(InputError, match="cannot be the name"):
            add(model, name or " ")


def test_shipped_models_load_and_fit_the_encoder() -> None:
    total = weights_path("compact").stat().st_size
    from impasto.weights.files import sha256

    for name in ("instant", "looks"):
        loaded, _ = load_model(find(name))
        assert loaded.encoder.sha256 == sha256(weights_path("compact"))
        total += find(name).stat().st_size
    assert total < 5 * 2**20


def test_opening_a_model_loads_no_compiler() -> None:
    opening = (
        "import sys; from impasto.shelf.card import load_model; from impasto.shelf.models import find; "
        "[load_model(find(name)) for name in ('instant', 'looks')]; print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", opening], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_damaged_foreign_and_malicious_files(model: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.impasto"
    truncated.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not an intact"):
        load_model(truncated)
    pickled = tmp_path / "pickled.impasto"
    torch.save({"a": torch.ones(1)}, pickled)
    with pytest.raises(WeightsError, match="not an intact"):
        load_model(pickled)
    foreign = tmp_path / "foreign.impasto"
    save_file({"a": torch.ones(1)}, foreign)
    with pytest.raises(WeightsError, match="no model of impasto"):
        load_model(foreign)
    with pytest.raises(WeightsError, match="no weights file"):
        load_model(tmp_path / "none.impasto")


@pytest.mark.parametrize(("architecture", "message"), [
    ({**ARCHITECTURE, "widths": [10**5, 5, 4, 4]}, "do not match"),
    ({**ARCHITECTURE, "blocks": 10**9}, "no painter that can be built"),
    ({**ARCHITECTURE, "widths": [6, 5]}, "no painter that can be built"),
    ({**ARCHITECTURE, "styles": "many"}, "no painter that can be built"),
    ({"code": "import os"}, "no painter that can be built"),
])  # fmt: skip
def test_cards_that_lie(model: Path, tmp_path: Path, architecture: dict[str, object], message: str) -> None:
    path = tmp_path / "lie.impasto"
    write_model(path, card(architecture=architecture), Painter(**ARCHITECTURE).state_dict())  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def test_weights_that_are_not_numbers_and_cards_of_another_version(tmp_path: Path) -> None:
    state = Painter(**ARCHITECTURE).state_dict()  # type: ignore[arg-type]
    state["output.bias"] = torch.full((3,), float("nan"))
    write_model(tmp_path / "nan.impasto", card(), state)
    with pytest.raises(WeightsError, match="NaN"):
        load_model(tmp_path / "nan.impasto")
    told = {**json.loads(card().model_dump_json()), "format": 2}
    save_file(state, tmp_path / "next.impasto", {"impasto": json.dumps(told)})
    with pytest.raises(WeightsError, match="another version"):
        read_card(tmp_path / "next.impasto")


@pytest.mark.parametrize("name", ["instant", "looks", "pointillist", "Optimize", "draft", "none"])
def test_names_that_mean_something_are_not_taken(model: Path, name: str) -> None:
    with pytest.raises(InputError, match="already means something"):
        add(model, name)


def test_a_file_on_the_shelf_does_not_stand_in_for_a_shipped_model(model: Path) -> None:
    shelf_folder().mkdir(parents=True)
    (shelf_folder() / "instant.impasto").write_bytes(model.read_bytes())
    assert find("instant") != shelf_folder() / "instant.impasto"
    remove("instant")
    assert not (shelf_folder() / "instant.impasto").exists()


def test_what_is_no_model_is_not_put_on_the_shelf(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(model.read_bytes())
    with pytest.raises(InputError, match=r"expected a \.impasto file"):
        add(tmp_path / "a.jpg")


def test_a_card_with_more_names_than_styles(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "three.impasto"
    write_model(path, card(styles=("a", "b", "c")), Painter(**ARCHITECTURE).state_dict())  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="names 3 styles, but its weights know 2"):
        load_model(path)


def test_only_what_lies_on_the_shelf_is_removed(model: Path, tmp_path: Path) -> None:
    add(model, "mine")
    for name in (str(tmp_path / "two"), "../two", "../shelf/mine"):
        with pytest.raises(UnknownName):
            remove(name)
    assert model.is_file()
    assert (shelf_folder() / "mine.impasto").is_file()
