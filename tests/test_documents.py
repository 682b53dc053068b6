"""The documents do what they say."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from impasto.cli import app
from impasto.encoders.vgg import VGG19

from clips import clip, moving
from door import run

pytestmark = pytest.mark.once_in("float32")

ROOT = Path(__file__).parent.parent
MADE = ROOT / "docs" / "reference.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = {path.name: path.read_text() for path in PAGES}


def blocks(language: str) -> list[str]:
    texts = [text for name, text in DOCUMENTS.items() if name != MADE.name]
    return [block for text in texts for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def commands() -> list[str]:
    lines = [re.split(r"\s#\s", line)[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line.removeprefix(".venv/bin/") for line in lines if re.match(r"(\.venv/bin/)?impasto ", line)]


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command: str) -> None:
    _, *arguments = shlex.split(command)
    parsed, _bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    assert callable(parsed)


SMALLER = [
    (r"--minutes \S+", "--minutes 0.01"),
    (r"--trials \S+", "--trials 1"),
    (r"--steps \d+", "--steps 1"),
    (r"--size \d+", "--size 96"),
    (r"--crop-size \d+", "--crop-size 64"),
    (r"^impasto (batch|manifest) photos/", r"impasto \1 few/"),
    (r"^impasto camera", "impasto camera --camera clip.mp4 --frames 2 --port 0"),
    (r"--contents photos/ --styles paintings/", "--contents few/ --styles starry.jpg --preset draft --size 64"),
]


def smaller(command: str) -> list[str]:
    """The arguments of a command of the README, for less work: fewer minutes, smaller pictures."""
    for pattern, instead in SMALLER:
        command = re.sub(pattern, instead, command)
    if re.search(r" (paint|film) ", command) and "--size" not in command:
        command += " --size 96"
    if "train encoder" in command:
        command += " --crops 16 --steps 1 --crop-size 64"
    return shlex.split(command)[1:]


def random_vgg19(path: Path) -> None:
    shapes = {key: width for key, width in VGG19.convolutions.items() if key <= "5_1"}
    state, channels = {}, 3
    for key, width in shapes.items():
        state[f"conv{key}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
        state[f"conv{key}.bias"], channels = torch.zeros(width), width
    state["conv1_1.weight"] /= 128
    torch.save(state, path)


def write_masks(folder: Path) -> None:
    for name, left, right in (("sky.png", 0, 64), ("grey.png", 20, 128)):
        mask = Image.new("L", (128, 96), 40)
        mask.paste(255, (left, 0, right, 96))
        mask.save(folder / name)
    for name in ("map.png", "style_map.png"):
        drawn = Image.new("RGB", (128, 96), (0, 0, 255))
        drawn.paste((255, 0, 0), (0, 0, 64, 96))
        drawn.save(folder / name)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("few_crops")
def test_commands_do_what_they_say(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours, theirs = ("swirls", "mosaic", "hatching", "woodblock"), ("irises", "sunrise", "kiss", "horse")
    styles = [*(f"{name}.jpg" for name in ours), *(f"{name}.webp" for name in theirs)]
    for number, name in enumerate(("photo.jpg", "starry.jpg", "a.jpg", "b.jpg", *styles)):
        save(name, 96, 128, number)
    for folder, count in (("photos", 24), ("paintings", 24), ("my_paintings", 12), ("few", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            save(f"{folder}/{folder}{number:02}.jpg", 72, 80, 100 * len(folder) + number)
    write_masks(tmp_path)
    clip(tmp_path / "clip.mp4", moving(5, 96, 128), sound=True)
    run("film", "clip.mp4", "looks", "--size", 64, "-o", "party.gif")
    for name, kind in (("pointillist_divisionist", "paintings"), ("ukiyoe", "paintings"), ("photos", "photos")):
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{kind}/{kind}{n:02}.jpg" for n in range(24)))
    random_vgg19(tmp_path / "vgg19-dcbb9e9d.pth")
    for script, arguments in re.findall(r"^python (examples/\S+) (.*)$", "".join(blocks("sh")), re.MULTILINE):
        subprocess.run([sys.executable, ROOT / script, *shlex.split(arguments)], check=True)
    for command in commands():
        if re.match("impasto (studio|serve)", command):
            continue  # they serve until they are stopped: tests/serving/test_studio.py
        arguments = smaller(command)
        flag = next((flag for flag in ("-o", "--report", "--sheet") if flag in arguments), None)
        written = Path(arguments[arguments.index(flag) + 1]) if flag else None
        if written and written.is_file():
            for old in tmp_path.glob(f"{written.stem}.*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        assert run(*arguments) == 0, command
        assert written is None or written.exists() != ("--estimate" in arguments), command


def test_blocks_of_python_run(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("photo.jpg", 96, 128, 0)
    for number, name in enumerate(("starry.jpg", "a.jpg", "b.jpg")):
        save(name, 96, 96, 4 + number)
    write_masks(tmp_path)
    clip(tmp_path / "clip.mp4", moving(3, 96, 128))
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(block.replace("size=1024", "size=64").replace("balanced", "draft"), {})
        with Image.open(tmp_path / "out.png") as painted:
            assert painted.size[0] * 3 == painted.size[1] * 4
        (tmp_path / "out.png").unlink()


def test_links_and_the_tree_exist() -> None:
    for name, text in DOCUMENTS.items():
        folder = ROOT / "docs" if (ROOT / "docs" / name).is_file() else ROOT
        links = re.findall(r'src="([^"]+)"', text) + re.findall(r"\]\(([^)#:]+)\)", text)
        for link in links if name != MADE.name else []:
            assert (folder / link).is_file(), f"{name}: {link}"
    (tree,) = [block for block in re.findall(r"\n\n```\n(.*?)```", DOCUMENTS["ARCHITECTURE.md"], re.DOTALL) if
               "src/impasto/" in block]  # fmt: skip
    for line in tree.splitlines():
        folder = ROOT / "src" / "impasto" if line.startswith("  ") else ROOT
        for name in re.split(r"\s{3,}", line.strip())[0].split():
            assert (folder / name).exists(), name


def test_the_reference_is_that_of_the_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))["reference"]()
    assert made == MADE.read_text(), "run: python docs/reference.py"


def test_the_readme_fits_on_two_screens() -> None:
    assert len(DOCUMENTS["README.md"].splitlines()) < 90


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    names = [ROOT / name for name in listed.split("\0") if name] or [
        path for path in ROOT.rglob("*") if path.is_file() and not {".venv", ".git"} & set(path.parts)
    ]
    read = 0
    for path in names:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        read += 1
        assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", text), path
    assert read > 100


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
