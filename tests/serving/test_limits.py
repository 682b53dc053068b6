"""What the studio allows, and what it says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import time

import httpx
import pytest
from PIL import Image

from impasto.errors import OutputError
from impasto.jobs.database import DatabaseQueue
from impasto.serving.decoding import Decoder
from impasto.serving.service import UPLOAD_SECONDS, Service
from impasto.serving.storage import Storage
from impasto.signing import verify

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
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        figures = studio.client.get("/metrics").text
    assert 'status="500"' not in figures
    counted = sum(float(line.split()[-1]) for line in figures.splitlines() if line.startswith("impasto_requests_total"))
    assert counted > 500
    assert "impasto_workers 2.0" in figures


def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    options = ("serve", "--token-file", str(token), "--workers", "1", "--rate", "3/minute")
    headers = {"Authorization": "Bearer 0123456789abcdef"}
    for proxied in (False, True):
        proxy = ("--trusted-proxy", "127.0.0.1") if proxied else ()
        with Studio(tmp_path / str(proxied), *options, *proxy) as studio:
            answers = [
                httpx.post(
                    f"{studio.address}/v1/jobs", content=b"{", headers={**headers, "X-Forwarded-For": f"9.9.9.{who}"}
                )
                for who in (1, 2, 3, 4, 4, 4, 4)
            ]
            codes = [answer.status_code for answer in answers]
            assert codes == ([422] * 6 + [429] if proxied else [422] * 3 + [429] * 4)
            assert answers[-1].json()["code"] == "too_often"
            assert answers[-1].headers["retry-after"] == "5"
            assert httpx.get(f"{studio.address}/v1/jobs", headers=headers).status_code == 200


def test_a_job_has_its_price(tmp_path: Path) -> None:
    with Studio(tmp_path) as studio:
        photo, painting = studio.upload(encoded(0)), studio.upload(encoded(3))
        settings = {"size": 4096, "steps": [1500], "pyramid": False}
        brief = {"regions": [{"styles": [painting]}], "engine": "optimize", "settings": settings}
        answer = studio.client.post("/v1/jobs", json={"photo": photo, "brief": brief})
        assert (answer.status_code, answer.json()["code"]) == (422, "unusable")
        assert "too much work" in answer.json()["detail"]


def test_results_are_signed_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Studio(tmp_path / "f", "serve", "--sign", "--workers", "1") as studio:
        job = {"photo": studio.upload(encoded(0)), "brief": _LEARNED}
        answer = studio.client.post("/v1/jobs", json=job, headers={"Prefer": "wait"})
        (tmp_path / "result.png").write_bytes(answer.content)
    assert verify(tmp_path / "result.png").state == "untrusted"


def test_a_disk_that_fills_while_a_result_is_written(tmp_path: Path) -> None:
    """By a limit on the size of files, which a large result alone goes beyond."""
    with Studio(tmp_path, most_bytes_a_file=1_500_000) as studio:
        photo = studio.upload(encoded(0, height=300, width=400))
        large = {**_LEARNED, "settings": {"size": 1200}}
        studio.client.put("/v1/jobs/large-one", json={"photo": photo, "brief": large})
        failed = studio.wait("large-one", "failed", "done", seconds=120)
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
    service.sweep(time() + UPLOAD_SECONDS + 1)
    assert storage.has(f"uploads/{needed}")
    assert not storage.has(f"uploads/{old}")
    assert len([*(tmp_path / "files").rglob(f"{old}*")]) == 0
    queue.close()
