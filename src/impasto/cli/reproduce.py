"""`impasto reproduce`: make a picture again from the record it carries, and compare."""

from __future__ import annotations

import glob
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.progress import progress_line
from impasto.errors import RecordError
from impasto.media.formats import named_as_picture

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
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Make a picture again from the record inside it, and say how far the two are apart.

    The photo and the paintings are found by their names and SHA-256: in this folder, in the picture's, and in those
    given. It is painted in the precision that it was painted in. Status 0: the same picture; 1: another.

    Examples:

    - `impasto reproduce out.png`
    - `impasto reproduce out.png --inputs ~/photos --inputs ~/paintings`

    Args:
        picture: A picture painted by impasto, or the JSON of its record beside it.
        inputs: Folders with the photo and the paintings.
        weights: The encoder's weights, if they were given when it was painted.
        output: Keep the new picture here.
        force: Replace it if it exists.
    """
    from impasto.recipes.output import Output

    target, record = _record_of(picture)
    folders = [Path(), target.parent, *(inputs or [])]
    photo, *styles = (_find(source, folders) for source in (record.content, *record.styles))
    kept = None
    if output is not None:
        quality, depth, dpi = (record.output.get(name) for name in ("quality", "depth", "dpi"))
        kept = Output(output, quality, depth, dpi)
        kept.check([picture, target, photo, *styles, weights], force=force)
    if record.method == "optimize":
        again = _optimized(record, photo, styles, weights)
    else:
        again = _in_one_pass(record, photo, styles, folders)
    again = replace(again, metadata=record.to_xmp())
    if kept is not None:
        kept.write(again)
    sys.exit(_compare(target, again, record))


def _settings(record: Record) -> dict[str, Any]:
    """Those of the record, in the precision that it was painted in."""
    return {**record.recipe, "precision": record.versions.get("precision", record.recipe.get("precision", "auto"))}


def _optimized(record: Record, photo: Path, styles: list[Path], weights: Path | None) -> Picture:
    from impasto.recipes.job import prepare
    from impasto.settings import preset

    recipe = preset("balanced", **_settings(record))
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
    from impasto.settings import Look

    assert record.model is not None
    look = Look.model_validate(_settings(record))
    model = open_model(model_of(record.model) or str(_find(record.model, folders)), look)
    manner = prepare_manner(model, look, styles, names=record.names, blend=record.blend)
    again = manner.paint(photo, output=record.output)
    _check_same(record, Record.from_xmp(again.metadata))
    return again


def _check_same(before: Record, now: Record) -> None:
    """Say which versions differ, and refuse other weights."""
    for name, value in now.versions.items():
        if before.versions.get(name, value) != value:
            print(f"Painted with {name} {before.versions[name]}, now {value}: small differences may come of it.")
    if before.encoder.sha256 != now.encoder.sha256:
        raise RecordError(f"It was painted with other weights of the encoder ({before.encoder.name}); give --weights.")
    if before.model and now.model and before.model.sha256 != now.model.sha256:
        raise RecordError(
            f"It was painted with another {before.model.name} than this version has; make it again with the version "
            f"that it names, impasto {before.versions.get('impasto')}."
        )


def _compare(target: Path, again: Picture, record: Record) -> int:
    """Write `again` as `target` was written, say how far the two are apart, and return the exit status."""
    from impasto.media.image import read
    from impasto.media.writing import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.name
        quality, depth, dpi = (record.output.get(name) for name in ("quality", "depth", "dpi"))
        write(again, path, quality=quality, depth=depth, dpi=dpi)
        if path.read_bytes() == target.read_bytes():
            print(f"{target} is reproduced byte for byte.")
            return 0
        ours, theirs = read(path), read(target)
    if ours.size != theirs.size:
        print(f"{target} has another size now than it was painted in, {ours.size[1]}x{ours.size[0]} pixels.")
        return 1
    difference = (ours.pixels - theirs.pixels).abs() * 255
    if difference.max() == 0:
        print(f"{target} is reproduced pixel for pixel; the file's other contents differ.")
        return 0
    print(f"{target} differs: {difference.mean():.3f} of 255 on average, {difference.max():.0f} at most.")
    return 1


def _record_of(path: Path) -> tuple[Path, Record]:
    """The picture and its record, which may lie beside it."""
    from impasto.media.image import read
    from impasto.provenance import Record
    from impasto.recipes.output import record_beside

    if path.suffix == ".json" and path.is_file():
        record = Record.from_json(_text(path))
        return _picture_of(path, record), record
    picture, beside = read(path), record_beside(path)
    if picture.metadata is None and beside.is_file():
        return path, Record.from_json(_text(beside))
    return path, Record.from_xmp(picture.metadata)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error}); give the record that was written.") from error


def _picture_of(path: Path, record: Record) -> Path:
    """The picture that a record in a file of its own belongs to: what it is called after, or one that carries it."""
    from impasto.media.image import read

    named = path.with_suffix("")
    if named_as_picture(named) and named.is_file():
        return named
    for other in sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")):
        if named_as_picture(other) and read(other).metadata == record.to_xmp():
            return other
    raise RecordError(f"The picture that {path} belongs to is not beside it; give the picture itself.")


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
