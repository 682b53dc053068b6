"""Clients that send too slowly, or nothing: their connections are closed, as uvicorn alone never does."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS, BYTES_A_SECOND, LONGEST = 10.0, 64 << 10, 120.0
_LOOK_SECONDS = 1.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with an end to how long a request may take to arrive.

    From `SECONDS` on it has to come at `BYTES_A_SECOND`, and within `LONGEST` in all; answers may take as long as they
    like.
    """

    _since: float | None = None
    _bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look()

    def data_received(self, data: bytes) -> None:
        if self._since is None:
            self._since, self._bytes = self.loop.time(), 0
        self._bytes += len(data)
        super().data_received(data)

    def on_message_complete(self) -> None:
        self._since = None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self._since is not None:
            waited = self.loop.time() - self._since
            if waited > LONGEST or self._bytes < (waited - SECONDS) * BYTES_A_SECOND:
                self.transport.abort()
                return
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)
