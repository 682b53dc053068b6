"""What stands before the API: who may ask, from where, and how much may be sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MOST_BYTES = 64 << 20
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "testserver")
_OPEN = ("/livez", "/readyz")
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


@dataclass
class Guard:
    """An ASGI application before another.

    Args:
        hosts: names by which it may be asked; any where there is a token.
        token: what whoever asks must know; none is needed on this machine.
        most_bytes: of a request.
        rate: requests that change something from one address, like `600/minute`; "" for any number.
        proxy: the address of a proxy before it, whose word is taken for who asks (`X-Forwarded-For`).
        count: told of every answer: method, status, seconds until it began.
    """

    app: Callable[[Scope, Receive, Send], Awaitable[None]]
    hosts: tuple[str, ...] = LOCAL_HOSTS
    token: str | None = None
    most_bytes: int = MOST_BYTES
    rate: str = ""
    proxy: str = ""
    count: Callable[[str, int, float], None] = lambda *_: None

    def __post_init__(self) -> None:
        if self.rate:
            from limits import parse
            from limits.storage import MemoryStorage
            from limits.strategies import FixedWindowRateLimiter

            self._limit, self._limiter = parse(self.rate), FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self.token is not None and (given := _given_token(scope)) and _same(given, self.token):
            await _remember(send, given)
            return
        began, seen = time.monotonic(), 0
        refused = self._refusal(scope, headers)
        if refused:
            self.count(scope["method"], refused[0], time.monotonic() - began)
            await _problem(send, *refused)
            return
        scope.setdefault("state", {})["client"] = self._client(headers)

        async def counted() -> Message:
            from starlette.exceptions import HTTPException

            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most_bytes:
                raise HTTPException(413, f"Expected no more than {self.most_bytes} bytes.")
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.count(scope["method"], message["status"], time.monotonic() - began)
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self.app(scope, counted, marked)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if self.token is None and name not in self.hosts:
            return 403, "wrong_host", "This studio is only for this machine; ask for it by 127.0.0.1."
        origin = headers.get("origin")
        if origin is not None and (origin == "null" or urlsplit(origin).netloc != host):
            return 403, "wrong_origin", "Only pages of this studio may ask."
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return 403, "wrong_origin", "Only pages of this studio may ask."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.most_bytes:
            return 413, "too_large", f"Expected no more than {self.most_bytes} bytes."
        if self.token is not None and scope["path"] not in _OPEN and not self._knows(headers):
            return 401, "no_token", "Expected the token, as Authorization: Bearer TOKEN."
        if (
            self.rate
            and scope["method"] in _CHANGING
            and not self._limiter.hit(self._limit, self._address(scope, headers))
        ):
            return 429, "too_often", f"More than {self.rate.replace('/', ' requests a ')}; wait a little."
        return None

    def _may(self, address: str) -> bool:
        return self._limiter.hit(self._limit, address)

    def _address(self, scope: Scope, headers: dict[str, str]) -> str:
        """Who asks, as far as can be told; the last address that a proxy of ours has added."""
        own = (scope.get("client") or ("", 0))[0]
        if self.proxy and own == self.proxy:
            return headers.get("x-forwarded-for", own).rpartition(",")[2].strip()
        return str(own)

    def _knows(self, headers: dict[str, str]) -> bool:
        given = headers.get("authorization", "").removeprefix("Bearer ").strip() or _cookie(headers, "impasto_token")
        return _same(given, self.token or "")

    def _client(self, headers: dict[str, str]) -> str:
        """Who asks: whoever holds a token is one client."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:16] if self.token else "local"


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _given_token(scope: Scope) -> str:
    """The token in the address of the page, as a person opens it in a browser for the first time."""
    if scope["path"] != "/" or scope["method"] != "GET":
        return ""
    given: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token") or [""]
    return given[0]


async def _remember(send: Send, token: str) -> None:
    """Keep the token in a cookie, and take it out of the address."""
    cookie = f"impasto_token={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0"), *_HEADERS]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _cookie(headers: dict[str, str], name: str) -> str:
    parts = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in parts if key == name), "")


async def _problem(send: Send, status: int, code: str, detail: str) -> None:
    body = json.dumps({"status": status, "code": code, "detail": detail}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode()), *_HEADERS]
    headers += [(b"retry-after", b"5")] if status == 429 else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
