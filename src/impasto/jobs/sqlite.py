"""A queue in a file, for the processes of one machine."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from impasto.jobs.queue import Job, QueueFullError, State

MOST_TRIES = 2
MOST_WAITING, MOST_OF_CLIENT = 32, 16
_PATIENCE = 20.0
_FIELDS = "id, client, request, quick, state, token, tries, done, note, code, message, entered, changed, news"
_CLAIMABLE = "(state = 'waiting' OR state = 'running' AND lease < ?) AND quick >= ?"
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, request TEXT NOT NULL, quick INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', token INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    lease REAL NOT NULL DEFAULT 0, ending TEXT NOT NULL DEFAULT '', done REAL NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
    entered REAL NOT NULL, changed REAL NOT NULL, news INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, entered);
CREATE INDEX IF NOT EXISTS jobs_by_news ON jobs (client, news);
CREATE TABLE IF NOT EXISTS counter (number INTEGER NOT NULL) STRICT;
INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter);
"""


class SqliteQueue:
    """A `Queue` in an SQLite file, in WAL mode; each change is one transaction."""

    def __init__(self, path: Path, most_waiting: int = MOST_WAITING, most_of_client: int = MOST_OF_CLIENT) -> None:
        self.path, self.most_waiting, self.most_of_client = path, most_waiting, most_of_client
        self._own = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLE} COMMIT;")

    def enter(self, id: str, client: str, request: str, *, quick: bool) -> Job:
        with self._change() as change:
            if known := self._one(change, "WHERE id = ?", id):
                return known
            waiting = "SELECT count(*) FROM jobs WHERE state = 'waiting'"
            if change.execute(waiting).fetchone()[0] >= self.most_waiting:
                raise QueueFullError("Too many jobs wait already; try again in a while.")
            if change.execute(f"{waiting} AND client = ?", (client,)).fetchone()[0] >= self.most_of_client:
                raise QueueFullError("Too many of your jobs wait already; try again when one is done.")
            now = time.time()
            change.execute(
                """INSERT INTO jobs (id, client, request, quick, entered, changed, news)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (id, client, request, quick, now, now, self._number(change)),
            )
            return self._known(change, id)

    def claim(self, lease: float, *, quick: bool = False) -> Job | None:
        if not self._any(quick):
            return None
        with self._change() as change:
            now = time.time()
            self._give_up(change, now)
            row = change.execute(
                f"""SELECT id FROM jobs AS own WHERE {_CLAIMABLE}
                ORDER BY state = 'running' DESC, (SELECT count(*) FROM jobs AS other WHERE other.client = own.client
                AND (other.state = 'running' OR other.state = 'waiting' AND other.entered < own.entered)), entered, id
                LIMIT 1""",
                (now, quick),
            ).fetchone()
            if row is None:
                return None
            change.execute(
                """UPDATE jobs SET state = 'running', token = token + 1, tries = tries + 1, lease = ?, changed = ?,
                news = ? WHERE id = ?""",
                (now + lease, now, self._number(change), row[0]),
            )
            return self._known(change, row[0])

    def beat(self, job: Job, lease: float, done: float, note: str = "") -> bool:
        with self._change() as change:
            now = time.time()
            told = (done, note) != change.execute("SELECT done, note FROM jobs WHERE id = ?", (job.id,)).fetchone()
            changed = change.execute(
                f"""UPDATE jobs SET lease = ?, done = ?, note = ?, changed = ? {", news = ?" if told else ""}
                WHERE id = ? AND token = ? AND state = 'running' RETURNING ending""",
                (now + lease, done, note, now, *([self._number(change)] if told else []), job.id, job.token),
            ).fetchone()
            return changed is not None and changed[0] == ""

    def end(self, job: Job, state: State, code: str = "", message: str = "") -> bool:
        with self._change() as change:
            return bool(
                change.execute(
                    """UPDATE jobs SET state = CASE WHEN ?1 != 'done' AND ending != '' THEN ending ELSE ?1 END,
                    done = CASE WHEN ?1 = 'done' THEN 1.0 ELSE done END, code = ?2, message = ?3, ending = '',
                    changed = ?4, news = ?5 WHERE id = ?6 AND token = ?7 AND state = 'running'""",
                    (state, code, message, time.time(), self._number(change), job.id, job.token),
                ).rowcount
            )

    def stop(self, id: str, state: Literal["stopped", "cancelled"]) -> Job | None:
        with self._change() as change:
            at_once = ("waiting", "stopped", "done", "failed") if state == "cancelled" else ("waiting",)
            marks = ", ".join("?" * len(at_once))
            values = (state, time.time(), self._number(change), id)
            told = "changed = ?, news = ? WHERE id = ? AND state"
            change.execute(f"UPDATE jobs SET ending = ?, {told} = 'running'", values)
            change.execute(f"UPDATE jobs SET state = ?, {told} IN ({marks})", (*values, *at_once))
            return self._one(change, "WHERE id = ?", id)

    def go_on(self, id: str) -> Job | None:
        with self._change() as change:
            change.execute(
                """UPDATE jobs SET state = 'waiting', tries = 0, changed = ?, news = ?
                WHERE id = ? AND state = 'stopped'""",
                (time.time(), self._number(change), id),
            )
            return self._one(change, "WHERE id = ?", id)

    def get(self, id: str) -> Job | None:
        return self._one(self._connection, "WHERE id = ?", id)

    def list(self, client: str, most: int = 100) -> Sequence[Job]:
        return self._all("WHERE client = ? ORDER BY entered DESC, id LIMIT ?", client, most)

    def news(self, client: str, after: int, most: int = 200) -> Sequence[Job]:
        return self._all("WHERE client = ? AND news > ? ORDER BY news LIMIT ?", client, after, most)

    def forget(self, before: float, passing: str) -> Sequence[Job]:
        with self._change() as change:
            rows = change.execute(
                f"""DELETE FROM jobs WHERE changed < ? AND (state = 'cancelled'
                OR substr(id, 1, ?) = ? AND state NOT IN ('waiting', 'running')) RETURNING {_FIELDS}""",
                (before, len(passing), passing),
            ).fetchall()
            alike = "SELECT 1 FROM jobs WHERE request = ? LIMIT 1"
            return [job for job in map(_job, rows) if change.execute(alike, (job.request,)).fetchone() is None]

    def waiting(self) -> int:
        found: int = self._connection.execute("SELECT count(*) FROM jobs WHERE state = 'waiting'").fetchone()[0]
        return found

    def _any(self, quick: bool) -> bool:
        """Whether there is something to claim, seen without a lock."""
        query = f"SELECT 1 FROM jobs WHERE {_CLAIMABLE} LIMIT 1"
        return self._connection.execute(query, (time.time(), quick)).fetchone() is not None

    def _give_up(self, change: sqlite3.Connection, now: float) -> None:
        """End what was stopped and then lost, and what has been lost too often."""
        lost = "state = 'running' AND lease < ?"
        for (id,) in change.execute(
            f"SELECT id FROM jobs WHERE {lost} AND (tries >= ? OR ending != '')", (now, MOST_TRIES)
        ).fetchall():
            change.execute(
                """UPDATE jobs SET state = CASE ending WHEN '' THEN 'failed' ELSE ending END, ending = '',
                code = 'lost', message = 'Its worker was lost twice; try a smaller size.', token = token + 1,
                changed = ?, news = ? WHERE id = ?""",
                (now, self._number(change), id),
            )

    def _number(self, change: sqlite3.Connection) -> int:
        number: int = change.execute("UPDATE counter SET number = number + 1 RETURNING number").fetchone()[0]
        return number

    def _known(self, connection: sqlite3.Connection, id: str) -> Job:
        job = self._one(connection, "WHERE id = ?", id)
        assert job is not None
        return job

    def _one(self, connection: sqlite3.Connection, where: str, *values: Any) -> Job | None:
        row = connection.execute(f"SELECT {_FIELDS} FROM jobs {where}", values).fetchone()
        return None if row is None else _job(row)

    def _all(self, where: str, *values: Any) -> Sequence[Job]:
        return [_job(row) for row in self._connection.execute(f"SELECT {_FIELDS} FROM jobs {where}", values)]

    def _change(self) -> _Change:
        return _Change(self._connection)

    @property
    def _connection(self) -> sqlite3.Connection:
        """This thread's own."""
        if not hasattr(self._own, "connection"):
            self._own.connection = self._connect()
        connection: sqlite3.Connection = self._own.connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


class _Change:
    """A transaction that begins by taking the lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self.connection.execute("BEGIN IMMEDIATE")
        return self.connection

    def __exit__(self, kind: object, *_: object) -> None:
        self.connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _job(row: tuple[Any, ...]) -> Job:
    return Job(row[0], row[1], row[2], bool(row[3]), *row[4:])
