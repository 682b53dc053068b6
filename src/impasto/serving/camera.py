"""A page on this machine that shows a painted camera: pictures as they come, and what steers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

LOCAL = "127.0.0.1"
_BOUNDARY = "frame"
_PATIENCE = 10.0


@dataclass
class Board:
    """The newest picture as a JPEG, and what is told beside it."""

    jpeg: bytes = b""
    told: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    ended: bool = False
    news: threading.Condition = field(default_factory=threading.Condition)

    def put(self, jpeg: bytes, told: dict[str, Any]) -> None:
        """A new picture."""
        with self.news:
            self.jpeg, self.told, self.number = jpeg, told, self.number + 1
            self.news.notify_all()

    def end(self) -> None:
        """There will be no more."""
        with self.news:
            self.ended = True
            self.news.notify_all()

    def after(self, number: int) -> tuple[bytes, int] | None:
        """The newest picture that comes after `number`; None when there is none any more."""
        with self.news:
            self.news.wait_for(lambda: self.number > number or self.ended, timeout=_PATIENCE)
            return (self.jpeg, self.number) if self.number > number else None


def serve(board: Board, act: Callable[[str, str], None], port: int) -> ThreadingHTTPServer:
    """Serve the page on this machine alone; `act` is told what was pressed, and its value.

    Raises:
        OSError: the port is taken.
    """
    server = ThreadingHTTPServer((LOCAL, port), partial(_Page, board, act))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="page").start()
    return server


class _Page(BaseHTTPRequestHandler):
    def __init__(self, board: Board, act: Callable[[str, str], None], *request: Any) -> None:
        self.board, self.act = board, act
        super().__init__(*request)

    def do_GET(self) -> None:
        if not self._from_here():
            return self._answer(403, "text/plain", b"only for this machine")
        if self.path == "/":
            page = (files("impasto.serving") / "camera.html").read_bytes()
            return self._answer(200, "text/html; charset=utf-8", page)
        if self.path == "/state":
            return self._answer(200, "application/json", json.dumps(self.board.told).encode())
        if self.path == "/stream":
            return self._stream()
        return self._answer(404, "text/plain", b"not found")

    def do_POST(self) -> None:
        origin = self.headers.get("Origin")
        if not self._from_here() or origin not in (None, f"http://{self.headers.get('Host')}"):
            return self._answer(403, "text/plain", b"only for this page")
        name, _, value = self.path.strip("/").partition("/")
        if name not in ("next", "strength", "save"):
            return self._answer(404, "text/plain", b"not found")
        try:
            self.act(name, value)
        except ValueError as error:
            return self._answer(400, "text/plain", str(error).encode())
        return self._answer(204, "text/plain", b"")

    def _from_here(self) -> bool:
        """Whether it was asked for by this machine's name, so that no other page can lead here."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        return host in (LOCAL, "localhost")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = 0
        try:
            while (newest := self.board.after(number)) is not None:
                jpeg, number = newest
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # whoever looked has gone

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""
