"""The documents do what they say."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impasto.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line.removeprefix(".venv/bin/") for line in lines if "impasto" in line]


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command: str) -> None:
    _, *arguments = shlex.split(command)
    parsed, _bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    assert callable(parsed)


def test_the_three_lines_of_python(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("photo.jpg", 96, 128, 0)
    save("starry.jpg", 96, 96, 4)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("python")
    exec(block.replace("size=1024", "size=64").replace("balanced", "draft"), {})
    with Image.open(tmp_path / "out.png") as painted:
        assert painted.size == (64, 48)


def test_links_and_the_tree_exist() -> None:
    for link in re.findall(r'src="([^"]+)"', README):
        assert (ROOT / link).is_file(), link
    (tree,) = [block for block in re.findall(r"\n\n```\n(.*?)```", README, re.DOTALL) if "src/impasto/" in block]
    for line in tree.splitlines():
        folder = ROOT / "src" / "impasto" if line.startswith("  ") else ROOT
        for name in re.split(r"\s{3,}", line.strip())[0].split():
            assert (folder / name).exists(), name


def test_no_file_names_a_machine() -> None:
    for path in ROOT.rglob("*"):
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json"} and not {".venv", ".git"} & set(path.parts):
            assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", path.read_text()), path


def test_examples_paint_what_is_shipped(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "examples" / "paint_styles.py"))["main"](tmp_path / "styles")
    runpy.run_path(str(ROOT / "examples" / "photos.py"))["main"](tmp_path)
    for made in tmp_path.rglob("*.jpg"):
        shipped = ROOT / "examples" / made.relative_to(tmp_path)
        with Image.open(made) as new, Image.open(shipped) as old:
            assert new.size == old.size
            difference = Image.blend(new.convert("L"), Image.eval(old.convert("L"), lambda level: 255 - level), 0.5)
            low, high = difference.resize((32, 32)).getextrema()
            assert 120 <= low <= high <= 135, made.name
