"""Blind choices, and what votes say."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import InputError
from impasto.metrics.study import Vote, read_votes, scores, write_study

pytestmark = pytest.mark.once_in("float32")


def report(folder: Path, save: Any, methods: tuple[str, ...]) -> Path:
    rows = [
        {
            "method": method,
            "content": str(save(f"c{pair}.png", 40, 50, pair)),
            "style": str(save("s.png", 40, 40, 9)),
            "picture": str(save(f"{method.replace(' ', '_')}{pair}.png", 40, 50, 20 + pair)),
            "measures": {"style": 0.1},
        }
        for method in methods
        for pair in range(2)
    ]
    (folder / "results.json").write_text(json.dumps({"results": rows}))
    return folder


def test_the_page_shows_every_choice_and_needs_nothing_else(tmp_path: Path, save: Any) -> None:
    source = report(tmp_path, save, ("x", "y", "z", "untouched photo"))
    assert write_study(source, tmp_path / "study.html") == 6
    page = (tmp_path / "study.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 + 1 + 6
    assert "untouched" not in page
    assert "http" not in page
    write_study(source, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text().replace("again", "study") == page
    with pytest.raises(InputError, match="fewer than two methods"):
        write_study(report(tmp_path, save, ("a",)), tmp_path / "one.html")
    with pytest.raises(InputError, match="is no report"):
        write_study(tmp_path / "nothing", tmp_path / "one.html")
    assert not (tmp_path / "one.html").exists()


def test_scores_find_the_strengths_that_made_the_votes() -> None:
    truth, chance = {"weak": -1.0, "middle": 0.0, "strong": 1.0}, random.Random(0)
    votes = []
    for number in range(900):
        one, other = chance.sample(sorted(truth), 2)
        likely = 1 / (1 + math.exp(truth[other] - truth[one]))
        votes.append(Vote(pair=str(number), methods=(one, other), winner=one if chance.random() < likely else other))
    found = scores(votes)
    assert [score.method for score in found] == ["strong", "middle", "weak"]
    for score in found:
        assert score.strength == pytest.approx(truth[score.method], abs=0.25)
        assert score.low < truth[score.method] < score.high
    assert sum(score.won for score in found) == 900


def test_one_that_always_won_and_votes_for_neither() -> None:
    won = [Vote(pair=str(n), methods=("a", "b"), winner="a") for n in range(5)]
    best, worst = scores(won)
    assert (best.method, best.won, worst.won, best.compared) == ("a", 5, 0, 5)
    assert math.isfinite(best.strength)
    even = scores([Vote(pair=str(n), methods=("a", "b"), winner=None) for n in range(5)])
    assert even[0].strength == pytest.approx(0, abs=1e-6)


def test_files_of_votes(tmp_path: Path) -> None:
    def save(name: str, votes: list[tuple[str, str | None]], study: str = "s") -> Path:
        told = [{"pair": pair, "methods": ["a", "b"], "winner": winner} for pair, winner in votes]
        (tmp_path / name).write_text(json.dumps({"study": study, "voter": "me", "votes": told}))
        return tmp_path / name

    good = save("1.json", [("p", "a"), ("q", "b"), ("q", "a"), ("r", None)])
    kept, contradicting = read_votes([good, save("2.json", [("p", "b")])])
    assert [vote.winner for vote in kept] == ["a", None, "b"]
    assert contradicting == 2
    with pytest.raises(InputError, match="different studies"):
        read_votes([good, save("3.json", [("p", "a")], "other")])
    with pytest.raises(InputError, match="no choice there"):
        read_votes([save("4.json", [("p", "c")])])
    with pytest.raises(InputError, match="not one clear vote"):
        read_votes([save("5.json", [("p", "a"), ("p", "b")])])
    (tmp_path / "6.json").write_text("{}")
    with pytest.raises(InputError, match="no file of votes"):
        read_votes([tmp_path / "6.json"])


def test_the_same_votes_count_once(tmp_path: Path) -> None:
    told = {"study": "s", "voter": "me", "votes": [{"pair": "p", "methods": ["a", "b"], "winner": "a"}]}
    for name in ("1.json", "copy.json"):
        (tmp_path / name).write_text(json.dumps(told))
    kept, _ = read_votes([tmp_path / "1.json", tmp_path / "1.json", tmp_path / "copy.json"])
    assert len(kept) == 1
