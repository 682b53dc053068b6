"""Models by name: shipped ones in the package, the user's in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

import platformdirs

from impasto.errors import InputError, OutputError, UnknownName, WeightsError
from impasto.media.files import replacing
from impasto.shelf.card import SUFFIX, Card, load_model
from impasto.weights.files import sha256

_NAME = re.compile(r"\w[\w.-]{0,63}")
RESERVED = ("optimize", "none", "auto", "rest", "saved", "subject", "face", "draft", "balanced", "best", "gatys")


def shipped_folder() -> Path:
    """Where the models of the package lie."""
    return Path(str(files("impasto.weights")))


def shelf_folder() -> Path:
    """Where the user's models lie: `IMPASTO_SHELF`, or a folder of the user's data (version 0.1's is kept)."""
    named, data = os.environ.get("IMPASTO_SHELF"), Path(platformdirs.user_data_dir("impasto", appauthor=False))
    former = data / "collection"
    return Path(named) if named else former if former.is_dir() else data / "shelf"


def models() -> dict[str, Path]:
    """{name: file} of every model, shipped ones first; none of the user's takes the name of a shipped one."""
    shipped, own = (
        {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))} for folder in (shipped_folder(), shelf_folder())
    )
    return shipped | {name: path for name, path in own.items() if name not in shipped}


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


def named_as(digest: str) -> str | None:
    """The name of the model whose file has this SHA-256, if the shelf has it."""
    return next((name for name, path in models().items() if sha256(path) == digest), None)


def add(path: Path, name: str | None = None, *, force: bool = False) -> Card:
    """Put a copy of a model on the shelf, under `name` or its own.

    Raises:
        WeightsError: it is no model, or damaged.
        InputError: a name with anything but letters, digits, dots, dashes and underscores, or one that means something.
        OutputError: the name is taken, or the shelf cannot be written to.
    """
    name = name or path.stem
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a model; use letters, digits, dots, dashes and underscores.")
    if name.lower() in {*RESERVED, *(shipped.stem for shipped in shipped_folder().glob(f"*{SUFFIX}"))}:
        raise InputError(f"{name!r} already means something here; give the model another name with --name.")
    if path.suffix != SUFFIX:
        raise InputError(f"{path} is no model; expected a {SUFFIX} file, such as 'impasto train' writes.")
    card, _ = load_model(path)
    folder = shelf_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The shelf {folder} cannot be made ({error.strerror}); set IMPASTO_SHELF.") from error
    with replacing(folder / f"{name}{SUFFIX}", force=force) as temporary:
        shutil.copyfile(path, temporary)
    return card


def remove(name: str) -> None:
    """Take one of the user's models off the shelf.

    Raises:
        UnknownName: there is none of that name.
        InputError: it comes with the package.
    """
    path = shelf_folder() / f"{name}{SUFFIX}"
    if not _NAME.fullmatch(name) or not path.is_file():
        find(name)
        raise InputError(f"{name} comes with the package and stays; only models that you added can be removed.")
    path.unlink()
