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
from impasto.media.formats import named_as_picture, quality_in

if TYPE_CHECKING:
    from impasto.brief import Brief
    from impasto.media.image import Picture
    from impasto.provenance import Record, Source
    from impasto.recipes.pictures import Pictures


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

    target, record, packet = _record_of(picture)
    folders = [Path(), target.parent, *(inputs or [])]
    photo, brief, pictures = _opened(record, folders, weights)
    kept = None
    if output is not None:
        quality, depth, dpi = (record.output.get(name) for name in ("quality", "depth", "dpi"))
        kept = Output(output, quality_in(output, quality), depth, dpi)
        kept.check([picture, target, photo, *pictures.files(), weights], force=force)
    again = replace(_painted(record, photo, brief, pictures), metadata=packet or record.to_xmp())
    if kept is not None:
        kept.write(again)
    sys.exit(_compare(target, again, record))


def _opened(record: Record, folders: list[Path], weights: Path | None) -> tuple[Path, Brief, Pictures]:
    """The photo, the brief in the precision that it was painted in, and where its pictures and its network are."""
    from impasto.brief import Brief
    from impasto.recipes.pictures import Pictures
    from impasto.shelf.models import named_as

    told = record.brief
    if told.get("engine") != "optimize" and record.model:
        told = _with_model(told, named_as(record.model.sha256) or str(_find(record.model, folders)))
    brief = Brief(**told)
    found = {name: _find(source, folders) for name, source in record.pictures.items()}
    unknown = [name for name in brief.pictures() if name not in found]
    if unknown:
        raise RecordError(f"The record is damaged: it does not say which picture {unknown[0]} is.")
    precision = record.versions.get("precision", brief.settings.precision)
    settings = brief.settings.model_copy(update={"precision": precision})
    changes = {"settings": settings, "weights": weights and str(weights)}
    return _find(record.content, folders), brief.model_copy(update=changes), Pictures(found)


def _with_model(brief: dict[str, Any], name: str) -> dict[str, Any]:
    """The brief of a record, whose network is called `name` here."""
    known = str(brief["engine"])

    def new(style: str) -> str:
        return name + style[len(known) :] if style == known or style.startswith(f"{known}:") else style

    regions = [{**region, "styles": [new(style) for style in region["styles"]]} for region in brief["regions"]]
    return {**brief, "engine": name, "regions": regions}


def _painted(record: Record, photo: Path, brief: Brief, pictures: Pictures) -> Picture:
    """As far as it had come."""
    from impasto.recipes.painting import open_brief

    painting = open_brief(brief, pictures).on(photo)
    _check_same(record, painting.record)
    step = None
    with progress_line() as progress:
        task = progress.add_task(record.content.name, total=record.done, note="")
        for step in painting.steps():
            progress.update(task, completed=step.done)
            if step.done >= record.done:
                break
    return step.picture() if step else painting.unpainted()


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
        write(again, path, quality=quality_in(path, quality), depth=depth, dpi=dpi)
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


def _record_of(path: Path) -> tuple[Path, Record, bytes | None]:
    """The picture, its record, which may lie beside it, and the packet that it carries."""
    from impasto.media.image import read
    from impasto.provenance import Record
    from impasto.recipes.output import record_beside

    if path.suffix == ".json" and path.is_file():
        record = Record.from_json(_text(path))
        target = _picture_of(path, record)
        return target, record, read(target).metadata
    picture, beside = read(path), record_beside(path)
    if picture.metadata is None and beside.is_file():
        return path, Record.from_json(_text(beside)), None
    return path, Record.from_xmp(picture.metadata), picture.metadata


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
        if named_as_picture(other) and _carries(read(other).metadata, record):
            return other
    raise RecordError(f"The picture that {path} belongs to is not beside it; give the picture itself.")


def _carries(packet: bytes | None, record: Record) -> bool:
    from impasto.provenance import Record

    try:
        return Record.from_xmp(packet) == record
    except RecordError:
        return False


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
