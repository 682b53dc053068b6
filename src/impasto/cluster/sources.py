"""Where photos come from: files of this machine, and of storages elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from impasto.errors import InputError, PictureError, SettingsError
from impasto.media.formats import named_as_picture
from impasto.storage import Storage, is_remote, split

_COLUMNS = ("uri", "content")


def fetch(uri: str) -> bytes:
    """The bytes of a photo.

    Raises:
        PictureError: there is none.
        StorageError: its storage cannot be reached.
    """
    if not is_remote(uri):
        try:
            return Path(uri).read_bytes()
        except OSError as error:
            raise PictureError(f"There is no picture {uri} that can be read ({error.strerror}).") from error
    place, name = split(uri)
    data = _storage(place).get(name)
    if data is None:
        raise PictureError(f"There is no picture {uri}.")
    return data


def found(sources: Sequence[str]) -> Iterator[str]:
    """The photos of folders, lists (.txt), tables (.csv with a column uri or content) and buckets, in order.

    Raises:
        InputError: a source without pictures, or a table without that column.
        SettingsError: an address that carries a secret.
    """
    for source in sources:
        empty = True
        for uri in _in(source):
            _check_address(uri)
            empty = False
            yield uri
        if empty:
            raise InputError(f"There are no pictures in {source}; give a folder, a list (.txt), a .csv, or a bucket.")


def _in(source: str) -> Iterator[str]:
    if is_remote(source):
        _check_address(source)
        place, prefix = split(source)
        if named_as_picture(Path(prefix)):
            yield source
        else:
            inside = (name for name in _storage(place).names(prefix) if named_as_picture(Path(name)))
            yield from sorted(f"{place}/{name}" for name in inside)
        return
    path = Path(source)
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if named_as_picture(one) and not one.name.startswith(".") and one.is_file():
                yield str(one)
    elif path.suffix.lower() in (".txt", ".csv"):
        lines = _lines(path) if path.suffix.lower() == ".txt" else _column(path)
        yield from (line if is_remote(line) else str(path.parent / line) for line in lines)
    elif path.is_file():
        yield source


def _lines(path: Path) -> Iterator[str]:
    with _text(path) as lines:
        yield from (line.rstrip("\n") for line in lines if line.strip())


def _column(path: Path) -> Iterator[str]:
    import csv

    with _text(path) as lines:
        table = csv.DictReader(lines)
        column = next((name for name in _COLUMNS if name in (table.fieldnames or ())), None)
        if column is None:
            raise InputError(f"{path} needs a first line with the column uri or content.")
        yield from (row[column] for row in table if row[column])


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text ({error}); give one picture a line.") from error


def _check_address(uri: str) -> None:
    if is_remote(uri):
        parts = urlsplit(uri)
        if parts.query or "@" in parts.netloc:
            raise SettingsError(
                f"An address with a query or a password ({parts.scheme}://{parts.hostname}{parts.path}) may carry a "
                "secret, and manifests are read by many; give credentials in the environment."
            )


@lru_cache(maxsize=64)
def _storage(place: str) -> Storage:
    return Storage(place)
