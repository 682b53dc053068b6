"""The manifest: which photos there are, as a table (Parquet) that is made once, so that no run has to look again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from impasto.cluster.sources import fetch, found
from impasto.errors import ImpastoError, InputError, OutputError, SettingsError
from impasto.media.files import is_text, replacing
from impasto.media.image import MAX_PIXELS, dimensions
from impasto.processes import in_order
from impasto.storage import is_remote
from impasto.weights.files import sha256

if TYPE_CHECKING:
    import pyarrow

SUFFIX = ".parquet"
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class ManifestRow:
    """A photo: where it is (relative to the manifest's folder where it lies below), what, and its upright shape."""

    uri: str
    sha256: str
    height: int
    width: int


@dataclass(frozen=True)
class Examined:
    """A photo that was looked at: its entry, or why it has none."""

    uri: str
    entry: ManifestRow | None
    problem: str = ""


def write_manifest(
    sources: Sequence[str], output: Path, *, threads: int = 4, max_pixels: int = MAX_PIXELS, force: bool = False
) -> Generator[Examined, None, None]:
    """Look at every photo of the sources, and write the manifest when all have been; what cannot be read is left out.

    What has been looked at is kept beside the manifest until it is written: after an interrupt, the same call goes on.

    Raises:
        InputError: a source that cannot be used, or no picture at all.
        OutputError: the manifest is there already, or cannot be written.
    """
    arrow = parquet()
    kept = output.with_name(f"{output.name}.unfinished")
    known, below = _kept(kept), output.parent.absolute()
    look = partial(_looked, known=known, below=below, max_pixels=max_pixels)
    rows, count = list[ManifestRow](), 0
    with replacing(output, force=force) as temporary:
        with arrow.ParquetWriter(temporary, schema()) as writer, _appending(kept) as keep:
            for looked in in_order(look, found(sources), threads):
                if looked.entry:
                    rows.append(looked.entry)
                    count += 1
                    if looked.uri not in known:
                        keep.write(json.dumps([looked.uri, asdict(looked.entry)]) + "\n")
                if len(rows) == _ROWS_AT_ONCE:
                    writer.write_table(_table(rows))
                    rows.clear()
                yield looked
            writer.write_table(_table(rows))
        if not count:
            raise InputError("None of the pictures can be read, so there is no manifest to write.")
    kept.unlink(missing_ok=True)


def chunks(manifest: Path, rows: int = 20_000) -> Iterator[pyarrow.Table]:
    """The manifest's rows, so many at a time, with whole addresses.

    Raises:
        InputError: it is no manifest.
    """
    import pyarrow.compute as compute

    below = manifest.parent.absolute()
    with opened(manifest) as file:
        for table in _tables(file, rows):
            whole = compute.or_(compute.match_substring(table["uri"], "://"), compute.starts_with(table["uri"], "/"))
            joined = compute.binary_join_element_wise(str(below), table["uri"], "/")
            yield table.set_column(0, "uri", compute.if_else(whole, table["uri"], joined))


def _tables(file: Any, rows: int) -> Iterator[pyarrow.Table]:
    """Some row groups at a time, which takes half the memory of what `iter_batches` keeps."""
    import pyarrow

    waiting = list[Any]()
    for group in range(file.num_row_groups):
        waiting.append(file.read_row_group(group, columns=schema().names).cast(schema()))
        if sum(map(len, waiting)) >= rows or group == file.num_row_groups - 1:
            yield pyarrow.concat_tables(waiting)
            waiting.clear()
            pyarrow.default_memory_pool().release_unused()


def opened(manifest: Path) -> Any:
    """The file of a manifest.

    Raises:
        InputError: it is missing, damaged, or has not the columns of one.
    """
    import pyarrow

    try:
        file = parquet().ParquetFile(manifest)
        missing = [name for name in schema().names if name not in file.schema_arrow.names]
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(
            f"{manifest} cannot be read as a manifest ({error}); make one with impasto manifest."
        ) from error
    if missing:
        raise InputError(f"{manifest} has no column {missing[0]}; make a manifest with impasto manifest.")
    return file


def schema() -> pyarrow.Schema:
    """The columns of a manifest."""
    import pyarrow

    text, whole = pyarrow.string(), pyarrow.int32()
    return pyarrow.schema([("uri", text), ("sha256", text), ("height", whole), ("width", whole)])


def parquet() -> Any:
    """The library for tables.

    Raises:
        SettingsError: the extra is missing.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise SettingsError("Manifests need an extra; install it with: pip install 'impasto[cluster]'.") from error
    return pyarrow.parquet


def _looked(uri: str, known: dict[str, ManifestRow], below: Path, max_pixels: int) -> Examined:
    if uri in known:
        return Examined(uri, known[uri])
    if not is_text(uri):
        return Examined(uri, None, f"The name {uri!r} is no text in UTF-8; rename the file.")
    try:
        if is_remote(uri):
            data = fetch(uri)
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                shape, digest = dimensions(file.name, max_pixels=max_pixels), hashlib.sha256(data).hexdigest()
        else:
            shape, digest = dimensions(uri, max_pixels=max_pixels), sha256(Path(uri))
    except (ImpastoError, OSError) as error:
        return Examined(uri, None, str(error))
    return Examined(uri, ManifestRow(_seen_from(below, uri), digest, *shape))


def _seen_from(below: Path, uri: str) -> str:
    if is_remote(uri):
        return uri
    whole = Path(os.path.normpath(below / Path(uri).absolute()))
    return str(whole.relative_to(below) if whole.is_relative_to(below) else whole)


def _table(rows: Sequence[ManifestRow]) -> pyarrow.Table:
    import pyarrow

    return pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema())


def _kept(path: Path) -> dict[str, ManifestRow]:
    """What was looked at before an interrupt; a last line that was cut off counts for nothing."""
    if not path.is_file():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            uri, entry = json.loads(line)
        except ValueError:
            continue
        known[uri] = ManifestRow(**entry)
    return known


@contextmanager
def _appending(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("a", encoding="utf-8", buffering=1) as file:
            yield file
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another folder.") from error
