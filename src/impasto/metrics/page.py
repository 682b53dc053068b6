"""A report as one page of HTML that opens from disk: figures, a plot, and all pictures side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from impasto.errors import SettingsError
from impasto.media.files import make_folder, replacing
from impasto.media.image import Picture, dimensions, read
from impasto.media.writing import write
from impasto.metrics.cost import Cost
from impasto.metrics.plots import scatter
from impasto.metrics.sets import Copy
from impasto.metrics.specification import MEASURES
from impasto.metrics.table import STYLE, UNTOUCHED, Result, Summary, relative

_THUMBNAIL = 384
_PICTURES = "pictures"


def write_page(
    folder: Path,
    rows: Sequence[Result],
    lines: Sequence[Summary],
    spec: Mapping[str, object],
    copies: Sequence[Copy] = (),
    movements: Sequence[object] = (),
    costs: Mapping[str, Cost] | None = None,
) -> Iterator[float]:
    """Write `index.html` and its pictures, yielding the share that is done.

    `movements` say how far results moved when photos were disturbed; `costs`, what a picture takes by each method.

    Raises:
        SettingsError: an extra is missing.
        OutputError: it cannot be written.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise SettingsError("Evaluation needs an extra; install it with: pip install 'impasto[evaluate]'.") from error

    pictures = {path for row in rows for path in (row.content, row.style, row.picture) if not row.problem}
    thumbnails: dict[Path, str] = {}
    for number, path in enumerate(sorted(pictures)):
        thumbnails[path] = _thumbnail(path, folder)
        yield (number + 1) / (len(pictures) + 1)
    methods = [line.method for line in lines if line.method not in (UNTOUCHED, STYLE)]
    pairs = list(dict.fromkeys((row.content, row.style) for row in rows))
    by_place = {(row.content, row.style, row.method): row for row in rows}
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("impasto.metrics") / "page.html").read_text(encoding="utf-8")
    )
    page = template.render(
        lines=lines,
        measures=MEASURES,
        methods=methods,
        pairs=pairs,
        by_place=by_place,
        thumbnails=thumbnails,
        plot=scatter(rows, lines),
        copies=sorted(copies, key=lambda copy: copy.distance),
        movements=movements,
        costs=costs or {},
        sets=sorted({name for line in lines for name in line.sets}),
        specification=json.dumps(spec, indent=1),
    )
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    yield 1.0


def _thumbnail(path: Path, folder: Path) -> str:
    """Write a small JPEG of a picture, and return its name relative to the page in `folder`."""
    make_folder(folder / _PICTURES)
    name = f"{path.stem[:40]}_{hashlib.sha256(relative(path, folder).encode()).hexdigest()[:8]}.jpg"
    small = Picture(read(path, min(_THUMBNAIL, max(dimensions(path)))).pixels)
    write(small, folder / _PICTURES / name, quality=88, force=True)
    return f"{_PICTURES}/{name}"
