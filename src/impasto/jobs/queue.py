"""What a job is, and what every queue of them can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from impasto.errors import ImpastoError

State = Literal["waiting", "running", "stopped", "done", "failed", "cancelled"]
ENDED = ("stopped", "done", "failed", "cancelled")


class QueueFullError(ImpastoError):
    """There are as many jobs waiting as may wait."""


class QueueAwayError(ImpastoError):
    """The queue cannot be reached, for now."""


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    `request` is what its worker is told; `quick` says that it takes seconds; `token` counts the leases: whoever holds
    an older one no longer counts. `done` is the share of the work that is done, `code` and `message` say why it failed.
    `news` is the number of its last change, and `starred` says that its client likes it.
    """

    id: str
    client: str
    request: str
    quick: bool
    state: State
    token: int
    tries: int
    done: float
    note: str
    code: str
    message: str
    entered: float
    changed: float
    news: int
    starred: bool


class Queue(Protocol):
    """Jobs in order, each worked on by one worker at a time. Times are in seconds.

    Every method raises `QueueAwayError` while the queue cannot be reached. `nearby` says that reading it takes no time.
    """

    nearby: bool

    def enter(self, id: str, client: str, request: str, *, quick: bool) -> Job:
        """A new job, or the one that has this id.

        Raises:
            QueueFullError: too many wait, in all or of this client.
        """
        ...

    def claim(self, lease: float, *, quick: bool = False) -> Job | None:
        """The next job for this worker, held for `lease` seconds; clients take turns.

        A job whose worker was not heard of in time is given to the next one; one that has been lost twice fails.
        """
        ...

    def beat(self, job: Job, lease: float, done: float, note: str = "") -> bool:
        """Tell that the work goes on; whether it should: it was not stopped, and nobody else has taken it."""
        ...

    def end(self, job: Job, state: State, code: str = "", message: str = "") -> bool:
        """Tell how the work has ended; False when somebody else has taken it."""
        ...

    def stop(self, id: str, state: Literal["stopped", "cancelled"]) -> Job | None:
        """End a job soon: at once where it waits, at the worker's next beat where it runs.

        What has ended can be cancelled still: it is not wanted any more.
        """
        ...

    def go_on(self, id: str) -> Job | None:
        """Let a stopped job wait again."""
        ...

    def star(self, id: str, starred: bool) -> Job | None:
        """Mark a job as one that its client likes, or take the mark away."""
        ...

    def get(self, id: str) -> Job | None:
        """A job."""
        ...

    def list(self, client: str, most: int = 100) -> Sequence[Job]:
        """A client's jobs, the newest first."""
        ...

    def news(self, client: str, after: int, most: int = 200) -> Sequence[Job]:
        """A client's jobs that have changed since news number `after`, in that order."""
        ...

    def forget(self, before: float, passing: str) -> Sequence[Job]:
        """Remove jobs that changed before a time and are not wanted: cancelled, or ended with an id that begins so.

        Of those that nobody else has asked for alike, so that their files may go; the others stay out of the answer.
        """
        ...

    def check_room(self, client: str, coming: int = 0, of_client: int = 0) -> None:
        """See whether another job may wait beside those that are about to come, quickly.

        Raises:
            QueueFullError: too many wait, in all or of this client.
        """
        ...

    def waiting(self) -> int:
        """How many wait."""
        ...

    def counts(self) -> dict[str, int]:
        """How many are in each state."""
        ...

    def mentions(self, text: str) -> bool:
        """Whether any job asks for something that has this in it."""
        ...
