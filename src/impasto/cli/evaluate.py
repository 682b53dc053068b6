"""`impasto evaluate`: methods side by side, measured, with references and intervals."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Parameter

from impasto.cli.film_report import FilmMeasures, evaluate_film
from impasto.cli.options import RecipeOptions, explicit
from impasto.cli.report import write_report
from impasto.cli.sets import as_sets
from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.brief import Brief
    from impasto.cli.robustness import Moved, Pairs
    from impasto.encoders.encoder import Encoder
    from impasto.metrics.table import Result

    BriefOf: TypeAlias = Callable[[str, Sequence[str]], Brief]


@dataclass(frozen=True)
class PairOptions:
    """What is painted and measured.

    Args:
        contents: Folder, picture or list of photos; repeat it for more.
        styles: The same of paintings; every photo is taken with every one.
        paired: Take the first photo with the first style, the second with the second, and so on.
        results: NAME=FOLDER of pictures that another tool made; repeat it.
        pattern: What those are called, without suffix.
        table: CSV with the columns method, content, style and result, instead of folders; repeat it.
        collection: Folder or list of paintings that results as a set are compared with; without --styles, each photo
            takes one of them.
        seen_by: Another network to compare sets by, beside the package's own: vgg19=FILE, vgg16=FILE, or an .onnx file
            such as Inception's (RGB in [-1, 1], 299 x 299); repeat it.
    """

    contents: Annotated[list[Path] | None, Parameter(negative="")] = None
    styles: Annotated[list[Path] | None, Parameter(negative="")] = None
    paired: Annotated[bool, Parameter(negative="")] = False
    results: Annotated[list[str] | None, Parameter(negative="")] = None
    pattern: str = "{content}_{style}"
    table: Annotated[list[Path] | None, Parameter(negative="")] = None
    collection: Annotated[list[Path] | None, Parameter(negative="")] = None
    seen_by: Annotated[list[str] | None, Parameter(negative="")] = None


def evaluate(
    *,
    report: Path,
    what: Annotated[PairOptions, Parameter(name="*")] = PairOptions(),
    engine: Annotated[list[str] | None, Parameter(negative="")] = None,
    moving: Annotated[FilmMeasures | None, Parameter(name="*")] = None,
    adversarial: Annotated[bool, Parameter(negative="")] = False,
    preset: str = "balanced",
    workers: int | None = None,
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Measure engines, and results of any other tool, on the same pairs, and write a page with all pictures.

    Two references are always in the table: the untouched photo and the style itself. What was painted before is not
    painted again: after an interrupt the same command goes on.

    Examples:

    - `impasto evaluate --contents c/ --styles s/ --engine instant --engine optimize --report report/`
    - `impasto evaluate --contents c/ --styles s/ --results others=their/ --pattern "{content}-{style}" --report r/`
    - `impasto evaluate --film clip.mp4 --results steady=painted.mp4 --results loose=other.mp4 --report r/`
    - `impasto evaluate --contents photos/ --collection mine.txt --engine pointillist --engine instant --report r/`

    Args:
        report: The folder for index.html, results.csv, results.json and what the engines paint.
        engine: instant, optimize, a model file, or a painter on the shelf; repeat it.
        adversarial: Also disturb the first eight photos, by noise, JPEG and attacks (FGSM, PGD), and see how far each
            engine's results move.
        preset: Preset for --engine optimize.
        workers: Processes that paint at once; as many as there are cores by default.
    """
    if moving and moving.film:
        style = what.styles[0] if what.styles else None
        evaluate_film(moving.film, what.results or [], report, moving.fresh, moving.flow, style)
    else:
        _evaluate_pairs(
            report,
            what,
            engine or [],
            adversarial,
            partial(_brief_of, preset=preset, changes=explicit(recipe)),
            workers,
        )


def _evaluate_pairs(
    report: Path, what: PairOptions, engines: Sequence[str], adversarial: bool, brief_of: BriefOf, workers: int | None
) -> None:
    """Paint all pairs by all engines, measure, and write the report."""
    from impasto.encoders import load_encoder
    from impasto.media.files import make_folder
    from impasto.metrics.cost import cost_of
    from impasto.metrics.extractors import open_extractor
    from impasto.metrics.table import references
    from impasto.training.pictures import find_pictures

    extractors = dict(map(open_extractor, ["compact", *(what.seen_by or [])]))
    of_collection = [path for paths in find_pictures(what.collection or []) for path in paths]
    pairs, rows = _asked(what, of_collection, engines)
    briefs = {name: brief_of(name, [str(pairs[0][1])]) for name in engines}
    make_folder(report)
    how = partial(_painted, brief_of=brief_of, workers=workers)
    for name in engines:
        rows += how(name, pairs, report / "painted")

    encoder = load_encoder("compact")
    measured = _measured([*references(pairs), *rows], encoder)
    sets, copies = as_sets(measured, of_collection, extractors) if of_collection else ({}, [])
    movements = _movements(engines, pairs, report / "disturbed", encoder, how, brief_of) if adversarial else []
    costs = {_label(name): cost_of(pairs[0][0], brief.to_json()) for name, brief in briefs.items()}
    write_report(report, measured, sets, copies, movements, costs)
    if any(row.problem for row in measured):
        sys.exit(1)


def _asked(what: PairOptions, collection: Sequence[Path], engines: Sequence[str]) -> tuple[Pairs, list[Result]]:
    """The pairs of photo and style, and what others have made of them."""
    from impasto.metrics.table import find_results, read_results

    rows = [row for path in what.table or [] for row in read_results(path)]
    pairs = _pairs(what.contents, what.styles or [], collection, paired=what.paired) if what.contents else []
    pairs = list(dict.fromkeys([*pairs, *((row.content, row.style) for row in rows)]))
    if not pairs or not (engines or what.results or rows):
        raise SettingsError(
            "Expected --contents with --styles or --collection, and an --engine or --results; or --table."
        )
    for given in what.results or []:
        name, _, folder = given.partition("=")
        if not name or not folder:
            raise SettingsError(f"Expected NAME=FOLDER for --results, as in others=their/; got {given}.")
        rows += find_results(name, Path(folder), what.pattern, pairs)
    return pairs, rows


def _pairs(
    contents: Sequence[Path], styles: Sequence[Path], collection: Sequence[Path], *, paired: bool
) -> list[tuple[Path, Path]]:
    from impasto.training.pictures import find_pictures

    photos = [path for paths in find_pictures(contents) for path in paths]
    if not styles:
        if not collection:
            raise SettingsError("Expected --styles, or a --collection that each photo takes one painting of.")
        chance = random.Random(0)
        return [(photo, chance.choice(collection)) for photo in photos]
    paintings = [path for paths in find_pictures(styles) for path in paths]
    if not paired:
        return [(photo, painting) for photo in photos for painting in paintings]
    if len(photos) != len(paintings):
        raise SettingsError(f"--paired needs as many styles as photos; got {len(photos)} and {len(paintings)}.")
    return list(zip(photos, paintings))


def _painted(engine: str, pairs: Pairs, folder: Path, *, brief_of: BriefOf, workers: int | None) -> list[Result]:
    """Paint all pairs by an engine, unless they are painted already."""
    from impasto.batch.jobs import prepare_batch
    from impasto.batch.plan import Pair, told_apart
    from impasto.cli.batch import follow
    from impasto.metrics.table import Result

    plan = told_apart([
        Pair(content, (str(style),), Path(f"{content.stem}_{style.stem}.png")) for content, style in pairs
    ])  # fmt: skip
    target = folder / _label(engine).replace(":", "_")
    job = prepare_batch(target, plan, partial(brief_of, engine))
    if follow(job, workers, _label(engine)):
        print("Stopped. The same command goes on.", file=sys.stderr)
        sys.exit(130)
    states = job.states()
    return [
        Result(_label(engine), content, style, target / one.output, problem=_problem(states.get(str(one.output))))
        for (content, style), one in zip(pairs, plan)
    ]


def _brief_of(engine: str, styles: Sequence[str], *, preset: str, changes: dict[str, Any]) -> Brief:
    """How an engine is to paint; a painter paints in its own styles, whatever the pair's."""
    from impasto.recipes.asked import Asked

    if _is_painter(engine):
        return Asked([engine], changes=changes).brief()
    return Asked(styles, engine, preset if engine == "optimize" else None, changes).brief()


def _problem(state: tuple[str, str | None] | None) -> str:
    if state is None:
        return "Another evaluation into the same folder has painted something else there; give another --report."
    return state[1] or ""


def _label(engine: str) -> str:
    return Path(engine).name.removesuffix(".impasto").removesuffix(".onnx")


def _is_painter(engine: str) -> bool:
    from impasto.shelf.card import SUFFIX, read_card
    from impasto.shelf.models import find, models

    name, _, _ = engine.partition(":")
    known = name != "instant" and (name in models() or name.endswith(SUFFIX))
    return known and read_card(find(name)).kind != "instant"


def _measured(rows: Sequence[Result], encoder: Encoder) -> list[Result]:
    from impasto.cli.progress import progress_line
    from impasto.metrics.measures import Ruler
    from impasto.metrics.table import measure

    measured: list[Result] = []
    with progress_line() as progress:
        task = progress.add_task("measuring", total=len(rows), note="")
        for row in measure(rows, Ruler(encoder)):
            measured.append(row)
            progress.update(task, advance=1, note=row.method)
    return measured


def _movements(
    engines: Sequence[str],
    pairs: Pairs,
    folder: Path,
    encoder: Encoder,
    painted: Callable[..., list[Result]],
    brief_of: BriefOf,
) -> list[Moved]:
    """How far results of each engine move when photos are disturbed."""
    from impasto.cli.robustness import aim_at, disturb, moved

    movements: list[Moved] = []
    for engine in engines:
        label = _label(engine)
        changed = disturb(pairs, folder / label, aim_at(engine, partial(brief_of, engine), encoder))
        movements += moved(label, changed, partial(painted, engine, folder=folder / "painted"), encoder)
    return movements
