"""The house: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import impasto

PACKAGE = Path(impasto.__file__).parent
FLOORS = [
    {"errors", "device", "masks", "processes", "weights", "provenance"},
    {"media", "encoders", "losses", "models", "controls"},
    {"engine", "shelf"},
    {"settings"},
    {"brief"},
    {"recipes", "training", "library", "metrics", "export"},
    {"batch", "search", "cluster", "serving"},
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


def test_importing_the_package_and_the_door_leaves_torch_alone() -> None:
    code = "import sys, impasto, impasto.cli; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)
