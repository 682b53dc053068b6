"""What is to be painted: every content with every style, or the pairs of a table."""

from __future__ import annotations

import csv
import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.batch.ledger import results_in
from impasto.errors import InputError
from impasto.media.files import is_text
from impasto.media.formats import named_as_picture


@dataclass(frozen=True)
class Pair:
    """A photo, the styles that it takes together, and where the result goes, below the output folder."""

    content: Path
    styles: tuple[str, ...]
    output: Path


def plan(sources: Sequence[str], styles: Sequence[str], suffix: str, output: Path) -> list[Pair]:
    """Pairs from folders, files, globs and tables (.csv); results are named after content and style.

    A table has the columns `content` and `style`, and may have `output`; its paths are relative to its folder. A style
    may be a folder of paintings. What a batch has painted into the folder `output` is no photo, nor is what lies there
    where it lies below the photos.

    Raises:
        InputError: no source, one without pictures, no style, or two results of one name.
    """
    if not sources:
        raise InputError("Expected photos; give folders, pictures, globs in quotes, or a .csv of pairs.")
    pairs: list[Pair] = []
    styles = [one for style in styles for one in styles_in(style)]
    for source in sources:
        if source.lower().endswith(".csv"):
            pairs += _table(Path(source), suffix)
        else:
            contents = _contents(source, output)
            if not styles:
                raise InputError("Expected a --style; give it once or more, or a table of pairs.")
            pairs += [
                Pair(content, (style,), below.parent / f"{below.stem}_{style_name(style)}{suffix}")
                for content, below in contents
                for style in styles
            ]
    return told_apart(pairs)


def style_name(style: str) -> str:
    """What a result is called after: the file's name without suffix, or the style in a painter."""
    return Path(style).name.split(":")[-1] if ":" in Path(style).name else Path(style).stem


def styles_in(style: str) -> list[str]:
    """The style itself, or the paintings in a folder."""
    folder = Path(style)
    if not folder.is_dir():
        return [style]
    found = [str(path) for path in sorted(folder.iterdir()) if _is_picture(path)]
    if not found:
        raise InputError(f"There are no paintings in {folder}; give a folder of them, a painting, or a painter.")
    return found


def _contents(source: str, output: Path) -> list[tuple[Path, Path]]:
    """(picture, its path below the source) of a folder, a file or a glob, in order."""
    root = Path(source)
    if root.is_file():
        return [(root, Path(root.name))]
    if root.is_dir():
        found = [(path, path.relative_to(root)) for path in sorted(root.rglob("*")) if _is_picture(path)]
    else:
        named = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        found = [(path, Path(path.name)) for path in named if _is_picture(path)]
    results, folder = results_in(output), output.resolve()
    within = root.is_dir() and root.resolve() in folder.parents
    found = [
        (path, below)
        for path, below in found
        if path.resolve() not in results and not (within and folder in path.resolve().parents)
    ]
    if not found:
        raise InputError(f"There are no pictures in {source}; give a folder, a file, a glob in quotes, or a .csv.")
    return found


def _is_picture(path: Path) -> bool:
    return path.is_file() and named_as_picture(path) and not path.name.startswith(".")


def _table(path: Path, suffix: str) -> list[Pair]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table ({error}); give a .csv.") from error
    if not rows or not {"content", "style"} <= rows[0].keys():
        raise InputError(f"{path} needs a first line with the columns content and style, and at least one row.")
    pairs = []
    for number, row in enumerate(rows, 2):
        if not row["content"] or not row["style"]:
            raise InputError(f"Line {number} of {path} lacks its content or style; complete or remove it.")
        content = path.parent / row["content"]
        beside = path.parent / row["style"]
        style = str(beside) if beside.is_file() else row["style"]
        output = Path(row.get("output") or f"{content.stem}_{style_name(style)}{suffix}")
        if output.is_absolute() or ".." in output.parts:
            raise InputError(
                f"Line {number} of {path} has an output outside the folder ({output}); give a name below it."
            )
        pairs.append(Pair(content, (style,), output))
    return pairs


def told_apart(pairs: Sequence[Pair]) -> list[Pair]:
    """The same, results of equal names called after their content's whole file name.

    Raises:
        InputError: names that would still be equal, or that are no text.
    """
    for pair in pairs:
        for name in (str(pair.content), *pair.styles):
            if not is_text(name):
                raise InputError(f"The name {name!r} is no text in UTF-8; rename the file.")
    counts: dict[Path, int] = {}
    for pair in pairs:
        counts[pair.output] = counts.get(pair.output, 0) + 1
    result, taken = [], set()
    for pair in pairs:
        output = pair.output
        if counts[output] > 1:
            output = output.with_name(f"{pair.content.suffix[1:].lower()}_{output.name}")
        if output in taken:
            raise InputError(
                f"Two results would be called {output}; rename one photo or style, or name outputs in a .csv."
            )
        taken.add(output)
        result.append(Pair(pair.content, pair.styles, output))
    return result
