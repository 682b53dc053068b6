"""Pictures by the names that a brief calls them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from impasto.brief import SELECTORS, Brief, of_map
from impasto.media.geometry import fit, resample
from impasto.media.image import MAX_PIXELS, Picture, dimensions, read
from impasto.provenance import Source, labelled
from impasto.shelf.engines import named_model
from impasto.weights.files import sha256

Given = str | Path | Picture


@dataclass(frozen=True)
class Pictures:
    """Where the pictures are that a brief names: in memory, in other files than it says, or in the files that it names.

    Args:
        given: pictures or files by name.
        max_pixels: the largest picture to read.
        may_be_empty: whether masks may cover nothing, as those of films do for a while.
        licence_of: the licence of a picture by its SHA-256, for the record; "" where none is known.
    """

    given: Mapping[str, Given] = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS
    may_be_empty: bool = False
    licence_of: Callable[[str], str] = lambda _: ""

    def place(self, name: Given) -> Given:
        """The picture or file of that name."""
        return self.given.get(name, name) if isinstance(name, str) else name

    def files(self) -> list[Path]:
        """Those of the given pictures that are files."""
        return [Path(place) for place in self.given.values() if not isinstance(place, Picture)]

    def path(self, name: str) -> Path:
        """The file of that name."""
        place = self.place(name)
        return Path(name) if isinstance(place, Picture) else Path(place)

    def dimensions(self, name: Given) -> tuple[int, int]:
        """(height, width) of the picture, from its header.

        Raises:
            PictureError: there is none, or it cannot be read.
        """
        place = self.place(name)
        return place.size if isinstance(place, Picture) else dimensions(place, max_pixels=self.max_pixels)

    def read(self, name: Given, size: int | None = None) -> Picture:
        """The picture, its long side scaled to `size` if that is given.

        Raises:
            PictureError: there is none, or it cannot be read.
        """
        place = self.place(name)
        if not isinstance(place, Picture):
            return read(place, size, max_pixels=self.max_pixels)
        if size is None or max(place.size) == size:
            return place
        sized = fit(*place.size, size)
        alpha = None if place.alpha is None else resample(place.alpha, sized).clamp(0, 1)
        return replace(place, pixels=resample(place.pixels, sized).clamp(0, 1), alpha=alpha)

    def source(self, name: Given) -> Source:
        """What a record says of it: the file's name and hash; of a picture in memory, the hash of its pixels."""
        place = self.place(name)
        if isinstance(place, Picture):
            own = place.pixels.contiguous().numpy().tobytes()
            return Source(name=name if isinstance(name, str) else "picture", sha256=hashlib.sha256(own).hexdigest())
        digest = sha256(Path(place))
        return Source(name=Path(place).name, sha256=digest, licence=self.licence_of(digest) or None)


def recorded(brief: Brief, pictures: Pictures) -> tuple[Brief, dict[str, Source]]:
    """The brief as a record has it, without folders, and the sources of its pictures by what it calls them."""
    names = brief.pictures()
    sources = [pictures.source(name) for name in names]
    keys = labelled([f"_{source.name}" if _means_something(source.name) else source.name for source in sources])
    files = {name: Path(name).name for name in (brief.engine, brief.weights) if name and Path(name).suffix}
    return brief.renamed({**files, **dict(zip(names, keys))}), dict(zip(keys, sources))


def _means_something(name: str) -> bool:
    """Whether a file's name, without its folder, would be taken for something else in a brief."""
    return name in (*SELECTORS, "auto") or of_map(name) is not None or named_model(name)[0] is not None
