"""What a client is told when something goes wrong: problem+json (RFC 9457) with a stable code."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from impasto.errors import InputError, OutputError, PictureError, StorageError
from impasto.jobs.queue import QueueAwayError, QueueFullError
from impasto.serving.service import Refusal

_log = logging.getLogger("impasto.serving")
_LATER = {"Retry-After": "5"}


def answer_problems(app: FastAPI) -> None:
    """Every error as problem+json with a stable code, and nothing of our inside."""

    def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
        content = {"status": status, "code": code, "detail": detail}
        return JSONResponse(content, status, headers, media_type="application/problem+json")

    @app.exception_handler(HTTPException)
    async def known(_: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "wrong_method", 413: "too_large"}.get(error.status_code, "bad_request")
        return problem(error.status_code, code, str(error.detail))

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return problem(error.status, error.code, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "unusable", "; ".join(str(one["msg"]) for one in error.errors()))

    @app.exception_handler(QueueFullError)
    async def full(_: Request, error: QueueFullError) -> JSONResponse:
        return problem(429, "queue_full", str(error), _LATER)

    @app.exception_handler(QueueAwayError)
    async def away(_: Request, error: QueueAwayError) -> JSONResponse:
        return problem(503, "queue_away", str(error), _LATER)

    @app.exception_handler(StorageError)
    async def storage_away(_: Request, error: StorageError) -> JSONResponse:
        _log.error("%s", error)
        return problem(503, "storage_away", "The storage cannot be reached; try again later.", _LATER)

    @app.exception_handler(PictureError)
    async def picture(_: Request, error: PictureError) -> JSONResponse:
        return problem(422, "bad_picture", str(error))

    @app.exception_handler(InputError)
    async def unusable(_: Request, error: InputError) -> JSONResponse:
        return problem(422, "unusable", str(error))

    @app.exception_handler(OutputError)
    async def no_room(_: Request, error: OutputError) -> JSONResponse:
        _log.error("%s", error)
        return problem(507, "no_room", "There is no room for the picture; try again later.")

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(8)
        _log.error("error %s", number, exc_info=error)
        return problem(500, "internal", f"Something went wrong on our side; tell us of error {number}.")
