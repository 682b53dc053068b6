"""Files by name: put once, whoever tries, in a folder and in a bucket."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from impasto.errors import OutputError, SettingsError, StorageError
from impasto.storage import Storage, StoredFile

from s3 import bucket

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with bucket() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    return f"{request.getfixturevalue('address')}/{tmp_path.name}"


def test_of_eight_writers_one_wins(place: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(8) as pool:
        for name in ("a", "deep/b", "c"):
            won = pool.starmap(_put, [(place, name, number) for number in range(8)])
            assert sum(won) == 1
            assert Storage(place).get(name) == str(won.index(True)).encode() * 100_000


def _put(place: str, name: str, number: int) -> bool:
    return Storage(place).put_new(name, str(number).encode() * 100_000)


def test_what_was_put_is_there(place: str, tmp_path: Path) -> None:
    storage = Storage(place)
    assert storage.get("a") is None
    assert not storage.has("a")
    storage.put("a", b"first")
    assert not storage.put_new("a", b"second")
    file = tmp_path / "file"
    file.write_bytes(os.urandom(12_000_000))
    storage.put("deep/large", file)
    assert storage.put_new("deep/new", file)
    assert storage.get("deep/new") == file.read_bytes()
    with StoredFile(storage, "deep/large") as stored:
        stored.seek(-5, os.SEEK_END)
        assert stored.read() == file.read_bytes()[-5:]
        assert stored.read() == b""
    assert sorted(storage.names("deep/")) == ["deep/large", "deep/new"]
    storage.delete("a")
    storage.delete("a")
    assert storage.size("a") is None
    with pytest.raises(FileNotFoundError):
        StoredFile(storage, "a")


@pytest.mark.parametrize(("status", "message"), [(403, "may not do it"), (401, "missing or wrong"), (301, "region")])
def test_rights_and_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, message: str) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {"ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "ACCESS_KEY_ID": "a", "REGION": "b",
                        "SECRET_ACCESS_KEY": "secret-word", "ALLOW_HTTP": "true"}.items():  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(StorageError, match=message) as told:
        Storage("s3://bucket/x", patience=1).put("a", b"")
    assert "secret-word" not in str(told.value)
    server.shutdown()
    server.server_close()


def test_what_cannot_be_used_is_one_sentence(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="no such bucket"):
        Storage("s3://elsewhere/x").put("a", b"")
    with pytest.raises(SettingsError, match="cannot be used as a storage"):
        Storage("ftp://elsewhere/x")
    (tmp_path / "file").write_text("")
    with pytest.raises((SettingsError, OutputError), match="cannot be"):
        Storage(tmp_path / "file")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError) as told:
        Storage("s3://bucket/x", patience=1).get("a")
    assert "not-so-secret" not in str(told.value)
