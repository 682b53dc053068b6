"""The house: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import impasto

PACKAGE = Path(impasto.__file__).parent
FLOORS = [
    {"errors", "device", "masks", "luma", "processes", "weights", "provenance"},
    {"media", "encoders", "losses", "models", "controls"},
    {"engine", "shelf", "jobs", "client", "identity", "storage"},
    {"settings", "export", "signing"},
    {"brief", "presets"},
    {"training"},
    {"recipes", "library", "metrics"},
    {"batch", "search", "serving"},
    {"cluster"},
    {"cli"},
]


def imports() -> list[tuple[str, str, str]]:
    """(file, part, imported part) for every import inside the package, also those within functions."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE)
        part = relative.parts[0].removesuffix(".py")
        if part.startswith("__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [(str(relative), part, name.split(".")[1]) for name in names if name.startswith("impasto.")]
    return found


def test_each_part_imports_only_from_below() -> None:
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    pairs = imports()
    assert len(pairs) > 30
    wrong = [
        f"{file} imports {imported}"
        for file, part, imported in pairs
        if part != imported and not (floor[imported] < floor[part] or floor[part] == 0 == floor[imported])
    ]
    assert wrong == []


def test_only_device_names_devices() -> None:
    named = [path.name for path in PACKAGE.rglob("*.py") if '"cuda"' in path.read_text()]
    assert named == ["device.py"]


def test_importing_the_package_and_the_door_leaves_what_is_large_alone() -> None:
    code = "import sys, impasto, impasto.cli; assert not {'torch', 'pyarrow', 'ray', 'obstore'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_functions_fit_a_screen_and_doors_two_hundred_and_fifty_lines() -> None:
    long = []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        if path.parent.name == "cli" and len(text.splitlines()) > 250:
            long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{path.name}: {node.name}")
    assert long == []


def test_one_word_for_one_idea() -> None:
    """No two classes of one name, but for what every command or network has of its own."""
    named: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in named.items() if len(paths) > 1} == {}
