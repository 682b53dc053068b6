"""Files: written whole or not at all, and never over what is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from impasto.errors import OutputError
from impasto.media.files import check_apart, check_writable, make_folder, replacing

pytestmark = pytest.mark.once_in("float32")


def test_no_output_covers_an_input_or_another_output(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text("mine")
    (tmp_path / "link.jpg").symlink_to(photo)
    os.link(photo, tmp_path / "hard.jpg")
    for other in ("photo.jpg", "link.jpg", "hard.jpg", "x/../photo.jpg"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match="one of the inputs"):
            check_apart([tmp_path / other], [photo, "looks:swirls"])
    with pytest.raises(OutputError, match="written twice"):
        check_apart([tmp_path / "new.png", tmp_path / "x" / ".." / "new.png"], [photo])
    check_apart([tmp_path / "new.png", None, tmp_path / "new.json"], [photo, None, tmp_path / "none.jpg"])


@pytest.mark.parametrize("length", [250, 300, 5000])
def test_names_that_are_too_long_are_told_before_the_work(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length + ".png")
    with pytest.raises(OutputError, match="too long"):
        check_writable(path, force=True)
    with pytest.raises(OutputError, match="too long"), replacing(path):
        pytest.fail("nothing to be written")
    assert os.listdir(tmp_path) == []


def test_what_only_looks_like_a_folder_for_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written to"):
        check_writable(Path("/proc/x.png"), force=False)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "below")


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
