"""The studio as a whole: a real server, real workers."""

from __future__ import annotations

import io
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import impasto
from impasto.media.video import VideoFilm
from impasto.provenance import Record, Source
from impasto.signing import verify

from clips import clip, moving
from postgres import Postgres
from runs import PATIENCE
from server import Studio, encoded

pytestmark = pytest.mark.once_in("float32")

_STYLE = {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": 96}}
_FLAT = {"pyramid": False}
_SLOW = {"engine": "optimize", "settings": {"size": 128, "steps": [200]}}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("studio"))
    yield studio
    assert studio.close() == 0


@pytest.fixture(scope="module")
def photo(studio: Studio) -> str:
    return studio.upload(encoded(0))


@pytest.fixture(scope="module")
def painting(studio: Studio) -> str:
    return studio.upload(encoded(3))


def test_a_form_is_answered_by_the_picture_and_a_job_by_its_way(studio: Studio, photo: str, painting: str) -> None:
    files = {"photo": ("../../x.jpg", encoded(1)), "style": ("<img onerror>.png", encoded(2))}
    brief = {"brief": json.dumps({"engine": "instant", "settings": {"size": 96}})}
    answer = studio.client.post("/v1/jobs", files=files, data=brief, headers={"Prefer": "wait"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).size == (96, 72)
    record = Image.open(io.BytesIO(answer.content)).info
    assert "impasto" in str(record)
    assert studio.client.get(answer.headers["location"]).json()["state"] == "done"

    job = {
        "photo": photo,
        "brief": {"regions": [{"styles": [painting]}], "engine": "instant", "settings": {"size": 96}},
    }
    first = studio.client.put("/v1/jobs/my-own-id", json=job)
    assert first.status_code == 202
    assert studio.client.put("/v1/jobs/my-own-id", json=job).json()["entered"] == first.json()["entered"]
    studio.wait("my-own-id", "done")
    result = studio.client.get("/v1/jobs/my-own-id/result", params={"download": True})
    assert "attachment" in result.headers["content-disposition"]
    assert "sandbox" in result.headers["content-security-policy"]
    again = studio.client.post("/v1/jobs", json=job, headers={"Prefer": "wait"})
    assert again.content == result.content
    listed = [one["id"] for one in studio.client.get("/v1/jobs").json()]
    assert "my-own-id" in listed
    looked = studio.client.post("/v1/jobs", json=job, headers={"Idempotency-Key": "look-12345678"})
    assert looked.status_code == 202
    assert "look-12345678" not in [one["id"] for one in studio.client.get("/v1/jobs").json()]


def test_a_result_brings_its_settings_back(studio: Studio, photo: str, painting: str) -> None:
    brief = {"regions": [{"styles": [painting], "strength": 0.7}], "engine": "instant", "settings": {"size": 96}}
    job = {"photo": photo, "brief": brief}
    painted = studio.client.post("/v1/jobs", json=job, headers={"Prefer": "wait"}).content
    kept = studio.client.post("/v1/uploads", content=painted).json()
    assert (kept["asked"], kept["missing"]) == (job, [])

    record = Record.from_xmp(str(Image.open(io.BytesIO(painted)).info).encode())
    for change in (
        {"brief": {**record.brief, "engine": "/etc/passwd"}},
        {"brief": {**record.brief, "regions": [{"styles": ["../secret.impasto"]}]}},
        {"brief": {**record.brief, "settings": {"size": 10**9}}},
        {"brief": {"regions": "x"}},
    ):
        forged = record.model_copy(update=change).to_xmp()
        file = io.BytesIO()
        Image.new("RGB", (80, 80)).save(file, "png", pnginfo=_with_packet(forged))
        assert set(studio.client.post("/v1/uploads", content=file.getvalue()).json()) == {"id", "height", "width"}
    elsewhere = record.model_copy(update={"pictures": {painting: Source(name="x", sha256="ab" * 32)}}).to_xmp()
    file = io.BytesIO()
    Image.new("RGB", (80, 80)).save(file, "png", pnginfo=_with_packet(elsewhere))
    assert studio.client.post("/v1/uploads", content=file.getvalue()).json()["missing"] == ["ab" * 32]


def _with_packet(packet: bytes) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    return info


def test_films_are_painted_stopped_and_go_on(studio: Studio, painting: str, tmp_path: Path) -> None:
    data = clip(tmp_path / "film.mp4", moving(60, 96, 128), rate=25).read_bytes()
    film = studio.client.post("/v1/uploads", content=data).json()
    assert (film["frames"], film["height"], film["width"]) == (60, 96, 128)
    assert studio.client.get(f"/v1/uploads/{film['id']}/about").json()["frame"] == film["frame"]
    job = {"photo": film["id"], "brief": {**_STYLE, "settings": {"size": 128}}, "steady": 0.5}
    studio.client.put("/v1/jobs/film-one", json=job)
    ends = time.monotonic() + 60
    while not 0 < studio.client.get("/v1/jobs/film-one").json()["done"] < 1 and time.monotonic() < ends:
        time.sleep(0.02)
    studio.client.post("/v1/jobs/film-one/stop")
    assert studio.wait("film-one", "stopped")["film"]
    half = studio.client.get("/v1/jobs/film-one/result")
    assert half.headers["content-type"] == "video/mp4"
    (tmp_path / "half.mp4").write_bytes(half.content)
    studio.client.post("/v1/jobs/film-one/resume")
    studio.wait("film-one", "done")
    whole = studio.client.get("/v1/jobs/film-one/result", headers={"Range": "bytes=0-"})
    assert whole.status_code == 206
    (tmp_path / "whole.mp4").write_bytes(whole.content)
    films = [VideoFilm.open(tmp_path / name) for name in ("half.mp4", "whole.mp4")]
    assert 0 < films[0].count < films[1].count == 60
    assert films[1].size == (96, 128)
    assert Image.open(io.BytesIO(studio.client.get("/v1/jobs/film-one/thumbnail").content)).size == (128, 96)
    for wrong in (data[:900], b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", bytes(4) + b"ftypisom" + bytes(200)):
        assert studio.client.post("/v1/uploads", content=wrong).status_code == 422
    slow = {**job, "brief": {**_SLOW, "regions": [{"styles": [painting]}], "settings": {"size": 2048, "steps": [1500]}}}
    assert studio.client.post("/v1/jobs", json=slow).status_code == 422
    assert studio.client.post("/v1/jobs", json={**job, "steady": 2}).status_code == 422


def test_masks_are_found_in_a_photo(studio: Studio, photo: str) -> None:
    dark = Image.new("RGB", (120, 90), (20, 40, 120))
    dark.paste((240, 200, 40), (40, 30, 80, 70))
    file = io.BytesIO()
    dark.save(file, "png")
    thing = studio.upload(file.getvalue())
    for what in ({"box": [0.25, 0.25, 0.75, 0.85]}, {"points": [[0.5, 0.55]], "outside": [[0.1, 0.1]]}):
        answer = studio.client.post("/v1/masks", json={"photo": thing, **what})
        assert answer.status_code == 201, answer.text
        mask = Image.open(io.BytesIO(studio.client.get(f"/v1/uploads/{answer.json()['id']}").content)).convert("L")
        assert mask.size == (120, 90)
        assert mask.getpixel((60, 50)) > 200
        assert mask.getpixel((10, 10)) < 50
    for wrong in ({"of": "face"}, {"of": "dog"}, {"box": [0, 0, 2, 1]}, {}, {"box": [0, 0, 1, 1], "of": "face"}):
        assert studio.client.post("/v1/masks", json={"photo": photo, **wrong}).status_code == 422
    assert studio.client.post("/v1/masks", json={"photo": "ab" * 32, "of": "face"}).status_code == 404


def test_the_same_key_many_times_at_once_is_one_job(studio: Studio, photo: str) -> None:
    job = {"photo": photo, "brief": _STYLE}
    headers = {"Idempotency-Key": "same-key"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: studio.client.post("/v1/jobs", json=job, headers=headers), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["entered"] for answer in answers}) == 1


def test_a_stopped_job_keeps_its_picture_and_goes_on(studio: Studio, photo: str, painting: str) -> None:
    brief = {**_SLOW, "regions": [{"styles": [painting]}]}
    id = studio.client.post("/v1/jobs", json={"photo": photo, "brief": brief}).json()["id"]
    assert studio.client.get(f"/v1/jobs/{id}/result").json()["code"] == "not_done"
    _stop_half_way(studio, id)
    half = studio.client.get(f"/v1/jobs/{id}/result").content
    assert Image.open(io.BytesIO(half)).size == (128, 96)
    studio.client.post(f"/v1/jobs/{id}/resume")
    done = studio.wait(id, "done")
    assert done["done"] == 1
    assert studio.client.get(f"/v1/jobs/{id}/result").content != half
    more = studio.client.post("/v1/jobs", json={"photo": photo, "brief": {**brief, "keep": None}}).json()
    assert studio.wait(more["id"], "done")["id"] != id
    gone = studio.client.post("/v1/jobs", json={"photo": painting, "brief": brief}).json()["id"]
    studio.client.delete(f"/v1/jobs/{gone}")
    studio.wait(gone, "cancelled")


def test_what_another_version_has_left_half_done_is_begun_anew(studio: Studio, photo: str, painting: str) -> None:
    brief = {**_SLOW, "regions": [{"styles": [painting]}], "settings": {"size": 120, "steps": [200]}}
    id = studio.client.post("/v1/jobs", json={"photo": photo, "brief": brief}).json()["id"]
    _stop_half_way(studio, id)
    (studio.folder / "files" / "states" / id).write_bytes(b"of another version")
    studio.client.post(f"/v1/jobs/{id}/resume")
    assert studio.wait(id, "done")["done"] == 1


def _stop_half_way(studio: Studio, id: str) -> None:
    ends = time.monotonic() + 60
    while studio.client.get(f"/v1/jobs/{id}").json()["done"] < 0.05 and time.monotonic() < ends:
        time.sleep(0.02)
    studio.client.post(f"/v1/jobs/{id}/stop")
    began = time.monotonic()
    stopped = studio.wait(id, "stopped")
    assert time.monotonic() - began < 15
    assert 0 < stopped["done"] < 1


def test_no_event_is_lost_between_two_streams(studio: Studio, photo: str) -> None:
    jobs: list[dict[str, Any]] = []

    def read(after: int, until: str) -> int:
        with studio.client.stream("GET", "/v1/events", headers={"Last-Event-ID": str(after)}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    jobs.append(json.loads(line[6:]))
                    if jobs[-1]["id"] == until and jobs[-1]["state"] == "done":
                        return int(jobs[-1]["news"])
        raise AssertionError("the stream has ended")

    start = max(one["news"] for one in studio.client.get("/v1/jobs").json())
    brief = {**_STYLE, "settings": {"size": 100}}
    studio.client.put("/v1/jobs/first-one", json={"photo": photo, "brief": brief})
    middle = read(start, "first-one")
    studio.client.put("/v1/jobs/second-one", json={"photo": photo, "brief": {**_STYLE, "settings": {"size": 104}}})
    studio.wait("second-one", "done")
    read(middle, "second-one")
    numbers = [job["news"] for job in jobs]
    assert numbers == sorted(set(numbers))
    assert [job["id"] for job in jobs if job["state"] == "done"] == ["first-one", "second-one"]


def test_what_the_api_refuses(studio: Studio, photo: str, tmp_path: Path) -> None:
    post = studio.client.post
    for data, status, code in (
        (b"", 422, "bad_picture"),
        (b"\xff", 422, "bad_picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 422, "bad_picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", 422, "bad_picture"),
        (encoded(0)[:500], 422, "bad_picture"),
        (encoded(0, height=4, width=900), 422, "bad_picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(26 << 20), 413, "too_large"),
    ):
        answer = post("/v1/uploads", content=data)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert "/tmp" not in answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert post("/v1/uploads", content=(bytes(1 << 20) for _ in range(66))).status_code == 413

    secret = tmp_path / "secret.impasto"
    secret.write_text("x")
    for brief in (
        {"regions": [{"styles": [str(secret)]}]},
        {"regions": [{"styles": ["../../etc/passwd"]}]},
        {"regions": [{"styles": ["a" * 64]}]},
        {"regions": [{"styles": ["looks:none"]}], "engine": str(secret)},
        {"regions": [{"styles": ["looks:mosaic"], "mask": "/etc/passwd"}]},
        {"regions": [{"styles": ["looks:mosaic"]}], "weights": "x.pth"},
        {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": 99999}},
        {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": "big"}},
        {"regions": [{"styles": [photo]}], "engine": "optimize", "settings": {"steps": [9999]}},
        {"regions": [{"styles": [photo]}], "engine": "optimize", "settings": {"size": 4096, "steps": [1900], **_FLAT}},
        {"regions": [{"styles": [photo]}], "version": 9},
        {"regions": [{"styles": [photo]}], "hidden": 1},
        {"regions": "x"},
        {},
    ):
        answer = post("/v1/jobs", json={"photo": photo, "brief": brief})
        assert (answer.status_code, answer.json()["code"]) == (422, "unusable"), (brief, answer.text)
        assert str(tmp_path) not in answer.text
    for body in (b"{", b"[]", b'{"photo": 1}', b'{"photo": "x", "brief": {}}', b"\xff\xfe"):
        assert post("/v1/jobs", content=body).status_code == 422
    assert post("/v1/jobs", files={"photo": b"x"}, data={"brief": "{}"}).status_code == 422
    assert (
        post("/v1/jobs", json={"photo": photo, "brief": _STYLE}, headers={"Idempotency-Key": "../x"}).status_code == 422
    )
    for path in ("/v1/jobs/none", "/v1/jobs/none/result", "/v1/uploads/..%2f..%2fx", "/v1/none", "/page/../api.py"):
        assert studio.client.get(path).status_code == 404
    assert studio.client.get("/v1/jobs/x/stop").status_code == 405


def test_only_this_machine_and_this_page_may_ask(studio: Studio) -> None:
    for headers, status in (
        ({"Host": "evil.example"}, 403),
        ({"Host": f"evil.example:{studio.address.rpartition(':')[2]}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": studio.address}, 200),
        ({"Host": "localhost"}, 200),
    ):
        for path in ("/v1/jobs", "/livez"):
            assert studio.client.get(path, headers=headers).status_code == status
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert studio.client.post("/v1/uploads", content=b"x", headers=cross).status_code == 403
    answer = studio.client.get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert studio.client.get("/readyz").json()["ready"]
    assert studio.client.get("/v1/openapi.json").json()["paths"]["/v1/jobs"]["post"]


def test_a_program_asks_by_the_client(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(encoded(7))
    with impasto.Client(studio.address) as client:
        painted = client.paint(tmp_path / "photo.png", encoded(8), engine="instant", settings={"size": 96})
        assert Image.open(io.BytesIO(painted)).size == (96, 72)
        id = client.enter(encoded(7), encoded(8), preset="best", settings={"size": 256})
        states = []
        for job in client.follow(id):
            states.append(job["state"])
            if job["done"] > 0:
                client.stop(id)
        assert states[-1] == "stopped"
        client.resume(id)
        client.delete(id)
        with pytest.raises(impasto.ImpastoError, match="no such job"):
            client.job("none")
        with pytest.raises(impasto.ImpastoError, match="size"):
            client.paint(encoded(7), "looks:mosaic", settings={"size": "x"})
    with impasto.Client("http://127.0.0.1:9") as nowhere, pytest.raises(impasto.ImpastoError, match="is it running"):
        nowhere.jobs()


def test_slow_clients_are_cut_and_others_are_served(studio: Studio) -> None:
    host, port = studio.address.removeprefix("http://").split(":")
    begun = b"POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    sockets = [socket.create_connection((host, int(port))) for _ in range(60)]
    for number, one in enumerate(sockets):
        one.sendall((b"", begun, begun + b"Content-Length: 100000\r\n\r\nabc")[number % 3])
    began = time.monotonic()
    assert studio.client.get("/livez").status_code == 200
    assert time.monotonic() - began < 10
    with studio.client.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        for one in sockets:
            one.settimeout(max(0.1, began + 30 - time.monotonic()))
            with suppress(ConnectionResetError):
                assert one.recv(1) == b""
            one.close()
        assert time.monotonic() - began > 9
        studio.client.post("/v1/uploads", content=encoded(9))
        assert studio.client.get("/livez").status_code == 200


def test_others_need_a_token(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "impasto", "serve", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert refused.returncode == 2
    assert "--token-file" in refused.stderr
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    options = ("--host", "0.0.0.0", "--token-file", str(token), "--workers", "1", "--sign")
    open_to_others = Studio(tmp_path / "f", "serve", *options)
    address = f"http://127.0.0.1:{open_to_others.address.rpartition(':')[2]}"
    assert httpx.get(f"{address}/v1/jobs").json()["code"] == "no_token"
    assert httpx.get(f"{address}/v1/jobs", headers={"Authorization": "Bearer 0123456789abcdeX"}).status_code == 401
    assert httpx.get(f"{address}/v1/jobs", headers={"Authorization": "Bearer 0123456789abcdef"}).json() == []
    assert httpx.get(f"{address}/livez").status_code == 200
    assert httpx.get(f"{address}/").status_code == 401
    assert httpx.get(f"{address}/", params={"token": "0123456789abcdeX"}).status_code == 401
    with httpx.Client(base_url=address, follow_redirects=True) as browser:
        assert "<!doctype html>" in browser.get("/", params={"token": "0123456789abcdef"}).text
        assert browser.get("/v1/jobs").json() == []
        photo = browser.post("/v1/uploads", content=encoded(0)).json()["id"]
        answer = browser.post("/v1/jobs", json={"photo": photo, "brief": _STYLE}, headers={"Prefer": "wait"})
        (tmp_path / "signed.png").write_bytes(answer.content)
        assert verify(tmp_path / "signed.png").state == "untrusted"
    assert open_to_others.close() == 0


def test_no_more_jobs_are_taken_than_may_wait(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "full")
    photo, painting = studio.upload(encoded(0)), studio.upload(encoded(3))
    brief = {**_SLOW, "regions": [{"styles": [painting]}]}

    def post(number: int) -> tuple[int, str]:
        settings = {"size": 128, "steps": [900 + number]}
        answer = studio.client.post("/v1/jobs", json={"photo": photo, "brief": {**brief, "settings": settings}})
        return answer.status_code, answer.headers.get("retry-after", "")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(60)))
    taken = [status for status, _ in answers].count(202)
    assert 16 <= taken <= 20
    assert set(answers) == {(202, ""), (429, "5")}
    assert studio.close() == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_workers_and_servers_lose_no_job(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder, chance, options = tmp_path / "killed", random.Random(2), []
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        server.empty()
        options = ["serve", "--database", server.url]
    studio = Studio(folder, *options)
    photo = studio.upload(encoded(0))
    ids = [f"job-number-{number}" for number in range(8)]
    for number, id in enumerate(ids):
        brief = {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": 900 + number}}
        assert studio.client.put(f"/v1/jobs/{id}", json={"photo": photo, "brief": brief}).status_code == 202
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 0.8))
        children = psutil.Process(studio.process.pid).children()
        alive = [own for own in children if own.status() != psutil.STATUS_ZOMBIE]
        workers = [own for own in alive if "impasto.serving.worker" in own.cmdline()]
        if workers:
            chance.choice(workers).kill()
    orphans = psutil.Process(studio.process.pid).children()
    studio.kill()
    _, alive = psutil.wait_procs(orphans, timeout=20)
    assert not [own.cmdline() for own in alive]
    studio = Studio(folder, *options)
    jobs = [studio.wait(id, "done", "failed") for id in ids]
    assert sum(job["state"] == "done" for job in jobs) >= 7
    assert all(job["code"] == "lost" for job in jobs if job["state"] == "failed")
    results = [*(folder / "files" / "results").iterdir()]
    assert len(results) == sum(job["state"] == "done" for job in jobs)
    assert all(Image.open(path).verify() is None for path in results)
    assert studio.close() == 0
