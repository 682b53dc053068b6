"""A queue in a database: a file of SQLite for the processes of one machine, PostgreSQL for many machines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from impasto.jobs.connection import engine_of, telling_when_away
from impasto.jobs.queue import Job, QueueFullError, State

if TYPE_CHECKING:
    from sqlalchemy import Connection, TextClause

MOST_TRIES = 2
MOST_WAITING, MOST_OF_CLIENT = 32, 16
_FIELDS = "id, client, request, quick, state, token, tries, done, note, code, message, entered, changed, news, starred"
_CLAIMABLE = "(state = 'waiting' OR state = 'running' AND lease < :now) AND quick >= :quick"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, request TEXT NOT NULL, quick INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', token INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    lease DOUBLE PRECISION NOT NULL DEFAULT 0, ending TEXT NOT NULL DEFAULT '',
    done DOUBLE PRECISION NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '', entered DOUBLE PRECISION NOT NULL, changed DOUBLE PRECISION NOT NULL,
    news BIGINT NOT NULL, starred INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, entered)",
    "CREATE INDEX IF NOT EXISTS jobs_by_news ON jobs (client, news)",
    "CREATE INDEX IF NOT EXISTS jobs_by_request ON jobs (request)",
    "CREATE TABLE IF NOT EXISTS counter (number BIGINT NOT NULL)",
    "INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)",
)
_ONE_AT_A_TIME = 0x1A9A570
"""The number of our lock in a PostgreSQL database."""


class DatabaseQueue:
    """A `Queue` in a database; each change is one transaction, and one comes after the other.

    So the numbers of news are seen in their order, and two workers never take the same job. Times are the database's
    own in PostgreSQL, so that the clocks of workers do not matter.

    Args:
        url: `sqlite:///path`, or `postgresql://user@host/name`.
        most_waiting: jobs that may wait, in all.
        most_of_client: and of one client.

    Raises:
        SettingsError: an extra is missing, or there is no such kind of database.
        QueueAwayError: it cannot be reached.
    """

    def __init__(self, url: str, most_waiting: int = MOST_WAITING, most_of_client: int = MOST_OF_CLIENT) -> None:
        self.most_waiting, self.most_of_client = most_waiting, most_of_client
        self._engine = engine_of(url)
        self.nearby = self._engine.dialect.name == "sqlite"
        with self._change() as change:
            for statement in _TABLES:
                _do(change, statement)

    def enter(self, id: str, client: str, request: str, *, quick: bool) -> Job:
        with self._change() as change:
            if known := _one(change, "WHERE id = :id", id=id):
                return known
            self._check_room(change, client)
            _do(
                change,
                """INSERT INTO jobs (id, client, request, quick, entered, changed, news)
                VALUES (:id, :client, :request, :quick, :now, :now, :news)""",
                id=id, client=client, request=request, quick=int(quick), now=self._now(change), news=_number(change),
            )  # fmt: skip
            return _known(change, id)

    def check_room(self, client: str, coming: int = 0, of_client: int = 0) -> None:
        with self._reading() as reading:
            self._check_room(reading, client, coming, of_client)

    def _check_room(self, connection: Connection, client: str, coming: int = 0, of_client: int = 0) -> None:
        own = "sum(CASE WHEN client = :client THEN 1 ELSE 0 END)"
        counted = _do(connection, f"SELECT count(*), {own} FROM jobs WHERE state = 'waiting'", client=client).one()
        if counted[0] + coming >= self.most_waiting:
            raise QueueFullError("Too many jobs wait already; try again in a while.")
        if (counted[1] or 0) + of_client >= self.most_of_client:
            raise QueueFullError("Too many of your jobs wait already; try again when one is done.")

    def claim(self, lease: float, *, quick: bool = False) -> Job | None:
        if not self._any(quick):
            return None
        with self._change() as change:
            now = self._now(change)
            _give_up(change, now)
            row = _do(
                change,
                f"""SELECT id FROM jobs AS own WHERE {_CLAIMABLE}
                ORDER BY CASE state WHEN 'running' THEN 0 ELSE 1 END, (SELECT count(*) FROM jobs AS other
                WHERE other.client = own.client AND (other.state = 'running'
                OR other.state = 'waiting' AND other.entered < own.entered)), entered, id LIMIT 1""",
                now=now, quick=int(quick),
            ).first()  # fmt: skip
            if row is None:
                return None
            _do(
                change,
                """UPDATE jobs SET state = 'running', token = token + 1, tries = tries + 1, lease = :lease,
                changed = :now, news = :news WHERE id = :id""",
                lease=now + lease, now=now, news=_number(change), id=row[0],
            )  # fmt: skip
            return _known(change, row[0])

    def beat(self, job: Job, lease: float, done: float, note: str = "") -> bool:
        with self._change() as change:
            now = self._now(change)
            known = _do(change, "SELECT done, note FROM jobs WHERE id = :id", id=job.id).first()
            told = known is not None and tuple(known) != (done, note)
            row = _do(
                change,
                f"""UPDATE jobs SET lease = :lease, done = :done, note = :note, changed = :now
                {", news = :news" if told else ""} WHERE id = :id AND token = :token AND state = 'running'
                RETURNING ending""",
                lease=now + lease, done=done, note=note, now=now, id=job.id, token=job.token,
                **({"news": _number(change)} if told else {}),
            ).first()  # fmt: skip
            return row is not None and row[0] == ""

    def end(self, job: Job, state: State, code: str = "", message: str = "") -> bool:
        with self._change() as change:
            changed = _do(
                change,
                f"""UPDATE jobs SET state = {"'done'" if state == "done" else "COALESCE(NULLIF(ending, ''), :state)"},
                done = {"1" if state == "done" else "done"}, code = :code, message = :message, ending = '',
                changed = :now, news = :news WHERE id = :id AND token = :token AND state = 'running'""",
                state=state, code=code, message=message, now=self._now(change), news=_number(change), id=job.id,
                token=job.token,
            )  # fmt: skip
            return bool(changed.rowcount)

    def stop(self, id: str, state: Literal["stopped", "cancelled"]) -> Job | None:
        with self._change() as change:
            at_once = "'waiting', 'stopped', 'done', 'failed'" if state == "cancelled" else "'waiting'"
            given = {"state": state, "now": self._now(change), "news": _number(change), "id": id}
            told = "changed = :now, news = :news WHERE id = :id AND state"
            _do(change, f"UPDATE jobs SET ending = :state, {told} = 'running'", **given)
            _do(change, f"UPDATE jobs SET state = :state, {told} IN ({at_once})", **given)
            return _one(change, "WHERE id = :id", id=id)

    def go_on(self, id: str) -> Job | None:
        with self._change() as change:
            _do(
                change,
                """UPDATE jobs SET state = 'waiting', tries = 0, changed = :now, news = :news
                WHERE id = :id AND state = 'stopped'""",
                now=self._now(change), news=_number(change), id=id,
            )  # fmt: skip
            return _one(change, "WHERE id = :id", id=id)

    def star(self, id: str, starred: bool) -> Job | None:
        with self._change() as change:
            told = {"starred": int(starred), "news": _number(change), "id": id}
            _do(change, "UPDATE jobs SET starred = :starred, news = :news WHERE id = :id", **told)
            return _one(change, "WHERE id = :id", id=id)

    def get(self, id: str) -> Job | None:
        with self._reading() as reading:
            return _one(reading, "WHERE id = :id", id=id)

    def list(self, client: str, most: int = 100) -> Sequence[Job]:
        where = "WHERE client = :client ORDER BY entered DESC, id LIMIT :most"
        with self._reading() as reading:
            return _all(reading, where, client=client, most=most)

    def news(self, client: str, after: int, most: int = 200) -> Sequence[Job]:
        where = "WHERE client = :client AND news > :after ORDER BY news LIMIT :most"
        with self._reading() as reading:
            return _all(reading, where, client=client, after=after, most=most)

    def forget(self, before: float, passing: str) -> Sequence[Job]:
        with self._change() as change:
            rows = _do(
                change,
                f"""DELETE FROM jobs WHERE changed < :before AND (state = 'cancelled'
                OR substr(id, 1, :length) = :passing AND state NOT IN ('waiting', 'running')) RETURNING {_FIELDS}""",
                before=before, length=len(passing), passing=passing,
            ).all()  # fmt: skip
            alike = "SELECT 1 FROM jobs WHERE request = :request LIMIT 1"
            return [job for job in map(_job, rows) if _do(change, alike, request=job.request).first() is None]

    def waiting(self) -> int:
        with self._reading() as reading:
            return int(_do(reading, "SELECT count(*) FROM jobs WHERE state = 'waiting'").scalar_one())

    def counts(self) -> dict[str, int]:
        with self._reading() as reading:
            return {row[0]: row[1] for row in _do(reading, "SELECT state, count(*) FROM jobs GROUP BY state")}

    def mentions(self, text: str) -> bool:
        with self._reading() as reading:
            found = _do(reading, "SELECT 1 FROM jobs WHERE request LIKE :like LIMIT 1", like=f"%{text}%")
            return found.first() is not None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _any(self, quick: bool) -> bool:
        """Whether there is something to claim, seen without a lock."""
        with self._reading() as reading:
            given = {"now": self._now(reading), "quick": int(quick)}
            return _do(reading, f"SELECT 1 FROM jobs WHERE {_CLAIMABLE} LIMIT 1", **given).first() is not None

    def _now(self, connection: Connection) -> float:
        if self.nearby:
            return time.time()
        return float(_do(connection, "SELECT extract(epoch FROM clock_timestamp())").scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with telling_when_away(), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        """A transaction that begins by taking the lock."""
        with telling_when_away(), self._engine.begin() as connection:
            if not self.nearby:
                _do(connection, "SELECT pg_advisory_xact_lock(:number)", number=_ONE_AT_A_TIME)
            yield connection


def _give_up(change: Connection, now: float) -> None:
    """End what was stopped and then lost, and what has been lost too often."""
    lost = "state = 'running' AND lease < :now AND (tries >= :most OR ending != '')"
    for (id,) in _do(change, f"SELECT id FROM jobs WHERE {lost}", now=now, most=MOST_TRIES).all():
        _do(
            change,
            """UPDATE jobs SET state = COALESCE(NULLIF(ending, ''), 'failed'), ending = '', code = 'lost',
            message = 'Its worker was lost twice; try a smaller size.', token = token + 1, changed = :now, news = :news
            WHERE id = :id""",
            now=now, news=_number(change), id=id,
        )  # fmt: skip


def _number(change: Connection) -> int:
    return int(_do(change, "UPDATE counter SET number = number + 1 RETURNING number").scalar_one())


def _known(connection: Connection, id: str) -> Job:
    job = _one(connection, "WHERE id = :id", id=id)
    assert job is not None
    return job


def _one(connection: Connection, where: str, **values: Any) -> Job | None:
    row = _do(connection, f"SELECT {_FIELDS} FROM jobs {where}", **values).first()
    return None if row is None else _job(row)


def _all(connection: Connection, where: str, **values: Any) -> Sequence[Job]:
    return [_job(row) for row in _do(connection, f"SELECT {_FIELDS} FROM jobs {where}", **values)]


def _do(connection: Connection, statement: str, **values: Any) -> Any:
    return connection.execute(_parsed(statement), values)


@lru_cache(maxsize=256)
def _parsed(statement: str) -> TextClause:
    from sqlalchemy import text

    return text(statement)


def _job(row: Any) -> Job:
    return Job(**{**row._mapping, "quick": bool(row.quick), "starred": bool(row.starred)})
