"""Models by name: shipped ones in the package, the user's in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

import platformdirs

from impasto.collection.card import SUFFIX, Card, read_card
from impasto.errors import InputError, OutputError, UnknownName, WeightsError
from impasto.media.files import replacing


def shipped_folder() -> Path:
    """Where the models of the package lie."""
    return Path(str(files("impasto.weights")))


def shelf_folder() -> Path:
    """Where the user's models lie: `IMPASTO_COLLECTION`, or a folder of the user's data."""
    named = os.environ.get("IMPASTO_COLLECTION")
    return Path(named or Path(platformdirs.user_data_dir("impasto", appauthor=False)) / "collection")


def models() -> dict[str, Path]:
    """{name: file} of every model; the user's own come before shipped ones of the same name."""
    found: dict[str, Path] = {}
    for folder in (shipped_folder(), shelf_folder()):
        if folder.is_dir():
            found |= {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    return found


def find(name: str) -> Path:
    """The file of a model: a path to one, or the name of one on the shelf.

    Raises:
        UnknownName: there is none.
        WeightsError: there is no such file.
    """
    if name.endswith(SUFFIX):
        if not Path(name).is_file():
            raise WeightsError(f"There is no model file {name}; check the name, or see 'impasto models list'.")
        return Path(name)
    known = models()
    if name not in known:
        raise UnknownName("model on the shelf", name, known)
    return known[name]


def add(path: Path, name: str | None = None, *, force: bool = False) -> Card:
    """Put a copy of a model on the shelf, under `name` or its own.

    Raises:
        WeightsError: it is no model, or damaged.
        InputError: a name with anything but letters, digits, dots, dashes and underscores.
        OutputError: the name is taken, or the shelf cannot be written to.
    """
    name = name or path.stem
    if not re.fullmatch(r"\w[\w.-]{0,63}", name):
        raise InputError(f"{name!r} cannot be the name of a model; use letters, digits, dots, dashes and underscores.")
    card = read_card(path)
    folder = shelf_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The shelf {folder} cannot be made ({error.strerror}); set IMPASTO_COLLECTION.") from error
    with replacing(folder / f"{name}{SUFFIX}", force=force) as temporary:
        shutil.copyfile(path, temporary)
    return card


def remove(name: str) -> None:
    """Take one of the user's models off the shelf.

    Raises:
        UnknownName: there is none of that name.
        InputError: it comes with the package.
    """
    path = find(name)
    if path.parent != shelf_folder():
        raise InputError(f"{name} comes with the package and stays; only models that you added can be removed.")
    path.unlink()
