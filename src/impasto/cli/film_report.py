"""The part of `impasto evaluate` for films: how steady they are, and a page with them side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.metrics.film import Steadiness

_MEASURES = ("near", "far", "drift", "sharpness", "ghosting", "content", "style")


@dataclass(frozen=True)
class FilmMeasures:
    """Films in place of pictures.

    Args:
        film: A film, with --results NAME=FILM of what was painted from it: how steady each is, and a page with them.
        fresh: The NAME of the result painted frame by frame (--steady 0), beside which sharpness and ghosts are told.
        flow: A folder of .flo files, one for each frame but the first: where each place was in the frame before.
    """

    film: Path | None = None
    fresh: str | None = None
    flow: Path | None = None


@dataclass(frozen=True)
class _Row:
    name: str
    film: Path
    measures: dict[str, float]


def evaluate_film(
    film: Path, results: Sequence[str], report: Path, fresh: str | None, flow: Path | None, style: Path | None
) -> None:
    """Measure painted films against the one that they were painted from, and write tables and a page.

    `fresh` names the result without a past, `flow` a folder of .flo files, `style` the painting.

    Raises:
        InputError: a film that cannot be read, or that has other frames than the first.
        OutputError: the report cannot be written.
    """
    from impasto.media.files import make_folder
    from impasto.media.image import read
    from impasto.metrics.film import Steadiness

    named = [given.partition("=")[::2] for given in results]
    if not named or not all(name and path for name, path in named):
        raise SettingsError("Expected NAME=FILM for --results beside --film, as in steady=painted.mp4.")
    paths = {name: Path(path) for name, path in named}
    if fresh is not None and fresh not in paths:
        raise SettingsError(f"Expected one of {', '.join(paths)} for --fresh, not {fresh}.")
    flows = sorted(flow.glob("*.flo")) if flow else []
    if flow and not flows:
        raise SettingsError(f"There are no .flo files in {flow}; give a folder with one for each frame but the first.")
    painting = read(style).pixels if style else None
    rows = [
        _measured(name, film, path, paths[fresh] if fresh else None, Steadiness(painting, flows))
        for name, path in {"untouched": film, **paths}.items()
    ]
    for row in rows if fresh else []:
        row.measures["sharpness"] /= next(own.measures["sharpness"] for own in reversed(rows) if own.name == fresh) or 1
    make_folder(report)
    told = [{"name": row.name, "film": row.film.name, **row.measures} for row in rows]
    (report / "films.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    (report / "index.html").write_text(_page(rows, report), encoding="utf-8")
    print(f"{'film':20}" + "".join(f"{name:>11}" for name in _MEASURES))
    for row in rows:
        print(f"{row.name:20}" + "".join(f"{row.measures.get(name, float('nan')):>11.4f}" for name in _MEASURES))
    print(report / "index.html")


def _measured(name: str, film: Path, painted: Path, fresh: Path | None, measures: Steadiness) -> _Row:
    """Frame by frame, at the size of the painted film."""
    from itertools import zip_longest

    from impasto.media.film import ahead, open_film
    from impasto.media.geometry import resample

    films = [ahead(open_film(path).frames) for path in (film, painted, fresh or painted)]
    for shown in zip_longest(*films):
        if None in shown:
            raise SettingsError(f"{painted} has not as many frames as {film}; give what was painted from all of it.")
        photo, result, alone = (frame.picture.pixels for frame in shown)
        size = result.shape[2], result.shape[3]
        photo, alone = (resample(pixels, size).clamp(0, 1) for pixels in (photo, alone))
        measures.add(photo, result, alone if fresh and film != painted else None)
    return _Row(name, painted, measures.result())


def _page(rows: Sequence[_Row], report: Path) -> str:
    """The films side by side, copied beside the page, and what was measured."""
    from html import escape

    films, lines = [], []
    for number, row in enumerate(rows):
        copy = report / f"{number}{row.film.suffix}"
        if row.film.resolve() != copy.resolve():
            shutil.copyfile(row.film, copy)
        tag = "img" if copy.suffix.lower() in (".gif", ".webp", ".png") else "video"
        kind = "" if tag == "img" else " controls loop muted autoplay"
        films.append(
            f'<figure><{tag} src="{copy.name}"{kind}></{tag}><figcaption>{escape(row.name)}</figcaption></figure>'
        )
        values = "".join(f"<td>{row.measures[name]:.4f}" if name in row.measures else "<td>" for name in _MEASURES)
        lines.append(f"<tr><th>{escape(row.name)}{values}")
    head = "".join(f"<th>{name}" for name in _MEASURES)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Films</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
  main {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 1rem }}
  figure {{ margin: 0 }} video, img {{ width: 100% }} th, td {{ padding: .2rem .8rem; text-align: right }}
</style>
<h1>Films</h1>
<main>{"".join(films)}</main>
<table><tr><th>film{head}{"".join(lines)}</table>
<p>near, far: what boils one and nine frames apart, over the deviation of the pixels; drift: how far still places move
in colour through a scene; sharpness: mean square of the Laplacian; ghosting: how far what is uncovered is from the
frame painted alone; content: what is lost of the photo's shapes; style: distance from the painting.</p>
</html>
"""
