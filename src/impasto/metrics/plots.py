"""Plots as SVG that opens anywhere, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from impasto.errors import SettingsError
from impasto.metrics.table import Result, Summary

_COLORS = ("#2c6fbb", "#c8553d", "#4c9f70", "#8e5ea2", "#d99a2b", "#3b8686", "#7a5c3e", "#b04f86")


def scatter(rows: Sequence[Result], lines: Sequence[Summary]) -> str:
    """Style against content: small points are results, large ones means with their intervals.

    Raises:
        SettingsError: an extra is missing.
    """
    with _drawing(8, 5) as (axes, svg):
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
    return svg()


def bars(values: Mapping[str, float], label: str) -> str:
    """A bar for each value, the first on top.

    Raises:
        SettingsError: an extra is missing.
    """
    with _drawing(6, 0.8 + 0.4 * len(values)) as (axes, svg):
        axes.barh([*values][::-1], [*values.values()][::-1], color=_COLORS[0])
        axes.set_xlabel(label)
    return svg()


@contextmanager
def _drawing(width: float, height: float) -> Iterator[tuple[Any, Callable[[], str]]]:
    """(axes, a function that gives the SVG afterwards) of a figure in inches."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError("Plots need an extra; install it with: pip install 'impasto[evaluate]'.") from error

    figure = Figure(figsize=(width, height), layout="constrained")
    drawn = io.StringIO()

    def svg() -> str:
        text = drawn.getvalue()
        return text[text.index("<svg") :]

    with mpl.rc_context({"svg.hashsalt": "impasto", "svg.fonttype": "none", "font.family": "sans-serif"}):
        yield figure.add_subplot(), svg
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
