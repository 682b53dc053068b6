"""Runs on a Ray cluster of two nodes on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from door import run
from nodes import Nodes
from runs import PATIENCE, contents, in_background, outcomes, wait_until

pytestmark = pytest.mark.once_in("bfloat16")

SMALL = ("--size", 64, "--style", "looks:swirls")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes(2) as nodes:
        yield nodes


def started(nodes: Nodes, manifest: Path, out: Path) -> Any:
    """A run on the cluster that has begun to paint."""
    process = in_background("batch", manifest, *SMALL, "-o", out, "--on", nodes.address, env=nodes.own)
    wait_until(lambda: len([*out.glob("ledger/*")]) > 0 or process.poll() is not None)
    return process


def painters() -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if "MapWorker" in " ".join(one.info["cmdline"] or [])]


def test_the_cluster_paints_what_this_machine_paints(manifest: Path, tmp_path: Path, nodes: Nodes) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert run("batch", manifest, *SMALL, "-o", here, "--shards", 2) == 0
    process = in_background("batch", manifest, *SMALL, "-o", there, "--shards", 2, "--on", nodes.address, env=nodes.own)
    told, problems = process.communicate(timeout=PATIENCE)
    assert "6 painted; 3 of 3 shards" in told, problems
    assert contents(here) == contents(there)


def test_painters_and_nodes_may_be_lost(manifest: Path, tmp_path: Path, nodes: Nodes, save: Any) -> None:
    for number in range(6, 30):
        save(f"photos/{number}.png", 60, 80, number)
    assert run("manifest", tmp_path / "photos", "-o", manifest, "--force") == 0
    out = tmp_path / "out"
    process = started(nodes, manifest, out)
    for painter in painters()[:1]:
        painter.kill()
    nodes.replace_one()
    _, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, problems
    found = outcomes(out)
    assert len(found) == len({one.key for one in found}) == 30
    assert {one.state for one in found} <= {"done", "there"}
    assert len([*out.glob("pictures/*/*.png")]) == 30
    assert len([*out.glob("pictures/*/*")]) == 30


def test_what_a_lost_driver_has_begun_is_finished_here(manifest: Path, tmp_path: Path, nodes: Nodes) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    process = started(nodes, manifest, there)
    process.kill()
    process.communicate()
    wait_until(lambda: painters() == [])
    assert len([*there.glob("ledger/*")]) < 6
    assert run("batch", manifest, *SMALL, "-o", there) == 0
    assert run("batch", manifest, *SMALL, "-o", here) == 0
    assert Counter(one.key for one in outcomes(here)) == Counter(one.key for one in outcomes(there))
    own = {name: data for name, data in contents(here).items() if not name.startswith("ledger/")}
    assert own == {name: data for name, data in contents(there).items() if not name.startswith("ledger/")}


def test_a_cluster_that_is_not_there(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = in_background("batch", manifest, *SMALL, "-o", tmp_path / "out", "--on", "127.0.0.1:1")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "cannot be joined" in told
    assert "Traceback" not in told
