"""Fetching published weights, from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from impasto.errors import UnknownName, WeightsError
from impasto.weights import fetch as module
from impasto.weights.fetch import Published, cache_folder, cached, fetch, require

CONTENT = bytes(range(256)) * 20000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT, in parts if asked, and cuts the line once if told to."""

    cut_after: int | None = None
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Server.ranges.append(wanted)
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - first))
        self.end_headers()
        cut, Server.cut_after = Server.cut_after, None
        self.wfile.write(CONTENT[first : cut if cut else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{http.server_port}/net.pth"
        digest = hashlib.sha256(CONTENT).hexdigest()
        monkeypatch.setitem(module.PUBLISHED, "net", Published(url, digest, 5, "none"))
        monkeypatch.setitem(module.PUBLISHED, "forged", Published(url, "0" * 64, 5, "none"))
        Server.cut_after, Server.ranges = None, []
        yield
        http.shutdown()
        thread.join()


def names() -> list[str]:
    return sorted(path.name for path in cache_folder().glob("*"))


def test_fetched_once_with_progress() -> None:
    with pytest.raises(WeightsError, match="impasto weights get net"):
        require("net")
    progress = list(fetch("net"))
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert len(progress) > 2
    assert require("net").read_bytes() == CONTENT
    list(fetch("net"))
    assert len(Server.ranges) == 1
    assert names() == ["net.pth"]


def test_a_cut_download_is_continued() -> None:
    Server.cut_after = 3_000_000
    with pytest.raises(WeightsError, match="kept"):
        list(fetch("net"))
    assert cached("net") is None
    (part,) = cache_folder().glob("*.part")
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    progress = list(fetch("net"))
    assert progress[0][0] > have
    assert Server.ranges == [None, f"bytes={have}-"]
    assert require("net").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_removed() -> None:
    with pytest.raises(WeightsError, match="another SHA-256"):
        list(fetch("forged"))
    assert names() == []


def test_no_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.PUBLISHED, "far", Published("http://127.0.0.1:9/far.pth", "", 5, "none"))
    with pytest.raises(WeightsError, match=r"could not be fetched.*copy far\.pth from another machine"):
        list(fetch("far"))
    with pytest.raises(UnknownName, match="did you mean 'vgg19'"):
        list(fetch("vgg91"))


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(WeightsError, match="could not be fetched"):
        list(fetch("net"))
