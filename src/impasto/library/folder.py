"""Where the user's library lies, and under what licences its pictures may be used; nothing else of it is loaded."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import platformdirs

_NOT_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial|not for commercial", re.IGNORECASE)


def library_folder() -> Path:
    """Where the user's library lies: `IMPASTO_LIBRARY`, or a folder of the user's data."""
    named = os.environ.get("IMPASTO_LIBRARY")
    return Path(named or Path(platformdirs.user_data_dir("impasto", appauthor=False)) / "library")


def table(folder: Path | None = None) -> Path:
    """The file with what is known of its pictures."""
    return (folder or library_folder()) / "styles.sqlite"


def licence_of(digest: str) -> str:
    """The licence of the picture with that SHA-256; "" where none is known."""
    path = table()
    if not path.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            row = connection.execute("SELECT licence FROM styles WHERE sha256 = ?", (digest,)).fetchone()
    except sqlite3.Error:
        return ""
    return row[0] or "" if row else ""


def is_commercial(licence: str) -> bool:
    """Whether a licence, as it is written, lets a picture be used commercially; one that is not known does."""
    return not _NOT_COMMERCIAL.search(licence)
