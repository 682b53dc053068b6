"""Many small files in one, in the layout of WebDataset: files of one sample share their name up to the suffix."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


class Tar:
    """A tar that is written; the same files give the same bytes, whose SHA-256 is `digest` when it is closed."""

    def __init__(self, path: Path) -> None:
        self.path, self.digest, self.empty = path, "", True
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def __enter__(self) -> Tar:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        with self.path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """A sample: its files by suffix."""
        self.empty = False
        for suffix, data in files.items():
            told = tarfile.TarInfo(f"{key}{suffix}")
            told.size = len(data)
            self._tar.addfile(told, io.BytesIO(data))
