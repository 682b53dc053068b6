"""What the tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# On shared machines the threads of a team wait for each other busily.
os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS") or "1"

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from door import run
from fakes import picture
from postgres import Postgres, programs
from runs import end_what_runs_beside

SavePicture = Callable[..., Path]
_PRECISION = os.environ.get("IMPASTO_PRECISION")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of two runs in two precisions, leave to the other what it alone takes."""
    taken = {item: mark.args[0] for item in items if (mark := item.get_closest_marker("once_in"))}
    elsewhere = [item for item, other in taken.items() if _PRECISION not in (None, other)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Compute in bfloat16 where that matters; elsewhere only if it is faster: where it is emulated, it takes ages."""
    if _PRECISION == "bfloat16":
        os.environ["IMPASTO_PRECISION"] = "auto" if item.get_closest_marker("once_in") else _PRECISION


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the tests' own, if it is installed."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed; Debian's package postgresql brings it")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE", "SHELF", "LIBRARY", "IDENTITY"):
        monkeypatch.setenv(f"IMPASTO_{name}", str(tmp_path_factory.mktemp(name.lower())))


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_what_runs_beside()


@pytest.fixture
def save(tmp_path: Path) -> SavePicture:
    """Save a smooth random picture by Pillow and return its path."""

    def save(name: str, height: int = 80, width: int = 96, seed: int = 0, **options: object) -> Path:
        array = (picture(height, width, seed)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        path = tmp_path / name
        Image.fromarray(array).save(path, **options)
        return path

    return save


@pytest.fixture
def photo(save: SavePicture) -> Path:
    """A photo of 120x90 pixels."""
    return save("photo.jpg", 90, 120, 0)


@pytest.fixture
def style(save: SavePicture) -> Path:
    """A painting of 100x100 pixels."""
    return save("style.png", 100, 100, 3)


@pytest.fixture
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings are judged on four crops: they are as good as more where it is not asked how well one learned."""
    for training in ("collection", "instant", "painter"):
        for name in ("_VALIDATION", "_TEST"):
            monkeypatch.setattr(f"impasto.training.{training}.{name}", 4)
    monkeypatch.setattr("impasto.training.collection._DESCRIBED", 12)
    for name in ("encoder._FIT", "encoder._TEST", "fine_tuning._HEADS_FROM"):
        monkeypatch.setattr(f"impasto.training.{name}", 8)


@pytest.fixture
def photos(tmp_path: Path, save: SavePicture) -> Path:
    """A folder of six photos of two shapes."""
    (tmp_path / "photos").mkdir()
    for number in range(6):
        save(f"photos/{number}.png", 60, 80 - 10 * (number % 2), number)
    return tmp_path / "photos"


@pytest.fixture
def manifest(photos: Path, tmp_path: Path) -> Path:
    """Their manifest."""
    assert run("manifest", photos, "-o", tmp_path / "photos.parquet") == 0
    return tmp_path / "photos.parquet"


@pytest.fixture
def noise() -> torch.Tensor:
    """Features (1, 4, 6, 5), the same each time."""
    return torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(1))
