"""Photos and their manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from door import run


@pytest.fixture
def photos(tmp_path: Path, save: Any) -> Path:
    """Six photos of two shapes."""
    (tmp_path / "photos").mkdir()
    for number in range(6):
        save(f"photos/{number}.png", 60, 80 - 10 * (number % 2), number)
    return tmp_path / "photos"


@pytest.fixture
def manifest(photos: Path, tmp_path: Path) -> Path:
    """Their manifest."""
    assert run("manifest", photos, "-o", tmp_path / "photos.parquet") == 0
    return tmp_path / "photos.parquet"
