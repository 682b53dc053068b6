"""A report as one page of HTML that opens from disk: figures, a plot, and all pictures side by side."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from impasto.errors import SettingsError
from impasto.media.files import replacing
from impasto.media.image import Picture, dimensions, read
from impasto.media.writing import write
from impasto.metrics.sets import Copy
from impasto.metrics.specification import MEASURES
from impasto.metrics.table import STYLE, UNTOUCHED, Result, Summary

_THUMBNAIL = 384
_COLORS = ("#2c6fbb", "#c8553d", "#4c9f70", "#8e5ea2", "#d99a2b", "#3b8686", "#7a5c3e", "#b04f86")


def write_page(
    folder: Path,
    rows: Sequence[Result],
    lines: Sequence[Summary],
    spec: Mapping[str, object],
    copies: Sequence[Copy] = (),
    movements: Sequence[object] = (),
) -> Iterator[float]:
    """Write `index.html` and its pictures, yielding the share that is done.

    `movements` say how far results moved when photos were disturbed.

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
        thumbnails[path] = _thumbnail(path, folder / "pictures")
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
        plot=plot(rows, lines),
        copies=sorted(copies, key=lambda copy: copy.distance),
        movements=movements,
        sets=sorted({name for line in lines for name in line.sets}),
        specification=json.dumps(spec, indent=1),
    )
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    yield 1.0


def _thumbnail(path: Path, folder: Path) -> str:
    """Write a small JPEG of a picture, and return its name relative to the page."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{path.stem[:40]}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}.jpg"
    write(Picture(read(path, min(_THUMBNAIL, max(dimensions(path)))).pixels), folder / name, quality=88, force=True)
    return f"{folder.name}/{name}"


def plot(rows: Sequence[Result], lines: Sequence[Summary]) -> str:
    """Style against content as SVG: small points are results, large ones means with their intervals.

    Raises:
        SettingsError: an extra is missing.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError("Evaluation needs an extra; install it with: pip install 'impasto[evaluate]'.") from error

    with mpl.rc_context({"svg.hashsalt": "impasto", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        for number, line in enumerate(line for line in lines if "style" in line.means):
            color = _COLORS[number % len(_COLORS)]
            own = [row.measures for row in rows if row.method == line.method and row.measures]
            xs, ys = ([float(one[name] or 0) for one in own] for name in ("content", "style"))
            axes.scatter(xs, ys, s=8, color=color, alpha=0.35, lw=0)
            (x, left, right), (y, low, high) = line.means["content"], line.means["style"]
            axes.errorbar(
                x, y, xerr=[[x - left], [right - x]], yerr=[[y - low], [high - y]],
                fmt="o", ms=8, color=color, capsize=3, label=line.method, mec="black" if line.undominated else color,
            )  # fmt: skip
        axes.set_xlabel("content distance to the photo (lower is better)")
        axes.set_ylabel("style distance to the painting (lower is better)")
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    return svg[svg.index("<svg") :]
