"""What a run will take, said before it is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.cluster.cost import Fleet
from impasto.cluster.simulation import Pace, Troubles, simulate
from impasto.errors import SettingsError, UnknownName

from door import run

pytestmark = pytest.mark.once_in("float32")

_PACE = Pace(100, spread=0, start_seconds=0, handing_seconds=0)
_CALM = Troubles(slow_share=0)


def test_a_calm_run_takes_its_shards_by_its_painters() -> None:
    course = simulate(100, 10, _PACE, _CALM)
    assert (course.seconds, course.efficiency, course.repainted) == (1000, 1, 0)
    assert simulate(101, 10, _PACE, _CALM).seconds == 1100


def test_slow_painters_and_lost_ones_cost_time() -> None:
    slow = simulate(100, 10, _PACE, Troubles(slow_share=1, slowness=2))
    assert (slow.seconds, slow.efficiency) == (2000, 0.5)
    spot = simulate(1000, 10, _PACE, Troubles(slow_share=0, losses_an_hour=3))
    assert 60 < spot.repainted < 110  # 100 s of 3600 s each, three times an hour, a thousand shards
    assert spot.seconds > 10_000


def test_the_plan_of_a_manifest(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("plan", manifest, "--style", "looks:swirls", "--style", "looks:mosaic", "--size", 64, "--shards", 4)
    capsys.readouterr()
    assert run(*command, "--on", "c7i.xlarge:2", "--price", 0) == 0
    told = capsys.readouterr().out
    assert "6 photos, 12 results, 3 shards" in told
    assert "4 of them on 2 c7i.xlarge" in told
    assert "machines   0.00 USD" in told
    assert "21 reads, 9 writes" in told


@pytest.mark.parametrize(("on", "error", "message"), [
    ("c7i.xlarge:0", SettingsError, "as c7i.4xlarge:8"),
    ("c7i.xlarge:many", SettingsError, "as c7i.4xlarge:8"),
    ("c8i.xlarge", UnknownName, "did you mean 'c7i.xlarge'"),
    ("g5.xlarge:4", SettingsError, "with --rate"),
])  # fmt: skip
def test_machines_that_cannot_be_planned_with(on: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Fleet.of(on)
    assert Fleet.of("g5.xlarge:4", rate=12).count == 4
