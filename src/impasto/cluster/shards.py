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

_CHUNK = 20_000


@dataclass(frozen=True)
class Shards:
    """How many rows and shards there are."""

    rows: int
    shards: int


def write_shards(manifest: Path, output: Path, size: int | None, rows_each: int) -> Shards:
    """Sort a manifest by the shapes that photos are painted in, and write it in shards.

    It is done 20,000 rows at a time, so that memory does not grow with the manifest. Copies of a photo come one after
    another.

    Args:
        size: the long side of results; None: that of each photo.
        rows_each: photos of a shard, at most.

    Raises:
        InputError: it is no manifest.
    """
    rows = shards = 0
    with parquet().ParquetWriter(output, schema()) as writer:
        for chunk in chunks(manifest, max(_CHUNK, rows_each)):
            ordered = _ordered(chunk, size)
            writer.write_table(ordered, row_group_size=rows_each)
            rows += len(ordered)
            shards += -(-len(ordered) // rows_each)
    return Shards(rows, shards)


@dataclass(frozen=True)
class ShardTable:
    """The shards in a storage; one at a time is read."""

    storage: Storage
    name: str

    def rows(self, shard: int) -> Iterator[ManifestRow]:
        """The photos of a shard."""
        for row in self._file.read_row_group(shard).to_pylist():
            yield ManifestRow(**row)

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
    return chunk.take(order).combine_chunks()
