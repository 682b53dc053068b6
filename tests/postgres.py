"""A PostgreSQL of the tests' own: a folder, a socket in it, no port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, if it is installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


class Postgres:
    """A server; started and stopped at will."""

    def __init__(self) -> None:
        self._programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres"))
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    def start(self) -> None:
        """Answer."""
        options = f"-c listen_addresses='' -c max_connections=200 -k {self.folder}"
        self._control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As a crash does."""
        self._control("-m", "immediate", "stop")

    def empty(self) -> None:
        """Forget all jobs."""
        engine = sqlalchemy.create_engine(self.url.replace("://", "+psycopg://"))
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS jobs, counter"))
        engine.dispose()

    def close(self) -> None:
        """Stop, and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder)

    def _control(self, *given: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", *given)

    def _run(self, program: str, *given: str) -> None:
        """As nobody in particular: PostgreSQL does not let itself be run by root."""
        assert self._programs
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [str(self._programs / program), *given], check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user
        )
