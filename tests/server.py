"""A studio for the tests, in a process of its own."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from fakes import picture
from runs import PATIENCE


class Studio:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *options: str, most_bytes_a_file: int | None = None) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "impasto", *(options or ("studio", "--no-browser"))]
        limited = ["prlimit", f"--fsize={most_bytes_a_file}"] if most_bytes_a_file else []
        self.process = subprocess.Popen(
            [*limited, *command, "--port", "0", "--folder", str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.address = next(word for word in line.split() if word.startswith("http")).rstrip(";")
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE)

    def wait(self, id: str, *states: str) -> dict[str, Any]:
        """The job when it is in one of the states."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            job: dict[str, Any] = self.client.get(f"/v1/jobs/{id}").json()
            if job["state"] in states:
                return job
            time.sleep(0.03)
        raise AssertionError(job)

    def upload(self, data: bytes) -> str:
        """The id of a picture."""
        answer = self.client.post("/v1/uploads", content=data)
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["id"]
        return id

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        code = self.close()
        assert kind or code == 0

    def close(self) -> int:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> None:
        """As a crash does."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        assert self.process.stdout
        self.process.stdout.close()
        self.client.close()
        return self.process.wait(120)


def encoded(seed: int, kind: str = "png", height: int = 90, width: int = 120) -> bytes:
    """A smooth random picture as a file."""
    pixels = (picture(height, width, seed)[0].permute(1, 2, 0).numpy() * 255).round().astype("uint8")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
