"""Films of the studio: painted frame by frame in a worker's folder; what is half done travels as one archive."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.brief import Brief
    from impasto.recipes.film import FilmStep
    from impasto.recipes.pictures import Pictures

MOST_SIDE, MOST_SECONDS, MOST_FRAMES = 4096, 60.0, 3600
_BRANDS = (
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"qt  ",
    b"M4V ",
    b"M4VH",
    b"3gp4",
    b"3gp5",
)
_MATROSKA = b"\x1a\x45\xdf\xa3"


def is_film(head: bytes) -> bool:
    """Whether a file begins as a film does: MP4, MOV, MKV, WebM or AVI."""
    if head.startswith(_MATROSKA) or (head[:4] == b"RIFF" and head[8:11] == b"AVI"):
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


@dataclass
class FilmPainting:
    """A film that is being painted in `folder`; `saved` is what `state` gave before.

    Raises:
        InputError: it cannot be painted, or not be written as MP4.
    """

    source: Path
    folder: Path
    brief: Brief
    pictures: Pictures
    steady: float

    def __post_init__(self) -> None:
        from impasto.recipes.film import FilmOptions, FilmWork

        self.output = self.folder / "film.mp4"
        self._work = FilmWork(self.source, self.brief, self.output, FilmOptions(self.steady), self.pictures)
        shutil.rmtree(self._work.folder, ignore_errors=True)
        self._work.check(force=True, resume=False)

    def steps(self, saved: bytes | None) -> Generator[FilmStep, None, None]:
        """Paint what is not painted yet; leaving early keeps what is done."""
        if saved is not None:
            with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
                archive.extractall(self.folder, filter="data")
        yield from self._work.steps(resume=saved is not None)

    def written(self) -> bytes | None:
        """The film as far as it is painted, if anything is."""
        return self.output.read_bytes() if self._work.write() else None

    def state(self) -> bytes:
        """From where it goes on."""
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(self._work.folder, arcname=self._work.folder.name)
        return file.getvalue()

    def clean(self) -> None:
        """Leave nothing in the folder."""
        self._work.clean()
        self.output.unlink(missing_ok=True)
