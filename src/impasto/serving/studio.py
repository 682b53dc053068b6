"""The studio as a whole: a server, and the processes that paint for it."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from impasto.errors import SettingsError
from impasto.identity import Identity
from impasto.jobs.database import DatabaseQueue
from impasto.serving.guard import LOCAL_HOSTS
from impasto.serving.worker import DATABASE

if TYPE_CHECKING:
    import uvicorn

    from impasto.serving.decoding import Decoder
    from impasto.serving.service import Service

_log = logging.getLogger("impasto.serving")
_AGAIN_SECONDS, _LEAVE_SECONDS, _SWEEP_SECONDS = 0.5, 15.0, 60.0
_SWEEPS_TO_UPLOADS = 60
"""All of them are listed then, which costs requests in a bucket."""


class Painters(Protocol):
    """Whoever paints for the studio."""

    def start(self) -> None:
        """Begin, and see to it that it goes on."""
        ...

    def complete(self) -> bool:
        """Whether all are there that should be."""
        ...

    def count(self) -> int:
        """How many are there."""
        ...

    def leave(self) -> None:
        """Tell all to stop between two steps; what they were at waits to go on."""
        ...


@dataclass
class Crew:
    """Processes that paint; one that dies is replaced. The first takes quick jobs alone, so that sliders never wait."""

    database: str
    storage: str
    workers: int
    signs: bool
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _leaving: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin, and see to it that it goes on."""
        self._processes = [self._new(number) for number in range(self.workers)]
        threading.Thread(target=self._watch, daemon=True, name="crew").start()

    def complete(self) -> bool:
        """Whether all are there."""
        return self.count() == self.workers

    def count(self) -> int:
        """How many are there."""
        return sum(process.poll() is None for process in self._processes)

    def leave(self) -> None:
        """Tell all to stop between two steps; what they were at waits to go on."""
        self._leaving.set()
        for process in self._processes:
            process.terminate()
        ends = time.monotonic() + _LEAVE_SECONDS
        for process in self._processes:
            try:
                process.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _bytes_each(self) -> int:
        """The most memory that a painter may take for a job: not more than 4 GB, in all not more than 70 %."""
        return int(min(4e9, 0.7 * psutil.virtual_memory().total / self.workers))

    def _watch(self) -> None:
        while not self._leaving.wait(_AGAIN_SECONDS):
            for number, process in enumerate(self._processes):
                if process.poll() is not None and not self._leaving.is_set():
                    self._processes[number] = self._new(number)

    def _new(self, number: int) -> subprocess.Popen[bytes]:
        more = ["--quick"] if number == 0 and self.workers > 1 else []
        more += ["--sign"] if self.signs else []
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        more += ["--threads", str(threads), "--memory", str(self._bytes_each()), "--parent", str(os.getpid())]
        command = [sys.executable, "-m", "impasto.serving.worker", self.storage, *more]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), DATABASE: self.database}
        return subprocess.Popen(command, env=environment)


def serve_studio(
    folder: Path,
    *,
    host: str,
    port: int,
    workers: int,
    token: str | None = None,
    database: str | None = None,
    storage: str | None = None,
    signs: bool = False,
    rate: str = "",
    proxy: str = "",
    painters: Callable[[str, str, int, bool], Painters] | None = None,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted; jobs and pictures lie in `folder`, and processes of this machine paint, or `painters`.

    Raises:
        SettingsError: an extra is missing, or it would listen to others without a token.
    """
    if token is None and host not in (*LOCAL_HOSTS, "::1"):
        raise SettingsError(f"Listening at {host} lets others in; give --token-file, or leave out --host.")
    try:
        import uvicorn

        from impasto.serving.api import build
        from impasto.serving.counting import Figures
        from impasto.serving.decoding import Decoder
        from impasto.serving.patience import PatientProtocol
        from impasto.serving.service import Service
    except ImportError as error:
        raise SettingsError("The studio needs an extra; install it with: pip install 'impasto[studio]'.") from error
    from impasto.serving.guard import Guard
    from impasto.storage import Storage

    folder.mkdir(parents=True, exist_ok=True)
    place = storage or str(folder / "files")
    url = database or f"sqlite:///{(folder / 'jobs.sqlite').absolute()}"
    queue = DatabaseQueue(url)
    if signs:
        Identity.own()
    crew, decoder = (painters or Crew)(url, place, workers, signs), Decoder()
    service = Service(queue, Storage(place), decoder, lambda: server.should_exit)
    figures = Figures(queue, crew.count)
    app = Guard(
        build(service, figures, crew.complete), (*LOCAL_HOSTS, host), token, rate=rate, proxy=proxy, count=figures.count
    )
    settings = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=20,
        timeout_graceful_shutdown=2, lifespan="off", http=PatientProtocol, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(settings)
    threading.Thread(target=_sweep, args=(service,), daemon=True, name="sweep").start()
    with _working(crew, decoder):
        if opened:
            threading.Thread(target=_when_started, args=(server, opened), daemon=True).start()
        with suppress(KeyboardInterrupt):
            server.run()
    if not server.started:
        raise SettingsError(f"Port {port} of {host} is taken; give another with --port.")


def _sweep(service: Service) -> None:
    for count in itertools.count():
        try:
            service.sweep(time.time())
            if count % _SWEEPS_TO_UPLOADS == 0:
                service.sweep_uploads(time.time())
        except Exception as error:  # a queue or a storage that is away for a while
            _log.warning("not swept (%s: %s)", type(error).__name__, error)
        time.sleep(_SWEEP_SECONDS)


@contextmanager
def _working(crew: Painters, decoder: Decoder) -> Iterator[None]:
    crew.start()
    try:
        yield
    finally:
        crew.leave()
        decoder.close()


def _when_started(server: uvicorn.Server, opened: Callable[[str], None]) -> None:
    while not server.started:
        time.sleep(0.02)
    (first, *_) = (sock for one in server.servers for sock in one.sockets)
    address, port = first.getsockname()[:2]
    opened(f"http://{address}:{port}")
