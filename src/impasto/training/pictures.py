"""Pictures to learn from: found in folders, archives and lists, split once, cut into crops."""

from __future__ import annotations

import csv
import random
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import torch
from torch import Tensor

from impasto.errors import InputError, PictureError
from impasto.media.files import make_folder
from impasto.media.formats import named_as_picture
from impasto.media.geometry import resample
from impasto.media.image import read
from impasto.training.settings import Training
from impasto.weights.fetch import cache_folder
from impasto.weights.files import sha256

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_LARGEST = 3.0
_MOST_ENLARGED = 4.0
_CACHE_BYTES = 3 << 30


@dataclass(frozen=True)
class Split:
    """Paths for learning, for choosing among what was learned, and for the figures that are reported."""

    training: list[Path]
    validation: list[Path]
    test: list[Path]


def find_pictures(sources: Sequence[Path]) -> list[list[Path]]:
    """The pictures of each source: itself, below a folder, in a .zip or .tar, or named in a list; sorted by name.

    A list is a text file with a path in each line, or a .csv with a column `path`; paths are relative to the list's
    folder or to one above it. An archive is unpacked once, to the cache folder.

    Raises:
        InputError: a source is missing or holds no picture.
    """
    return [_pictures_of(source) for source in sources]


def shipped_photos() -> list[Path]:
    """The few photos of the package; they suffice to specialise a network, which is judged on other crops of them."""
    (paths,) = find_pictures([Path(str(files("impasto.training") / "photos"))])
    return paths


def _pictures_of(source: Path) -> list[Path]:
    if source.name.lower().endswith(_ARCHIVES) and source.is_file():
        source = _unpacked(source)
    if source.is_file() and source.suffix.lower() in (".txt", ".csv"):
        paths = _listed(source)
    elif source.is_file() and named_as_picture(source):
        paths = [source]
    else:
        paths = [path for path in source.rglob("*") if named_as_picture(path) and path.is_file()]
    if not paths:
        raise InputError(
            f"There are no pictures in {source}; give a folder of pictures, a .zip or .tar of them, or a list "
            "(.txt or .csv)."
        )
    return sorted(paths)


def _listed(source: Path) -> list[Path]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            if source.suffix.lower() == ".csv":
                names = [row.get("path") or "" for row in csv.DictReader(file)]
            else:
                names = file.read().splitlines()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source} cannot be read as a list ({error}); save it as text in UTF-8.") from error
    names = [name.strip() for name in names if name.strip()]
    roots = [source.parent, *source.absolute().parent.parents]
    root = next((root for root in roots if names and (root / names[0]).is_file()), source.parent)
    return [root / name for name in names if named_as_picture(Path(name))]


def _unpacked(archive: Path) -> Path:
    """The folder that holds the pictures of `archive`, whatever names it gives them."""
    target = cache_folder() / "archives" / sha256(archive)[:16]
    if target.is_dir():
        return target
    make_folder(target.parent)
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        for number, (name, file) in enumerate(_members(archive)):
            with (partial / f"{number:07d}{PurePosixPath(name).suffix.lower()}").open("wb") as copy:
                shutil.copyfileobj(file, copy)
        with suppress(OSError):  # another process may have been first
            partial.rename(target)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError) as error:
        raise InputError(
            f"{archive} cannot be unpacked ({error}); give an intact archive without a password, or a folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _members(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for name in sorted(packed.namelist()):
                if named_as_picture(PurePosixPath(name)):
                    with packed.open(name) as file:
                        yield name, file  # type: ignore[misc]
        return
    with tarfile.open(archive) as tape:
        for member in sorted(tape.getmembers(), key=lambda member: member.name):
            if member.isfile() and named_as_picture(PurePosixPath(member.name)):
                opened = tape.extractfile(member)
                assert opened is not None
                yield member.name, opened  # type: ignore[misc]


def split(paths: Sequence[Path], seed: int = 0, held_out: float = 0.1) -> Split:
    """All but a share for training, half of that for validation and half for testing, by the paths and the seed."""
    shuffled = list(paths)
    random.Random(seed).shuffle(shuffled)
    first, second = (int(share * len(shuffled)) for share in (1 - held_out, 1 - held_out / 2))
    return Split(shuffled[:first], shuffled[first:second], shuffled[second:])


def split_sources(sources: Sequence[Path], settings: Training) -> Split:
    """The pictures of all sources, split by the seed of the settings.

    Raises:
        InputError: there are too few of them.
    """
    parts = split([path for paths in find_pictures(sources) for path in paths], settings.seed)
    if not parts.validation or not parts.test or len(parts.training) < settings.batch:
        count = len(parts.training) + len(parts.validation) + len(parts.test)
        raise InputError(
            f"{', '.join(map(str, sources))} holds {count} pictures; a training needs {max(21, 2 * settings.batch)} or "
            "more, for learning, validation and testing: give more, or a smaller --batch."
        )
    return parts


class Crops:
    """Random square crops at random scales, drawn from several sources in turn: crop i depends on seed and i alone.

    A share of `disturbed` crops is changed as an optimiser changes pictures: noise, fine or coarse, added to it, or
    half of another crop mixed in. A share of `enlarged` ones is soft, as small paintings are in large results. None is
    made smaller than `smallest_scale` times the picture's own size. Decoded pictures are kept in memory, up to a limit;
    broken ones are passed over and remembered in `broken`.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[Path]],
        size: int,
        *,
        seed: int = 0,
        disturbed: float = 0.25,
        enlarged: float = 0.0,
        smallest_scale: float = 0.0,
    ) -> None:
        self.sources = [list(paths) for paths in sources]
        self.size = size
        self.seed = seed
        self.disturbed, self.enlarged, self.smallest_scale = disturbed, enlarged, smallest_scale
        self.drawn = 0
        self.broken: set[Path] = set()
        self._decoded: dict[Path, tuple[Tensor, float]] = {}
        self._bytes = 0

    def draw(self, count: int) -> Tensor:
        """The next `count` crops (count, 3, size, size), sRGB in [0, 1]."""
        self.drawn += count
        return self.batch(range(self.drawn - count, self.drawn))

    def batch(self, indices: Sequence[int]) -> Tensor:
        """The crops (N, 3, size, size) of these numbers, sRGB in [0, 1].

        Raises:
            InputError: no picture of a source can be read.
        """
        return torch.cat([self._disturb(index, self._crop(index)) for index in indices])

    def _crop(self, index: int, salt: str = "") -> Tensor:
        chance = random.Random(f"{self.seed} {index} {salt}")
        picture, shrink = self._picture(self.sources[index % len(self.sources)], chance)
        short = min(picture.shape[-2:])
        smallest = min(1.0, self.smallest_scale / shrink) * short
        scale = max(self.size, chance.uniform(max(self.size, smallest), max(self.size, short))) / short
        if self.enlarged and chance.random() < self.enlarged:
            scale *= chance.uniform(1, _MOST_ENLARGED)
        side = min(short, round(self.size / scale))
        top, left = (chance.randint(0, length - side) for length in picture.shape[-2:])
        window = picture[..., top : top + side, left : left + side].float() / 255
        if chance.random() < 0.5:
            window = window.flip(3)
        return resample(window, (self.size, self.size)).clamp(0, 1)

    def _picture(self, paths: Sequence[Path], chance: random.Random) -> tuple[Tensor, float]:
        """A picture (1, 3, H, W) in whole numbers from 0 to 255, and by how much it was shrunk."""
        for _ in range(100 + len(paths)):
            path = chance.choice(paths)
            if path in self._decoded:
                return self._decoded[path]
            if path in self.broken:
                continue
            try:
                pixels = read(path).pixels
            except PictureError:
                self.broken.add(path)
                continue
            shrink = max(self.smallest_scale, min(1.0, _LARGEST * self.size / min(pixels.shape[-2:])))
            pixels = resample(pixels, (round(pixels.shape[-2] * shrink), round(pixels.shape[-1] * shrink)))
            picture = pixels.clamp(0, 1).mul(255).round().byte()
            if self._bytes + picture.numel() < _CACHE_BYTES:
                self._bytes += picture.numel()
                self._decoded[path] = picture, shrink
            return picture, shrink
        raise InputError(f"None of the {len(paths)} pictures beside {paths[0]} can be read; give intact ones.")

    def _disturb(self, index: int, crop: Tensor) -> Tensor:
        chance = random.Random(f"{self.seed} {index} disturb")
        kind = chance.random() / self.disturbed if self.disturbed else 1.0
        if kind >= 1:
            return crop
        if kind < 0.3:
            return crop.lerp(self._crop(index + 1, "other"), chance.uniform(0.2, 0.5))
        side = -(-self.size // chance.choice((1, 1, 2, 4)))
        generator = torch.Generator().manual_seed(chance.getrandbits(32))
        noise = torch.randn(1, 3, side, side, generator=generator)
        noise = torch.nn.functional.interpolate(noise, size=crop.shape[-2:], mode="bilinear")
        return (crop + chance.uniform(0.02, 0.2) * noise).clamp(0, 1)
