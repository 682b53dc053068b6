"""A bucket on this machine, in a process of its own; it may fail some requests, and be slow.

python tests/s3.py [SHARE THAT FAILS] [SECONDS OF DELAY]
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def bucket(failing: float = 0.0, delay: float = 0.0) -> Iterator[str]:
    """The address of a bucket of its own name, for this process and those that it begins."""
    command = [sys.executable, __file__, str(failing), str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address = process.stdout.readline().strip()
    endpoint = address.rpartition("/")[0]
    own = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "not-so-secret",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    try:
        with mock.patch.dict(os.environ, own):
            yield f"s3://{address.rpartition('/')[2]}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Flaky:
    """Answers some requests with 503, before or after they were done."""

    def __init__(self, app: Callable[..., Iterable[bytes]], failing: float, delay: float) -> None:
        self.app, self.failing, self.delay, self.chance = app, failing, delay, random.Random(1)

    def __call__(self, environ: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(self.delay)
        luck = self.chance.random()
        if luck < self.failing / 2:
            return self._fail(answer)
        done = self.app(environ, answer if luck >= self.failing else lambda *_: None)
        return self._fail(answer) if luck < self.failing else done

    @staticmethod
    def _fail(answer: Callable[..., Any]) -> Iterable[bytes]:
        answer("503 Slow Down", [("Content-Type", "application/xml")])
        return [b"<Error><Code>SlowDown</Code></Error>"]


def main(failing: float = 0.0, delay: float = 0.0) -> None:
    """Serve until killed."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = _Flaky(DomainDispatcherApplication(create_backend_app), 0.0, 0.0)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    address = f"http://127.0.0.1:{server.server_port}/bucket-{server.server_port}"

    threading.Thread(target=server.serve_forever, daemon=True).start()
    with urllib.request.urlopen(urllib.request.Request(address, method="PUT")):
        pass
    app.failing, app.delay = failing, delay
    print(address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
