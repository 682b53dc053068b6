"""Results of several methods on the same pairs, their measures, and what can be said of the methods."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from string import Formatter

from impasto.errors import InputError, PictureError
from impasto.media.files import replacing
from impasto.metrics.measures import Ruler
from impasto.metrics.specification import MEASURES

UNTOUCHED, STYLE = "untouched photo", "style itself"
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Result:
    """What a method made of a pair; `measures` is empty, and `problem` says why, where there is nothing to measure."""

    method: str
    content: Path
    style: Path
    picture: Path
    measures: Mapping[str, float | None] = field(default_factory=dict)
    problem: str = ""


def references(pairs: Sequence[tuple[Path, Path]]) -> list[Result]:
    """Two rows that keep a table honest: the photo is perfect in content, the style in style; neither is painted."""
    rows = [Result(UNTOUCHED, content, style, content) for content, style in pairs]
    return rows + [Result(STYLE, content, style, style) for content, style in pairs]


def find_results(method: str, folder: Path, pattern: str, pairs: Sequence[tuple[Path, Path]]) -> list[Result]:
    """The results of any tool in a folder, by `pattern`, in which {content} and {style} are names without suffix.

    A pair that is missing is a row with a problem.

    Raises:
        InputError: the pattern names neither, or there is not one result.
    """
    if "content" not in _named_in(pattern) or _named_in(pattern) - {"content", "style"} or not folder.is_dir():
        raise InputError(
            "Expected a folder of results and a pattern of {content} and, maybe, {style}, as {content}_{style}; got "
            f"{folder} and {pattern}."
        )
    by_stem = {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file()}
    rows = []
    for content, style in pairs:
        stem = pattern.format(content=content.stem, style=style.stem)
        found = by_stem.get(stem)
        problem = "" if found else f"There is no {stem}.* in {folder}."
        rows.append(Result(method, content, style, found or folder / stem, problem=problem))
    if all(row.problem for row in rows):
        raise InputError(f"{folder} holds no result called {pattern} for any of the {len(rows)} pairs; give --pattern.")
    return rows


def _named_in(pattern: str) -> set[str]:
    """What is put into a pattern; nothing, if it is none."""
    try:
        return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
    except ValueError:
        return set()


def read_results(path: Path) -> list[Result]:
    """The rows of a CSV with the columns method, content, style and result; paths are relative to its folder.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table ({error}); give a .csv.") from error
    if not rows or any(not row.get(name) for row in rows for name in ("method", "content", "style", "result")):
        raise InputError(f"{path} needs the columns method, content, style and result, all filled, and a row or more.")
    return [
        Result(row["method"], path.parent / row["content"], path.parent / row["style"], path.parent / row["result"])
        for row in rows
    ]


def measure(rows: Sequence[Result], ruler: Ruler) -> Iterator[Result]:
    """The same rows with their measures, one after the other; what cannot be measured says why."""
    for row in rows:
        if row.problem:
            yield row
            continue
        try:
            yield Result(**{**row.__dict__, "measures": ruler.measure(row.content, row.style, row.picture)})
        except PictureError as error:
            yield Result(**{**row.__dict__, "problem": str(error)})


@dataclass(frozen=True)
class Summary:
    """Of a method: how many results were measured and missed; {measure: (mean, low, high)} with 95 % intervals.

    `undominated`: no other method, references aside, is better in style and in content at once.
    """

    method: str
    measured: int
    missed: int
    means: Mapping[str, tuple[float, float, float]]
    sets: Mapping[str, float] = field(default_factory=dict)
    undominated: bool = False


def summarise(rows: Sequence[Result], sets: Mapping[str, Mapping[str, float]] | None = None) -> list[Summary]:
    """One line for each method, in order of appearance; `sets` are its measures as a set."""
    methods = list(dict.fromkeys(row.method for row in rows))
    lines = []
    for method in methods:
        own = [row for row in rows if row.method == method]
        good = [row for row in own if row.measures]
        means = {}
        for one in MEASURES:
            values = [value for row in good if (value := row.measures.get(one.name)) is not None]
            if values:
                means[one.name] = interval(values)
        lines.append(Summary(method, len(good), len(own) - len(good), means, (sets or {}).get(method, {})))
    return [Summary(**{**line.__dict__, "undominated": _undominated(line, lines)}) for line in lines]


def _undominated(line: Summary, lines: Sequence[Summary]) -> bool:
    if line.method in (UNTOUCHED, STYLE) or "style" not in line.means:
        return False
    own = [line.means[name][0] for name in ("style", "content")]
    others = [
        [other.means[name][0] for name in ("style", "content")]
        for other in lines
        if other.method not in (line.method, UNTOUCHED, STYLE) and "style" in other.means
    ]
    return not any(all(a <= b for a, b in zip(other, own)) and other != own for other in others)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): a 95 % interval by the bootstrap over pairs; the mean three times if there is one value."""
    import numpy as np
    from scipy.stats import bootstrap

    mean = math.fsum(values) / len(values)
    if len(values) < 2 or max(values) == min(values):
        return mean, mean, mean
    drawn = bootstrap(
        (np.asarray(values),), np.mean, confidence_level=_CONFIDENCE, method="percentile", n_resamples=4999, rng=0
    )
    return mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`, so that both may be moved together."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(path.absolute())


def write_tables(folder: Path, rows: Sequence[Result], lines: Sequence[Summary], spec: Mapping[str, object]) -> None:
    """`results.csv`, a row for each result, and `results.json`, all there is; paths are relative to `folder`.

    The table can be read by `read_results`: its columns `content` and `style` are the pictures, and the distances of
    these names are `content_distance` and `style_distance`.

    Raises:
        OutputError: they cannot be written.
    """
    names = [measure.name for measure in MEASURES]
    with replacing(folder / "results.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        columns = [f"{name}_distance" if name in ("content", "style") else name for name in names]
        writer.writerow(["method", "content", "style", "result", *columns, "problem"])
        for row in rows:
            values = ["" if (value := row.measures.get(name)) is None else f"{value:.6g}" for name in names]
            pictures = [relative(path, folder) for path in (row.content, row.style, row.picture)]
            writer.writerow([row.method, *pictures, *values, row.problem])
    content = {
        "specification": spec,
        "methods": [asdict(line) for line in lines],
        "results": [
            {**asdict(row), **{k: relative(getattr(row, k), folder) for k in ("content", "style", "picture")}}
            for row in rows
        ],
    }
    with replacing(folder / "results.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
