"""Where and how a picture is written, and its record beside it where the format cannot carry it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import SettingsError
from impasto.media.files import check_apart, check_writable, replacing
from impasto.media.formats import LONGEST_SIDE, WITHOUT_METADATA, Format
from impasto.media.writing import check_format, write
from impasto.provenance import Record

if TYPE_CHECKING:
    from impasto.media.image import Depth, Picture

_DPI = 1, 10_000


@dataclass(frozen=True)
class Output:
    """A picture file to be written.

    `quality`, `depth` and `dpi` are those of `media.writing.write`; `json` is a second file for the record.
    """

    path: Path
    quality: int | None = None
    depth: Depth | None = None
    dpi: float | None = None
    json: Path | None = None

    def check(
        self, inputs: Iterable[str | Path | None] = (), *, force: bool, besides: Iterable[Path | None] = ()
    ) -> None:
        """See to it that it can be written, before any work; `besides` are other files that will be.

        Raises:
            SettingsError: an unknown suffix, or a quality, depth or resolution that cannot be had.
            OutputError: a file is an input, is there and `force` is not given, or cannot be written.
        """
        check_format(self.path, quality=self.quality, depth=self.depth)
        if self.dpi is not None and not _DPI[0] <= self.dpi <= _DPI[1]:
            raise SettingsError(f"Expected a resolution from {_DPI[0]} to {_DPI[1]} dots per inch, not {self.dpi:g}.")
        records = self.records()
        for path in (self.path, *records):
            check_writable(path, force=force)
        check_apart([self.path, *records, *besides], inputs)

    def check_holds(self, size: tuple[int, int]) -> None:
        """Raise `SettingsError` where the format cannot hold a picture of `size` (height, width)."""
        longest = LONGEST_SIDE.get(self.format, max(size))
        if max(size) > longest:
            raise SettingsError(
                f"A {self.path.suffix} holds at most {longest} pixels a side, not {max(size)}; write a .png or .tif."
            )

    @property
    def format(self) -> Format:
        """That of the suffix."""
        return check_format(self.path)

    def records(self) -> list[Path]:
        """The files that the record is written to."""
        beside = record_beside(self.path) if self.format in WITHOUT_METADATA else None
        return [path for path in dict.fromkeys((self.json, beside)) if path]

    def told(self) -> dict[str, object]:
        """What the record says of it."""
        told = {"format": self.format, "quality": self.quality, "depth": self.depth}
        return told | ({"dpi": self.dpi} if self.dpi else {})

    def write(self, picture: Picture) -> None:
        """Write the picture, and its record where that is asked for or needed.

        Raises:
            OutputError: it cannot be written.
        """
        write(picture, self.path, quality=self.quality, depth=self.depth, dpi=self.dpi, force=True)
        for path in self.records() if picture.metadata else []:
            with replacing(path) as temporary:
                temporary.write_text(
                    Record.from_xmp(picture.metadata).model_dump_json(indent=2) + "\n", encoding="utf-8"
                )


def record_beside(picture: Path) -> Path:
    """The file beside a picture whose format cannot carry its record."""
    return picture.with_name(picture.name + ".json")


def checkpoint_path(output: Path) -> Path:
    """Where the unfinished painting of `output` lies."""
    return output.with_name(output.name + ".unfinished")
