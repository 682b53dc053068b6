"""What is done, what is being done and what has failed: a table in the output folder that survives its processes."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from impasto.errors import OutputError

_NAME = ".impasto-batch.sqlite"
_ATTEMPTS = 3
LEASE = 60.0
_HERE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]
"""This machine, without its name."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    output TEXT PRIMARY KEY, key TEXT NOT NULL, content TEXT NOT NULL, brief TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, owner TEXT, error TEXT, lease REAL NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True)
class BatchJob:
    """One picture to be painted.

    `output` lies below the ledger's folder, which may be moved as a whole; `key` says what from: inputs, network and
    settings; `brief` is that as JSON.
    """

    output: str
    key: str
    content: str
    brief: str


class Ledger:
    """The jobs of an output folder; several processes, and several batches, may share it.

    A job is `waiting`, `running`, `done` or `failed`. Its owner, which may be on another machine, holds it by a lease
    that `beat` renews; one whose owner has died, or was not heard of for `LEASE` seconds, waits again. A batch that
    wants the same picture from something else takes the row over; who was painting it then has nothing more to say.

    Raises:
        OutputError: the folder cannot be made, or holds a damaged ledger; from every method, it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / _NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._table = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._table.execute("PRAGMA journal_mode=WAL")
            self._table.execute(_SCHEMA)
            self._follow_earlier_versions()
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"The ledger {self.path} cannot be used ({error}); choose another folder.") from error

    def _follow_earlier_versions(self) -> None:
        """Ledgers used to hold the name of a style where the brief is now, and had no leases."""
        columns = [row[1] for row in self._table.execute("PRAGMA table_info(pictures)")]
        if "style" in columns:
            self._table.execute("ALTER TABLE pictures RENAME COLUMN style TO brief")
        if "lease" not in columns:
            self._table.execute("ALTER TABLE pictures ADD COLUMN lease REAL NOT NULL DEFAULT 0")

    def enter(self, jobs: Iterable[BatchJob]) -> int:
        """Let jobs wait, but not those that are being done, nor those that are done; return how many are."""
        done = 0
        with self._transaction():
            for job in jobs:
                row = self._table.execute("SELECT key, state FROM pictures WHERE output = ?", (job.output,)).fetchone()
                current = row is not None and row[0] == job.key
                there = current and row[1] == "done" and (self.folder / job.output).is_file()
                done += there
                if there or (current and row[1] == "running"):
                    continue
                self._table.execute(
                    "INSERT OR REPLACE INTO pictures (output, key, content, brief, state) "
                    "VALUES (?, ?, ?, ?, 'waiting')",
                    (job.output, job.key, job.content, job.brief),
                )
        return done

    def knows(self, output: str) -> bool:
        """Whether this file is a result of an earlier batch here."""
        return self._table.execute("SELECT 1 FROM pictures WHERE output = ?", (output,)).fetchone() is not None

    def claim(self, keys: Iterable[str]) -> BatchJob | None:
        """The next waiting job among `keys`, which is now this process's to do; None if there is none."""
        wanted = set(keys)
        with self._transaction():
            job = next((job for job in self._free() if job.key in wanted), None)
            if job:
                self._table.execute(
                    "UPDATE pictures SET state = 'running', owner = ?, lease = ?, attempts = attempts + 1 "
                    "WHERE output = ?", (_owner(), time.time() + LEASE, job.output),
                )  # fmt: skip
        return job

    def beat(self) -> None:
        """Go on to hold what this process is doing."""
        with self._transaction():
            change = "UPDATE pictures SET lease = ? WHERE owner = ? AND state = 'running'"
            self._table.execute(change, (time.time() + LEASE, _owner()))

    def mine(self, job: BatchJob) -> bool:
        """Whether this process is still the one to do the job."""
        row = self._table.execute("SELECT key, owner FROM pictures WHERE output = ?", (job.output,)).fetchone()
        return bool(row == (job.key, _owner()))

    def busy(self, keys: Iterable[str]) -> bool:
        """Whether one of these is being done by somebody."""
        running = self._table.execute("SELECT key FROM pictures WHERE state = 'running'")
        return bool({key for (key,) in running} & set(keys))

    def finish(self, job: BatchJob) -> None:
        """The job is done."""
        with self._transaction():
            self._set(job, "done", None)

    def fail(self, job: BatchJob, error: str, *, retry: bool) -> None:
        """The job has failed; with `retry` it waits again, unless it has been tried often enough."""
        with self._transaction():
            row = self._table.execute("SELECT attempts FROM pictures WHERE output = ?", (job.output,)).fetchone()
            self._set(job, "waiting" if retry and row and row[0] < _ATTEMPTS else "failed", error)

    def release(self, job: BatchJob) -> None:
        """The job was not done, through no fault of its own."""
        with self._transaction():
            self._set(job, "waiting", None)

    def states(self, jobs: Iterable[BatchJob]) -> dict[str, tuple[str, str | None]]:
        """{output: (state, error)} of these jobs."""
        rows = self._table.execute("SELECT output, key, state, error FROM pictures")
        known = {(output, key): (state, error) for output, key, state, error in rows}
        return {job.output: known[job.output, job.key] for job in jobs if (job.output, job.key) in known}

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._table.execute("BEGIN IMMEDIATE")
            yield
            self._table.execute("COMMIT")
        except sqlite3.Error as error:
            if self._table.in_transaction:
                self._table.execute("ROLLBACK")
            raise OutputError(
                f"The ledger {self.path} cannot be written to ({error}); make room and run the same command again."
            ) from error

    def _free(self) -> Iterator[BatchJob]:
        """Jobs that wait, then those whose owner has died; one that has killed several is given up."""
        fields_and_owner = "output, key, content, brief, attempts, owner, lease"
        columns = f"SELECT {fields_and_owner} FROM pictures WHERE state = ? ORDER BY rowid"
        for *fields, _, _, _ in self._table.execute(columns, ("waiting",)):
            yield BatchJob(*fields)
        for *fields, attempts, owner, lease in self._table.execute(columns, ("running",)).fetchall():
            job = BatchJob(*fields)
            if _alive(owner, lease):
                continue
            if attempts < _ATTEMPTS:
                yield job
            else:
                self._set(job, "failed", f"Its process died {attempts} times; look at this photo, or at the memory.")

    def _set(self, job: BatchJob, state: str, error: str | None) -> None:
        self._table.execute(
            "UPDATE pictures SET state = ?, error = ?, owner = NULL WHERE output = ? AND key = ?",
            (state, error, job.output, job.key),
        )


def results_in(folder: Path) -> set[Path]:
    """What batches have painted into `folder`, whole paths; nothing where there was none."""
    if not (folder / _NAME).is_file():
        return set()
    ledger = Ledger(folder)
    try:
        return {(folder / output).resolve() for (output,) in ledger._table.execute("SELECT output FROM pictures")}
    finally:
        ledger.close()


def _owner() -> str:
    return f"{os.getpid()} {psutil.Process().create_time()} {_HERE}"


def _alive(owner: str | None, lease: float) -> bool:
    """Whether the owner holds its lease; of this machine's processes it is known when they have died."""
    if not owner or lease < time.time():
        return False
    number, began, *machine = owner.split()
    if machine != [_HERE]:
        return True
    try:
        return str(psutil.Process(int(number)).create_time()) == began
    except psutil.NoSuchProcess:
        return False
