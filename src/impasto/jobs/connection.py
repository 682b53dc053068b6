"""The way to the database of a queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError
from impasto.jobs.queue import QueueAwayError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_PATIENCE = 20.0
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def engine_of(url: str) -> Engine:
    """The database at `sqlite:///path` or `postgresql://user@host/name`; a transaction in SQLite begins with the lock.

    Raises:
        SettingsError: an extra is missing, or there is no such kind of database.
    """
    try:
        import sqlalchemy
        from sqlalchemy import event
    except ImportError as error:
        raise SettingsError("The studio needs an extra; install it with: pip install 'impasto[studio]'.") from error
    kind, _, rest = url.partition("://")
    if kind not in _DRIVERS:
        raise SettingsError("Expected --database as postgresql://user@host/name or sqlite:///file.")
    try:
        own = {"timeout" if kind == "sqlite" else "connect_timeout": int(_PATIENCE)}
        engine = sqlalchemy.create_engine(
            f"{_DRIVERS[kind]}://{rest}",
            connect_args=own,
            pool_size=20,
            max_overflow=40,
            pool_pre_ping=kind != "sqlite",
        )
    except ImportError as error:
        raise SettingsError("PostgreSQL needs an extra; install it with: pip install 'impasto[postgres]'.") from error
    except sqlalchemy.exc.ArgumentError as error:
        raise SettingsError("Expected --database as postgresql://user@host/name or sqlite:///file.") from error
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        @event.listens_for(engine, "begin")
        def lock(connection: Connection) -> None:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def telling_when_away() -> Iterator[None]:
    """A database that cannot be reached becomes one sentence.

    Raises:
        QueueAwayError: it cannot.
    """
    from sqlalchemy.exc import InterfaceError, OperationalError

    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise QueueAwayError("The queue of jobs cannot be reached; try again in a moment.") from error
