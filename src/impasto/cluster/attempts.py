"""How often a shard was tried, and which picture its worker died at, so that one picture cannot hold up all others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from impasto.storage import Storage

_DEADLY = 2


@dataclass
class Attempts:
    """The attempts at a shard. After the first has failed, each picture is named before it is painted.

    A picture that is named when the next attempt begins has cost a worker; one that has cost two, besides the first
    attempt, is left out. Markers lie in the storage, as the next attempt may be on another machine; their names begin
    with `own`.
    """

    storage: Storage
    own: str
    number: int
    _deadly: frozenset[str]

    @staticmethod
    def begin(storage: Storage, shard: int) -> Attempts:
        """The next attempt."""
        own = f"attempts/{shard:07}-"
        number = _next(storage, own)
        if number == 1:
            return Attempts(storage, own, number, frozenset())
        if at := storage.get(f"{own}at"):
            _next(storage, f"{own}{at.decode()}-")
            storage.delete(f"{own}at")
        died = [name.removeprefix(own) for name in storage.names("attempts/") if name.startswith(own)]
        deadly = frozenset(name.partition("-")[0] for name in died if name.endswith(f"-{_DEADLY}"))
        return Attempts(storage, own, number, deadly)

    def is_deadly(self, key: str) -> bool:
        """Whether this picture has cost too many workers."""
        return key in self._deadly

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """While a picture is painted."""
        if self.number == 1:
            yield
            return
        self.storage.put(f"{self.own}at", key.encode())
        yield

    def close(self) -> None:
        """The attempt has ended without its worker's death, so it does not count."""
        self.storage.delete(f"{self.own}{self.number}")
        if self.number > 1:
            self.storage.delete(f"{self.own}at")


def _next(storage: Storage, name: str) -> int:
    """Put the first marker of that name, with a number from 1 behind it, that is not there."""
    return next(number for number in itertools.count(1) if storage.put_new(f"{name}{number}", b""))
