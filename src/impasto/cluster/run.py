"""What a run is: said once in its output, for all who work on it, on whatever machine."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from impasto.brief import Brief
from impasto.cluster.manifest import opened
from impasto.cluster.shards import write_shards
from impasto.errors import OutputError
from impasto.library.folder import licence_of
from impasto.media.image import MAX_PIXELS, dimensions
from impasto.recipes.painting import open_brief
from impasto.shelf.models import find, shipped_folder
from impasto.storage import Storage
from impasto.weights.files import sha256

NAME = "run.json"
_LARGEST_LOOSE, _FEWEST_LOOSE = 256, 64
"""Where each result is a file: photos of a shard, and shards of a run, so that few photos have many workers."""
_PARTS = {
    "manifest": "manifest",
    "suffix": "format",
    "quality": "quality",
    "styles": "style or setting",
    "packed": "--shards",
    "rows_each": "--shards",
    "max_pixels": "--max-pixels",
    "precision": "precision",
    "versions": "versions of impasto and torch",
}


@dataclass(frozen=True)
class RunStyle:
    """One of a run's styles: what results are called after, its brief as JSON, and the hash of brief and network."""

    name: str
    brief: str
    digest: str

    def key(self, content: str) -> str:
        """The name of the result of the photo that has this SHA-256."""
        return hashlib.sha256(f"{self.digest} {content}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Run:
    """What a run is.

    Args:
        manifest: the SHA-256 of its file.
        packed: whether results lie in one tar a shard, or are a file each.
        rows_each: photos of a shard, at most.
        precision: what all compute in.
        versions: of what results depend on.
        licences: of style pictures, by their SHA-256, as far as they are known.
    """

    manifest: str
    styles: tuple[RunStyle, ...]
    suffix: str
    quality: int | None
    packed: bool
    rows_each: int
    max_pixels: int
    precision: str
    versions: dict[str, str]
    rows: int
    shards: int
    licences: dict[str, str]

    @property
    def table(self) -> str:
        """The name of its table of shards."""
        return f"shards-{self.manifest[:12]}-{self.styles[0].digest[:8]}-{self.rows_each}.parquet"

    def to_json(self) -> str:
        """What `read_run` reads."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def other_part(self, other: Run) -> str | None:
        """What another run has of its own, if anything."""
        own, others = asdict(self), asdict(other)
        return next((told for part, told in _PARTS.items() if own[part] != others[part]), None)


@dataclass(frozen=True)
class RunOptions:
    """What a user asks for: briefs that name files of this machine.

    `per_shard`: results that a tar holds; 0: each result is a file.
    """

    manifest: Path
    briefs: Mapping[str, Brief]
    suffix: str = ".png"
    quality: int | None = None
    per_shard: int = 0
    max_pixels: int = MAX_PIXELS
    precision: str = "float32"


def begin(asked: RunOptions, storage: Storage) -> Run:
    """The run in a storage: the one that is there, if it is the same, or a new one.

    Raises:
        InputError: it cannot be painted.
        OutputError: another run is there.
        StorageError: the storage cannot be used.
    """
    with opened(asked.manifest) as file:
        rows = file.metadata.num_rows
    open_brief(next(iter(asked.briefs.values())))
    hashes = dict[str, Path]()
    styles = tuple(_style(name, brief, asked, hashes) for name, brief in asked.briefs.items())
    rows_each = rows_of_a_shard(asked, rows)
    run = Run(
        sha256(asked.manifest), styles, asked.suffix, asked.quality, bool(asked.per_shard), rows_each,
        asked.max_pixels, asked.precision, versions(), 0, 0, _licences(hashes),
    )  # fmt: skip
    if there := read_run(storage):
        return _same(run, there, storage)
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        table, (size,) = Path(folder) / "table", {brief.settings.size for brief in asked.briefs.values()}
        written = write_shards(asked.manifest, table, None if size == "max" else size, rows_each)
        storage.put(run.table, table)
    for digest, path in hashes.items():
        storage.put(stored_input(digest, path), path)
    run = Run(**{**asdict(run), "styles": styles, **asdict(written)})
    if storage.put_new(NAME, run.to_json().encode()):
        return run
    there = read_run(storage)
    assert there is not None
    return _same(run, there, storage)


def rows_of_a_shard(asked: RunOptions, rows: int) -> int:
    """How many photos of a manifest with so many rows a shard holds, at most."""
    if asked.per_shard:
        return max(1, asked.per_shard // len(asked.briefs))
    return min(_LARGEST_LOOSE, max(1, rows // _FEWEST_LOOSE))


def read_run(storage: Storage) -> Run | None:
    """The run in a storage, if there is one.

    Raises:
        OutputError: it is damaged.
    """
    data = storage.get(NAME)
    if data is None:
        return None
    try:
        told = json.loads(data)
        return Run(**{**told, "styles": tuple(RunStyle(**style) for style in told["styles"])})
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(f"{storage.place} holds a damaged {NAME}; choose another output.") from error


def versions() -> dict[str, str]:
    """What results depend on, here."""
    import torch

    return {"impasto": version("impasto"), "torch": torch.__version__.partition("+")[0]}


def stored_input(digest: str, path: Path) -> str:
    """What a style picture or a model is called in the storage."""
    return f"inputs/{digest}/{path.name}"


def _same(run: Run, there: Run, storage: Storage) -> Run:
    if other := run.other_part(there):
        raise OutputError(f"{storage.place} holds a run with another {other}; choose another output.")
    return there


def _style(name: str, brief: Brief, asked: RunOptions, hashes: dict[str, Path]) -> RunStyle:
    """A style whose brief names files by where they will be stored; `hashes` has these files by their SHA-256."""
    names, model = dict[str, str](), None
    for picture in brief.pictures():
        dimensions(picture, max_pixels=asked.max_pixels)
        names[picture] = _stored(Path(picture), hashes)
    if brief.engine != "optimize":
        path = find(brief.engine)
        model = sha256(path)
        if path.parent != shipped_folder():
            names[brief.engine] = _stored(path, hashes)
    if brief.weights:
        names[brief.weights] = _stored(Path(brief.weights), hashes)
    text = brief.renamed(names).to_json()
    told = json.dumps([text, model, asked.suffix, asked.quality])
    return RunStyle(name, text, hashlib.sha256(told.encode()).hexdigest())


def _licences(hashes: Mapping[str, Path]) -> dict[str, str]:
    found = {digest: licence_of(digest) for digest in hashes}
    return {digest: licence for digest, licence in found.items() if licence}


def _stored(path: Path, hashes: dict[str, Path]) -> str:
    digest = sha256(path)
    hashes[digest] = path
    return stored_input(digest, path)
