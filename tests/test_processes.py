"""Processes that work for another."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from impasto.processes import in_order, own_folder

pytestmark = pytest.mark.once_in("float32")


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from impasto.processes import own_folder; print(own_folder())"
    left = Path(
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
    )
    assert left.is_dir()
    first, second = own_folder(), own_folder()
    assert not left.exists()
    assert first != second
    assert first.parent == second.parent == left.parent
    assert first.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_somebody_else_has_put_there_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"impasto-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    assert own_folder().parent == tmp_path
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_results_come_in_the_order_of_what_they_are_of() -> None:
    assert [*in_order(lambda number: number * number, range(100), 4)] == [number * number for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        [*in_order(lambda number: 1 // number, [2, 1, 0], 2)]
