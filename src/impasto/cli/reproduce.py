"""`impasto reproduce`: make a picture again from the record it carries, and compare."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.progress import progress_line
from impasto.errors import RecordError

if TYPE_CHECKING:
    from impasto.media.image import Picture
    from impasto.provenance import Record, Source


def reproduce(
    picture: Path,
    /,
    *,
    inputs: Annotated[list[Path] | None, Parameter(name=["--inputs", "-i"], negative="")] = None,
    weights: Path | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
) -> None:
    """Make a picture again from the record inside it, and say how far the two are apart.

    The photo and the paintings are found by their names and SHA-256: in this folder, in the picture's, and in those
    given. Status 0: the same picture; 1: another.

    Examples:

    - `impasto reproduce out.png`
    - `impasto reproduce out.png --inputs ~/photos --inputs ~/paintings`

    Args:
        picture: A picture painted by impasto, or the JSON beside it where its format cannot carry the record.
        inputs: Folders with the photo and the paintings.
        weights: The encoder's weights, if they were given when it was painted.
        output: Keep the new picture here.
    """
    from impasto.media.writing import check_target, write

    if output is not None:
        check_target(output, force=False)
    target, record = _record_of(picture)
    folders = [Path(), target.parent, *(inputs or [])]
    photo, *styles = (_find(source, folders) for source in (record.content, *record.styles))
    if record.method == "optimize":
        again = _optimized(record, photo, styles, weights)
    else:
        again = _in_one_pass(record, photo, styles, folders)
    if output is not None:
        write(again, output, quality=record.output.get("quality"), depth=record.output.get("depth"))
    sys.exit(_compare(target, again, record))


def _optimized(record: Record, photo: Path, styles: list[Path], weights: Path | None) -> Picture:
    from impasto.recipes.job import prepare
    from impasto.recipes.recipe import preset

    recipe = preset("balanced", **record.recipe)
    job = prepare(photo, styles, recipe, blend=record.blend, weights=weights).writing(record.output)
    _check_same(record, job.record)
    step = None
    with progress_line() as progress:
        task = progress.add_task(record.content.name, total=record.done, note="")
        for step in job.painter.paint():
            progress.update(task, completed=step.done)
            if step.done >= record.done:
                break
    return job.finish(step)


def _in_one_pass(record: Record, photo: Path, styles: list[Path], folders: list[Path]) -> Picture:
    from impasto.provenance import Record
    from impasto.recipes.engines import model_of, open_model
    from impasto.recipes.quick import prepare_manner
    from impasto.recipes.recipe import Look

    assert record.model is not None
    look = Look.model_validate(record.recipe)
    model = open_model(model_of(record.model) or str(_find(record.model, folders)), look)
    manner = prepare_manner(model, look, styles, names=record.names, blend=record.blend)
    again = manner.paint(photo, output=record.output)
    _check_same(record, Record.from_xmp(again.metadata))
    return again


def _check_same(before: Record, now: Record) -> None:
    """Say which versions differ, and refuse other weights."""
    for name, value in now.versions.items():
        if before.versions.get(name) != value:
            print(f"Painted with {name} {before.versions.get(name)}, now {value}: small differences may come of it.")
    for old, new in ((before.encoder, now.encoder), (before.model, now.model)):
        if old and new and old.sha256 != new.sha256:
            raise RecordError(f"The picture was painted with other weights ({old.name}); give them by --weights.")


def _compare(target: Path, again: Picture, record: Record) -> int:
    """Write `again` as `target` was written, say how far the two are apart, and return the exit status."""
    from impasto.media.image import read
    from impasto.media.writing import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.name
        write(again, path, quality=record.output.get("quality"), depth=record.output.get("depth"))
        if path.read_bytes() == target.read_bytes():
            print(f"{target} is reproduced byte for byte.")
            return 0
        difference = (read(path).pixels - read(target).pixels).abs() * 255
    if difference.max() == 0:
        print(f"{target} is reproduced pixel for pixel; the file's other contents differ.")
        return 0
    print(f"{target} differs: {difference.mean():.3f} of 255 on average, {difference.max():.0f} at most.")
    return 1


def _record_of(path: Path) -> tuple[Path, Record]:
    """The picture and its record, which may lie beside it."""
    from impasto.media.image import read
    from impasto.provenance import Record

    if path.suffix == ".json" and path.is_file():
        return path.with_suffix(""), Record.from_json(path.read_text())
    picture = read(path)
    beside = path.with_name(path.name + ".json")
    if picture.metadata is None and beside.is_file():
        return path, Record.from_json(beside.read_text())
    return path, Record.from_xmp(picture.metadata)


def _find(source: Source, folders: list[Path]) -> Path:
    from impasto.weights.files import sha256

    name = Path(source.name).name
    named = [folder / name for folder in folders if (folder / name).is_file()]
    for path in named:
        if sha256(path) == source.sha256:
            return path
    if named:
        raise RecordError(f"{named[0]} has changed since the picture was painted; give the folder of the original.")
    raise RecordError(f"{source.name} is not here; give its folder with --inputs.")
