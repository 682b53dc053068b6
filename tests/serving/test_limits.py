"""What the studio allows, and what it says of itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from time import time

import pytest
from PIL import Image

from impasto.errors import OutputError
from impasto.jobs.database import DatabaseQueue
from impasto.serving.decoding import Decoder
from impasto.serving.guard import Guard, Message, Receive, Send
from impasto.serving.request import JobRequest
from impasto.serving.service import UPLOAD_SECONDS, Service
from impasto.storage import Storage

from runs import PATIENCE
from server import Studio, encoded

pytestmark = pytest.mark.once_in("bfloat16")
_LEARNED = {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": 96}}


def test_the_api_is_as_it_says(tmp_path: Path) -> None:
    """Hundreds of requests made from its own OpenAPI, good ones and bad ones."""
    with Studio(tmp_path) as studio:
        studio.upload(encoded(0))
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        command = [
            Path(sys.executable).with_name("st"), "run", f"{studio.address}/v1/openapi.json", "--checks", checks,
            "--max-examples", "40", "--phases", "coverage,fuzzing", "--exclude-path", "/v1/events", "--no-color",
            "--generation-deterministic", "--request-timeout", "30",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        figures = studio.client.get("/metrics").text
    assert 'status="500"' not in figures
    counted = sum(float(line.split()[-1]) for line in figures.splitlines() if line.startswith("impasto_requests_total"))
    assert counted > 500
    assert "impasto_workers 2.0" in figures


def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    """A proxy of ours says who asks; what a client claims before it does not count."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    options = ("--token-file", str(token), "--workers", "1", "--rate", "3/minute", "--trusted-proxy", "127.0.0.1")
    with Studio(tmp_path, "serve", *options) as studio:
        studio.client.headers["Authorization"] = "Bearer 0123456789abcdef"
        codes = []
        for who in (
            "9.9.9.1",
            "9.9.9.2",
            "9.9.9.3",
            "9.9.9.4",
            "8.8.8.1, 9.9.9.4",
            "8.8.8.2, 9.9.9.4",
            "8.8.8.3, 9.9.9.4",
        ):
            answer = studio.client.post("/v1/jobs", content=b"{", headers={"X-Forwarded-For": who})
            codes.append(answer.status_code)
        assert codes == [422] * 6 + [429]
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("too_often", "5")
        assert studio.client.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize("proxy", ["", "127.0.0.2"])
def test_nobody_else_says_who_asks(proxy: str) -> None:
    guard, codes = Guard(_empty, rate="2/minute", proxy=proxy), []

    async def ask(who: str) -> None:
        async def send(message: Message) -> None:
            codes.extend([message["status"]] if "status" in message else [])

        headers = [(b"host", b"localhost"), (b"x-forwarded-for", who.encode())]
        await guard({**_SCOPE, "headers": headers}, _nothing, send)

    for who in ("1.1.1.1", "2.2.2.2", "3.3.3.3"):
        asyncio.run(ask(who))
    assert codes == [200, 200, 429]


_SCOPE: Message = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "client": ("127.0.0.1", 1)}


async def _nothing() -> Message:
    return {}


async def _empty(_: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200})


def test_adapting_counts_once_for_a_film_that_keeps_the_colours_of_the_painting() -> None:
    def asked(**settings: object) -> JobRequest:
        style, settings = "b" * 64, {"size": 512, **settings}
        return JobRequest.of(
            {"photo": "a" * 64, "brief": {"regions": [{"styles": [style]}], "engine": "instant", "settings": settings}}
        )

    usual, adapted, anew = asked(), asked(adapt=40), asked(adapt=40, color="match")
    assert (usual.quick, adapted.quick) == (True, False)
    one = adapted.price(288, 512) - usual.price(288, 512)
    assert one > 0
    assert adapted.price(288, 512, 750) - usual.price(288, 512, 750) == pytest.approx(one)
    assert anew.price(288, 512, 750) - usual.price(288, 512, 750) == pytest.approx(750 * one)


def test_a_disk_that_fills_while_a_result_is_written(tmp_path: Path) -> None:
    """By a limit on the size of files, which a large result alone goes beyond."""
    with Studio(tmp_path, most_bytes_a_file=1_500_000) as studio:
        photo = studio.upload(encoded(0, height=300, width=400))
        large = {**_LEARNED, "settings": {"size": 1200}}
        studio.client.put("/v1/jobs/large-one", json={"photo": photo, "brief": large})
        failed = studio.wait("large-one", "failed", "done")
        assert (failed["state"], failed["code"]) == ("failed", "no_room"), failed
        assert str(tmp_path) not in failed["message"]
        studio.client.put("/v1/jobs/small-one", json={"photo": photo, "brief": _LEARNED})
        studio.wait("small-one", "done")
    (result,) = (tmp_path / "files" / "results").iterdir()
    with Image.open(result) as picture:
        assert picture.size == (96, 72)


def test_old_uploads_go_when_no_job_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, storage = Decoder(), Storage(tmp_path / "files")
    queue = DatabaseQueue(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    service = Service(queue, storage, decoder)
    needed, old = (service.upload(encoded(seed))["id"] for seed in (0, 1))
    service.enter("a-job-of-mine", "me", {"photo": needed, "brief": _LEARNED})
    monkeypatch.setattr(Storage, "free", lambda _: 0.0)
    with pytest.raises(OutputError, match="500 MiB"):
        service.upload(encoded(2))
    decoder.close()
    service.sweep(time() + 1)
    assert storage.has(f"uploads/{old}")
    service.sweep_uploads(time() + UPLOAD_SECONDS + 1)
    assert storage.has(f"uploads/{needed}")
    assert not storage.has(f"uploads/{old}")
    assert len([*(tmp_path / "files").rglob(f"{old}*")]) == 0
    queue.close()
