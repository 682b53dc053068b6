"""What people prefer: a page of blind choices between two results, and scores by Bradley and Terry (1952)."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from impasto.errors import InputError, SettingsError
from impasto.media.files import replacing
from impasto.media.image import Picture, dimensions, read
from impasto.media.writing import write
from impasto.metrics.table import STYLE, UNTOUCHED

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 512
_RESAMPLES = 1000
_RIDGE = 1e-3


class Vote(BaseModel):
    """A choice between the results of two methods for one pair; `winner` is None where they seemed alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    methods: tuple[str, str]
    winner: str | None


class Votes(BaseModel):
    """A file of votes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    voter: str
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class Score:
    """A method's strength: the logarithm of its odds against the average method, with a 95 % interval."""

    method: str
    strength: float
    low: float
    high: float
    won: float
    compared: int


def write_study(report: Path, output: Path, *, seed: int = 0, force: bool = False) -> int:
    """Make one self-contained page of all choices between two methods of a report, and return how many there are.

    Raises:
        InputError: no report, or one of a single method.
        SettingsError: an extra is missing.
        OutputError: it cannot be written.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise SettingsError("A study needs an extra; install it with: pip install 'impasto[evaluate]'.") from error

    rows = [row for row in _rows(report) if row["method"] not in (UNTOUCHED, STYLE) and row["measures"]]
    by_pair: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        by_pair.setdefault((row["content"], row["style"]), {})[row["method"]] = row["picture"]
    trials: list[dict[str, Any]] = []
    names = sorted({path for row in rows for path in (row["content"], row["style"], row["picture"])})
    numbers = {name: number for number, name in enumerate(names)}
    for (content, style), pictures in by_pair.items():
        for pair in combinations(sorted(pictures), 2):
            trials.append({
                "pair": f"{Path(content).stem} {Path(style).stem}",
                "content": numbers[content],
                "style": numbers[style],
                "methods": pair,
                "pictures": [numbers[pictures[method]] for method in pair],
            })  # fmt: skip
    if not trials:
        raise InputError(f"{report} compares fewer than two methods on any pair; there is nothing to choose between.")
    chance = random.Random(seed)
    chance.shuffle(trials)
    for trial in trials:
        if chance.random() < 0.5:
            trial["methods"], trial["pictures"] = trial["methods"][::-1], trial["pictures"][::-1]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("impasto.metrics") / "study.html").read_text(encoding="utf-8")
    )
    shown = [_embedded(Path(name)) for name in names]
    digest = hashlib.sha256(json.dumps([trials, shown]).encode()).hexdigest()[:16]
    page = template.render(name=output.stem, trials=trials, pictures=shown, digest=digest)
    with replacing(output, force=force) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return len(trials)


def _rows(report: Path) -> list[dict[str, str]]:
    path = report / "results.json" if report.is_dir() else report
    try:
        rows: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))["results"]
        places = [{name: str(path.parent / row[name]) for name in ("content", "style", "picture")} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no report; give a folder that 'impasto evaluate --report' made.") from error
    return [{**row, **place} for row, place in zip(rows, places)]


def _embedded(path: Path) -> str:
    picture = read(path, min(_SHOWN, max(dimensions(path))))
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.jpg"
        write(Picture(picture.pixels), small, quality=90)
        return "data:image/jpeg;base64," + base64.b64encode(small.read_bytes()).decode()


def read_votes(paths: Sequence[Path]) -> tuple[list[Vote], int]:
    """The votes of several files, and how many were left out because their voter chose both ways.

    A file that comes twice, under whatever name, counts once.

    Raises:
        InputError: a file that is no vote file, or two of different studies.
    """
    kept: list[Vote] = []
    known: list[Votes] = []
    contradicting, studies = 0, set()
    for path in paths:
        try:
            told = Votes.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} is no file of votes; give what the page of a study exported.") from error
        if told in known:
            continue
        known.append(told)
        studies.add(told.study)
        choices: dict[tuple[str, frozenset[str]], set[str | None]] = {}
        for vote in told.votes:
            if vote.winner is not None and vote.winner not in vote.methods:
                raise InputError(f"{path} has a vote for {vote.winner}, which was no choice there; export it again.")
            choices.setdefault((vote.pair, frozenset(vote.methods)), set()).add(vote.winner)
        clear = [vote for vote in told.votes if len(choices[vote.pair, frozenset(vote.methods)]) == 1]
        contradicting += len(told.votes) - len(clear)
        kept += dict.fromkeys(clear)
    if len(studies) > 1:
        raise InputError(f"These votes are of different studies ({', '.join(sorted(studies))}); score each by itself.")
    if not kept:
        raise InputError("There is not one clear vote in these files; collect more.")
    return kept, contradicting


def scores(votes: Sequence[Vote]) -> list[Score]:
    """Strengths that explain the votes best, the highest first; a vote for neither is half a vote for each.

    Intervals come from drawing the votes anew a thousand times. A little ridge keeps a method that always won finite.
    """
    import numpy as np

    methods = sorted({method for vote in votes for method in vote.methods})
    place = {method: number for number, method in enumerate(methods)}
    first = np.array([place[vote.methods[0]] for vote in votes])
    second = np.array([place[vote.methods[1]] for vote in votes])
    share = np.array([0.5 if vote.winner is None else float(vote.winner == vote.methods[0]) for vote in votes])

    def wins(rows: NDArray[Any]) -> NDArray[Any]:
        table = np.zeros((len(methods), len(methods)))
        np.add.at(table, (first[rows], second[rows]), share[rows])
        np.add.at(table, (second[rows], first[rows]), 1 - share[rows])
        return table

    everything = np.arange(len(votes))
    table, generator = wins(everything), np.random.default_rng(0)
    strengths = bradley_terry(table)
    drawn = np.stack([
        bradley_terry(wins(generator.choice(everything, len(everything)))) for _ in range(_RESAMPLES)
    ])  # fmt: skip
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    compared = table + table.T
    won, compared = table.sum(1), (table + table.T).sum(1)
    found = [
        Score(method, float(strengths[n]), float(low[n]), float(high[n]), float(won[n]), int(compared[n]))
        for n, method in enumerate(methods)
    ]
    return sorted(found, key=lambda score: -score.strength)


def bradley_terry(table: NDArray[Any]) -> NDArray[Any]:
    """Strengths (M,), of mean 0, that make it likeliest that i won so often against j (M, M); by Newton's method."""
    import numpy as np

    compared = table + table.T
    strengths: NDArray[Any] = np.zeros(len(table))
    for _ in range(50):
        expected = compared / (1 + np.exp(strengths[None, :] - strengths[:, None]))
        slope = (table - expected).sum(1) - _RIDGE * strengths
        curvature = expected * (1 - np.divide(expected, compared, out=np.zeros_like(table), where=compared > 0))
        step = np.linalg.solve(np.diag(curvature.sum(1) + _RIDGE) - curvature, slope)
        strengths = strengths + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    centred: NDArray[Any] = strengths - strengths.mean()
    return centred
