"""A manifest cut into shards: photos of one shape together, each shard a row group of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.cluster.manifest import ManifestRow, chunks, parquet, schema
from impasto.storage import Storage, StoredFile

if TYPE_CHECKING:
    import pyarrow

_CHUNK = 100_000
_SAME = "same"


@dataclass(frozen=True)
class Shards:
    """How many rows and shards there are, and how many rows are copies of another."""

    rows: int
    shards: int
    copies: int


@dataclass(frozen=True)
class ShardRow:
    """A photo of a shard; `copy`: another row of the plan has the same bytes, and is painted in its place."""

    entry: ManifestRow
    copy: bool


def write_shards(manifest: Path, output: Path, size: int | None, rows_each: int) -> Shards:
    """Sort a manifest by the shapes that photos are painted in, and write it in shards.

    It is done 100,000 rows at a time, so that memory does not grow with the manifest; copies of a photo are found
    within these.

    Args:
        size: the long side of results; None: that of each photo.
        rows_each: photos of a shard, at most.

    Raises:
        InputError: it is no manifest.
    """
    import pyarrow

    rows = shards = copies = 0
    with parquet().ParquetWriter(output, schema().append(pyarrow.field(_SAME, pyarrow.bool_()))) as writer:
        for chunk in chunks(manifest, _CHUNK):
            ordered = _ordered(chunk, size)
            writer.write_table(ordered, row_group_size=rows_each)
            rows += len(ordered)
            shards += -(-len(ordered) // rows_each)
            copies += ordered[_SAME].to_pylist().count(True)
    return Shards(rows, shards, copies)


@dataclass(frozen=True)
class ShardTable:
    """The shards in a storage; one at a time is read."""

    storage: Storage
    name: str

    def rows(self, shard: int) -> Iterator[ShardRow]:
        """The photos of a shard."""
        for row in self._file.read_row_group(shard).to_pylist():
            copy = row.pop(_SAME)
            yield ShardRow(ManifestRow(**row), copy)

    @cached_property
    def _file(self) -> Any:
        return parquet().ParquetFile(StoredFile(self.storage, self.name))


def _ordered(chunk: pyarrow.Table, size: int | None) -> pyarrow.Table:
    import numpy
    import pyarrow
    import pyarrow.compute as compute

    height, width = (chunk[name].to_numpy() for name in ("height", "width"))
    scale = 1.0 if size is None else size / numpy.maximum(height, width)
    shape = numpy.rint(height * scale).astype("int64") << 32 | numpy.rint(width * scale).astype("int64")
    order = compute.sort_indices(
        pyarrow.table({"shape": shape, "sha256": chunk["sha256"]}),
        sort_keys=[("shape", "ascending"), ("sha256", "ascending")],
    )
    ordered = chunk.take(order).combine_chunks()
    digests = ordered["sha256"].combine_chunks()
    same = numpy.zeros(len(ordered), bool)
    if len(ordered) > 1:
        same[1:] = compute.equal(digests[1:], digests[:-1]).to_numpy(zero_copy_only=False)
    return ordered.append_column(_SAME, pyarrow.array(same))
