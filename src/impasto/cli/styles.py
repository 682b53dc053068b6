"""`impasto styles`: a library of style pictures, and advice from it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.library.advice import Advice

_PREVIEW, _COLUMNS = 384, 4

styles = App(name="styles", help="Keep a library of style pictures, and find out which of them suits a photo.")


@styles.command
def add(
    *pictures: Path,
    artist: str = "",
    title: str = "",
    year: str = "",
    source: str = "",
    licence: str = "",
) -> None:
    """Add pictures, or folders of them; a known picture keeps its place and takes new facts.

    Args:
        pictures: Pictures, folders, archives or lists.
        artist: Who made them.
        title: What it is called.
        year: When it was made.
        source: Where it comes from.
        licence: How it may be used.
    """
    from impasto.cli.progress import progress_line
    from impasto.library.catalogue import Catalogue
    from impasto.training.pictures import find_pictures

    if not pictures:
        raise SettingsError("Expected pictures or folders of them.")
    paths = [path for found in find_pictures(pictures) for path in found]
    facts = {"artist": artist, "title": title, "year": year, "source": source, "licence": licence}
    counts: dict[str, int] = {}
    with progress_line() as progress:
        task = progress.add_task("styles", total=len(paths), note="")
        for path, done in Catalogue().add(paths, facts):
            known = done if done in ("added", "moved", "known") else "passed over"
            counts[known] = counts.get(known, 0) + 1
            if known == "passed over":
                progress.console.print(done, markup=False, soft_wrap=True)
            progress.update(task, advance=1, note=path.name)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    if "passed over" in counts:
        sys.exit(1)


@styles.command(name="list")
def list_() -> None:
    """List the library; pictures that have moved away are marked."""
    from impasto.library.catalogue import Catalogue

    catalogue = Catalogue()
    entries = catalogue.entries()
    if not entries:
        print(f"The library {catalogue.path.parent} is empty; add pictures with 'impasto styles add'.")
    for entry in entries:
        facts = "  ".join(value for name in ("source", "licence") if (value := entry.facts[name]))
        gone = "" if entry.here() else "  is not there any more; add it from its new place"
        print(f"{entry.path}  {entry.label if entry.label != entry.path.name else ''}  {facts}{gone}".rstrip())


@styles.command
def remove(*names: str) -> None:
    """Take styles out of the library; the pictures themselves stay.

    Args:
        names: Paths or file names.
    """
    from impasto.library.catalogue import Catalogue

    print(f"{Catalogue().remove(names)} removed")


@styles.command
def near(picture: Path, /, *, count: int = 8) -> None:
    """Show the styles whose manner is most like that of a picture.

    Args:
        picture: Any picture.
        count: How many to show.
    """
    from impasto.encoders import load_encoder
    from impasto.library.advice import nearest
    from impasto.library.catalogue import Catalogue
    from impasto.library.traits import SIZE, traits_of
    from impasto.media.image import dimensions, read

    traits = traits_of(read(picture, min(SIZE, max(dimensions(picture)))).pixels, load_encoder("compact"))
    for entry, distance in nearest(traits, Catalogue().entries())[:count]:
        print(f"{distance:6.3f}  {entry.path}  {entry.label}")


@styles.command
def recommend(
    photo: Path,
    /,
    *,
    count: int = 6,
    sheet: Annotated[Path | None, Parameter(name=["--sheet", "-o"])] = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show which styles suit a photo, and why.

    Args:
        photo: The photo.
        count: How many to show.
        sheet: Also paint the photo in each of them at once, and write one sheet of the results.
        force: Replace the sheet if it exists.
    """
    from impasto.encoders import load_encoder
    from impasto.library.advice import recommend as advise
    from impasto.library.catalogue import Catalogue
    from impasto.library.traits import SIZE, traits_of
    from impasto.media.image import dimensions, read
    from impasto.recipes.output import Output

    if sheet:
        Output(sheet).check([photo, *(entry.path for entry in Catalogue().entries())], force=force)
    traits = traits_of(read(photo, min(SIZE, max(dimensions(photo)))).pixels, load_encoder("compact"))
    advice = advise(traits, Catalogue().entries())[:count]
    for one in advice:
        print(f"{one.score:.2f}  {one.entry.path}  {one.entry.label}: {one.reasons}")
    if sheet:
        _write_sheet(sheet, photo, advice, force=force)
        print(sheet)


def _write_sheet(sheet: Path, photo: Path, advice: Sequence[Advice], *, force: bool) -> None:
    from impasto.brief import of_painting
    from impasto.cli.progress import progress_line
    from impasto.library.sheet import contact_sheet
    from impasto.media.image import Picture, read
    from impasto.media.writing import write
    from impasto.recipes.painting import open_brief, painted

    content = read(photo, _PREVIEW)
    pictures, labels = [content.pixels], [photo.name]
    with progress_line() as progress:
        task = progress.add_task(sheet.name, total=len(advice), note="")
        for one in advice:
            brief = of_painting([str(one.entry.path)], "instant", {"size": _PREVIEW})
            pictures.append(painted(open_brief(brief).on(content)).pixels)
            labels.append(one.entry.label)
            progress.update(task, advance=1, note=one.entry.label)
    write(Picture(contact_sheet(pictures, labels, _COLUMNS)), sheet, force=force)
