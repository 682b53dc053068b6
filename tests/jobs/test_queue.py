"""What every queue keeps to."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy

from impasto.errors import SettingsError
from impasto.jobs.database import DatabaseQueue
from impasto.jobs.queue import Queue, QueueAwayError, QueueFullError

from postgres import Postgres

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    server.empty()
    return server.url


@pytest.fixture
def queue(url: str) -> Iterator[DatabaseQueue]:
    queue = DatabaseQueue(url, most_waiting=6, most_of_client=5)
    yield queue
    queue.close()


def test_a_job_goes_its_way(queue: Queue) -> None:
    assert queue.claim(9) is None
    entered = queue.enter("a", "me", "{}", quick=False)
    assert (entered.state, entered.done) == ("waiting", 0)
    assert queue.enter("a", "me", "other", quick=True) == entered
    assert queue.claim(9, quick=True) is None
    job = queue.claim(9)
    assert job is not None
    assert (job.id, job.state, job.token) == ("a", "running", 1)
    assert queue.claim(9) is None
    assert queue.beat(job, 9, 0.5, "half")
    assert queue.end(job, "done")
    assert not queue.end(job, "failed")
    ended = queue.get("a")
    assert ended is not None
    assert (ended.state, ended.done, ended.note) == ("done", 1, "half")


def test_whoever_has_lost_the_lease_no_longer_counts(queue: Queue) -> None:
    queue.enter("a", "me", "{}", quick=False)
    slow = queue.claim(0.05)
    time.sleep(0.1)
    next_one = queue.claim(9)
    assert slow is not None
    assert next_one is not None
    assert next_one.token == slow.token + 1
    assert not queue.beat(slow, 9, 0.1)
    assert not queue.end(slow, "failed")
    assert queue.end(next_one, "done")
    queue.enter("b", "me", "{}", quick=False)
    for _ in range(2):
        assert queue.claim(0.01) is not None
        time.sleep(0.05)
    assert queue.claim(9) is None
    lost = queue.get("b")
    assert lost is not None
    assert (lost.state, lost.code) == ("failed", "lost")


def test_jobs_are_stopped_and_go_on(queue: Queue) -> None:
    queue.enter("a", "me", "{}", quick=False)
    queue.enter("b", "me", "{}", quick=False)
    job = queue.claim(9)
    assert job is not None
    running, waiting = queue.stop("a", "stopped"), queue.stop("b", "cancelled")
    assert running is not None
    assert waiting is not None
    assert (running.state, waiting.state) == ("running", "cancelled")
    assert not queue.beat(job, 9, 0.2)
    assert queue.end(job, "failed", "x", "y")
    stopped = queue.get("a")
    assert stopped is not None
    assert stopped.state == "stopped"
    assert queue.go_on("b").state == "cancelled"  # type: ignore[union-attr]
    assert queue.go_on("a").state == "waiting"  # type: ignore[union-attr]
    assert queue.claim(9).token == 2  # type: ignore[union-attr]
    assert queue.stop("none", "stopped") is None


def test_no_more_wait_than_may_and_clients_take_turns(queue: Queue) -> None:
    for number in range(5):
        queue.enter(f"a{number}", "a", "{}", quick=False)
    with pytest.raises(QueueFullError, match="your jobs"):
        queue.enter("a5", "a", "{}", quick=False)
    queue.enter("b0", "b", "{}", quick=False)
    with pytest.raises(QueueFullError, match="try again"):
        queue.enter("c0", "c", "{}", quick=False)
    assert [queue.claim(9).id for _ in range(4)] == ["a0", "b0", "a1", "a2"]  # type: ignore[union-attr]
    assert queue.waiting() == 2
    assert queue.star("a3", True).starred  # type: ignore[union-attr]
    assert queue.news("a", 0)[-1].id == "a3"
    assert not queue.star("a3", False).starred  # type: ignore[union-attr]
    assert [job.id for job in queue.list("a")] == ["a4", "a3", "a2", "a1", "a0"]


def test_what_is_not_wanted_is_forgotten(queue: Queue) -> None:
    for id, request in (("look-1", "a"), ("look-2", "b"), ("kept", "b"), ("gone", "c")):
        queue.enter(id, "me", request, quick=False)
        job = queue.claim(9)
        assert job is not None
        queue.end(job, "done")
    queue.enter("look-3", "me", "d", quick=False)
    assert not queue.forget(0, "look-")
    assert queue.stop("gone", "cancelled").state == "cancelled"  # type: ignore[union-attr]
    assert queue.stop("kept", "stopped").state == "done"  # type: ignore[union-attr]
    assert sorted(job.request for job in queue.forget(time.time() + 1, "look-")) == ["a", "c"]
    assert sorted(job.id for job in queue.list("me")) == ["kept", "look-3"]


def test_news_are_told_in_order_and_once(queue: Queue) -> None:
    queue.enter("a", "me", "{}", quick=False)
    queue.enter("b", "me", "{}", quick=False)
    queue.enter("c", "you", "{}", quick=False)
    seen = queue.news("me", 0)
    assert [job.id for job in seen] == ["a", "b"]
    assert not queue.news("me", seen[-1].news)
    job = queue.claim(9)
    assert job is not None
    queue.beat(job, 9, 0.1, "x")
    number = queue.news("me", 0)[-1].news
    queue.beat(job, 9, 0.1, "x")
    assert not queue.news("me", number)


def test_the_same_job_entered_by_many_at_once_is_one(queue: Queue) -> None:
    with ThreadPoolExecutor(16) as pool:
        jobs = list(pool.map(lambda _: queue.enter("same", "me", "{}", quick=False), range(50)))
        claimed = list(pool.map(lambda _: queue.claim(9), range(16)))
    assert len({job.entered for job in jobs}) == 1
    assert sum(job is not None for job in claimed) == 1


def test_a_database_that_goes_away_comes_back(url: str, request: pytest.FixtureRequest) -> None:
    if url.startswith("sqlite"):
        with pytest.raises(QueueAwayError, match="cannot be reached"):
            DatabaseQueue("sqlite:////none/jobs.sqlite")
        with pytest.raises(SettingsError, match="--database"):
            DatabaseQueue("mysql://x")
        return
    server: Postgres = request.getfixturevalue("postgres")
    queue = DatabaseQueue(url)
    queue.enter("a", "me", "{}", quick=False)
    job = queue.claim(9)
    server.stop()
    with pytest.raises(QueueAwayError, match="cannot be reached"):
        queue.beat(job, 9, 0.5)  # type: ignore[arg-type]
    with pytest.raises(QueueAwayError):
        queue.get("a")
    server.start()
    assert queue.beat(job, 9, 0.5)  # type: ignore[arg-type]
    assert queue.get("a").done == 0.5  # type: ignore[union-attr]
    queue.close()


def test_a_clock_that_jumps_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DatabaseQueue(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    queue.enter("a", "me", "{}", quick=False)
    job, clock = queue.claim(5), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 86400)
    later = queue.claim(5)
    assert later is not None
    assert not queue.beat(job, 5, 0.1)  # type: ignore[arg-type]
    monkeypatch.setattr(time, "time", clock)
    assert queue.beat(later, 5, 0.1)
    assert queue.end(later, "done")
    queue.close()


def _work(url: str, results: Path) -> None:
    queue = DatabaseQueue(url)
    while True:
        job = queue.claim(0.4)
        if job is None:
            time.sleep(0.01)
            continue
        time.sleep(0.04)
        if queue.beat(job, 0.4, 0.5):
            with (results / f"{job.id}.{job.token}").open("w") as file:
                file.write(job.id)
            queue.end(job, "done")


def test_workers_killed_at_any_moment_lose_no_job(url: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    queue = DatabaseQueue(url, most_waiting=1000, most_of_client=1000)
    context, chance = multiprocessing.get_context("spawn"), random.Random(4)
    ids = [f"{number:03}" for number in range(100)]
    for id in ids:
        queue.enter(id, "me", "{}", quick=False)
    start = lambda: context.Process(target=_work, args=(url, results), daemon=True)  # noqa: E731
    workers = [start() for _ in range(2)]
    for worker in workers:
        worker.start()
    ends, kills = time.monotonic() + 90, 0
    while (left := queue.waiting()) and time.monotonic() < ends:
        time.sleep(chance.uniform(0.2, 0.5) if left < 100 else 0.05)
        if left < 100 and kills < 10:
            number = chance.randrange(2)
            assert workers[number].pid
            os.kill(workers[number].pid or 0, signal.SIGKILL)
            workers[number] = start()
            workers[number].start()
            kills += 1
    while any(queue.get(id).state == "running" for id in ids) and time.monotonic() < ends:  # type: ignore[union-attr]
        time.sleep(0.05)
    for worker in workers:
        worker.kill()
        worker.join()
    assert kills >= 3
    states = Counter(queue.get(id).state for id in ids)  # type: ignore[union-attr]
    assert states["done"] + states["failed"] == 100
    assert states["failed"] <= kills // 2
    queue.close()
    if url.startswith("sqlite"):
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("PRAGMA integrity_check")).scalar_one() == "ok"
        engine.dispose()
