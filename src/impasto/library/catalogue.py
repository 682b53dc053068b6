"""The catalogue of style pictures: a table in the user's data folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from impasto.encoders import load_encoder
from impasto.errors import InputError, OutputError, PictureError
from impasto.library.folder import library_folder, table
from impasto.library.traits import SIZE, Traits, traits_of
from impasto.media.image import dimensions, read
from impasto.weights.files import sha256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS styles (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, artist TEXT, title TEXT, year TEXT, source TEXT, licence TEXT,
    traits BLOB NOT NULL
)
"""
FACTS = ("artist", "title", "year", "source", "licence")


@dataclass(frozen=True)
class Entry:
    """A style picture, what is known of it, and what it is like."""

    path: Path
    sha256: str
    facts: dict[str, str]
    traits: Traits

    @property
    def label(self) -> str:
        """Artist, title and year as far as known; the file's name where the title is not."""
        artist, title, year = (self.facts[name] for name in ("artist", "title", "year"))
        named = title or (self.path.stem if artist or year else self.path.name)
        return ", ".join(value for value in (artist, named, year) if value)

    def here(self) -> bool:
        """Whether the picture still lies where it was."""
        return self.path.is_file()


class Catalogue:
    """The library in `folder`, or in the user's.

    Raises:
        OutputError: the folder cannot be made, or its table is damaged.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or library_folder()
        self.path = table(folder)
        with self._opened():
            folder.mkdir(parents=True, exist_ok=True)
            self._table = sqlite3.connect(self.path, timeout=60)
            self._table.execute(_SCHEMA)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"The library {self.path} cannot be used ({error}); set IMPASTO_LIBRARY.") from error

    def add(self, paths: Sequence[Path], facts: dict[str, str]) -> Iterator[tuple[Path, str]]:
        """Enter pictures, yielding each with what was done: added, moved, known, or why it was passed over.

        A picture that is known under another path, where it is no more, has moved and keeps its facts.

        Raises:
            OutputError: the table cannot be written to.
        """
        encoder = load_encoder("compact")
        for path in paths:
            path = path.absolute()
            try:
                digest = sha256(path)
                row = self._table.execute("SELECT path FROM styles WHERE sha256 = ?", (digest,)).fetchone()
                if row and (Path(row[0]) == path or Path(row[0]).is_file()):
                    yield path, self._update(Path(row[0]), facts)
                    continue
                if row:
                    with self._opened(), self._table:
                        self._table.execute("DELETE FROM styles WHERE path = ?", (str(path),))
                        self._table.execute("UPDATE styles SET path = ? WHERE path = ?", (str(path), row[0]))
                    self._update(path, facts)
                    yield path, "moved"
                    continue
                traits = traits_of(read(path, min(SIZE, max(dimensions(path)))).pixels, encoder)
            except PictureError as error:
                yield path, str(error)
                continue
            except OSError as error:
                yield path, f"{path} cannot be read ({error.strerror}); check the name and its permissions."
                continue
            values = [facts.get(name, "") for name in FACTS]
            with self._opened(), self._table:
                self._table.execute(
                    "INSERT OR REPLACE INTO styles VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (str(path), digest, *values, traits.pack()),
                )
            yield path, "added"

    def _update(self, path: Path, facts: dict[str, str]) -> str:
        given = {name: value for name, value in facts.items() if value}
        if given:
            with self._opened(), self._table:
                told = ", ".join(f"{name} = ?" for name in given)
                self._table.execute(f"UPDATE styles SET {told} WHERE path = ?", (*given.values(), str(path)))
        return "known"

    def entries(self) -> list[Entry]:
        """All styles, by artist and title."""
        with self._opened():
            rows = self._table.execute(
                "SELECT path, sha256, artist, title, year, source, licence, traits FROM styles "
                "ORDER BY artist, title, path"
            ).fetchall()
        return [Entry(Path(row[0]), row[1], dict(zip(FACTS, row[2:7])), Traits.unpack(row[7])) for row in rows]

    def remove(self, names: Sequence[str]) -> int:
        """Take styles out by path or file name, and return how many; the pictures themselves stay.

        Raises:
            InputError: none is called so.
        """
        gone = [entry for entry in self.entries() if {str(entry.path), entry.path.name, entry.path.stem} & set(names)]
        if not gone:
            raise InputError(f"No style in the library is called {', '.join(names)}; see 'impasto styles list'.")
        with self._opened(), self._table:
            self._table.executemany("DELETE FROM styles WHERE path = ?", [(str(entry.path),) for entry in gone])
        return len(gone)
