"""The API of the studio: pictures in, jobs that are never lost, pictures out."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from importlib import resources
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import UploadFile
from starlette.middleware.gzip import GZipMiddleware

from impasto.brief import Brief
from impasto.errors import InputError
from impasto.jobs.queue import ENDED, Job
from impasto.presets import PRESETS
from impasto.serving import files
from impasto.serving.bodies import client_of, of_form, of_json
from impasto.serving.counting import Figures
from impasto.serving.events import add_events
from impasto.serving.problems import answer_problems
from impasto.serving.schema import JOB, JOB_OR_FORM, MASK, PICTURE, PROBLEMS, UPLOAD, JobTold, Upload
from impasto.serving.service import Service, is_wanted, told
from impasto.serving.styles import offered
from impasto.shelf.card import read_card
from impasto.shelf.models import find, models

T = TypeVar("T")
_LONGEST_WAIT = 60.0
_KINDS = {"png": "image/png", "mp4": "video/mp4"}
_UPLOADED: dict[str, Any] = {"response_model": Upload, "response_model_exclude_none": True}
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-store"}


def build(service: Service, figures: Figures, ready: Callable[[], bool] = lambda: True) -> FastAPI:
    """The application; `ready` says whether there is anybody to work."""
    app = FastAPI(title="Impasto", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json", responses=PROBLEMS)
    answer_problems(app)
    _add_uploads(app, service)
    _add_jobs(app, service)
    _add_ways_of_jobs(app, service)
    _add_pictures(app, service)
    add_events(app, service)
    _add_lists(app)
    _add_state(app, service, figures, ready)
    page = resources.files("impasto.serving") / "page"

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"}
        return Response((page / "index.html").read_bytes(), media_type="text/html", headers=headers)

    app.mount("/page", GZipMiddleware(StaticFiles(directory=str(page)), minimum_size=1000))
    return app


async def _read(service: Service, work: Callable[..., T], *given: Any) -> T:
    """What comes of reading the queue: here and now where that takes no time, else beside."""
    return work(*given) if service.queue.nearby else await run_in_threadpool(work, *given)


def _add_uploads(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/uploads", status_code=201, response_model=Upload, response_model_exclude_none=True, openapi_extra=UPLOAD
    )
    async def upload(request: Request) -> dict[str, Any]:
        """Keep a picture: the body is the file, or a form with one in it."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            async with request.form(max_files=1, max_fields=4) as form:
                given = next((one for one in form.values() if isinstance(one, UploadFile)), None)
                data = await given.read() if given else b""
        else:
            data = await request.body()
        return await run_in_threadpool(service.upload, data)

    @app.get("/v1/uploads/{id}", response_class=Response, responses=PICTURE)
    def uploaded(id: str) -> Response:
        """What was uploaded, as a JPEG for the page."""
        return Response(service.shown(id), media_type="image/jpeg", headers=_PICTURE_HEADERS)

    @app.get("/v1/uploads/{id}/about", **_UPLOADED)
    def about(id: str) -> dict[str, Any]:
        """Its size; of a film, how many frames it has, and the first one."""
        return service.about(id)

    @app.post("/v1/masks", status_code=201, **_UPLOADED, openapi_extra=MASK)
    async def mask(request: Request) -> dict[str, Any]:
        """Keep a mask of what is meant in a photo: in a `box`, at `points` (not `outside`), or `of` subject or face.

        Places are shares of width and height, from 0 to 1.
        """
        given = await of_json(request)
        return await run_in_threadpool(service.select, given)


def _add_jobs(app: FastAPI, service: Service) -> None:
    one_at_a_time, coming = asyncio.Semaphore(1), Counter[tuple[str, str]]()

    async def check_room(id: str, request: Request) -> None:
        """Refuse at once what could not be taken, however much it would be to read."""
        client = client_of(request)
        if (client, id) not in coming and await _read(service, service.queue.get, id) is None:
            own = sum(other == client for other, _ in coming)
            await _read(service, service.queue.check_room, client, len(coming), own)

    async def entered(id: str, request: Request, given: dict[str, Any]) -> Job:
        client = client_of(request)
        await check_room(id, request)
        coming[client, id] += 1
        try:
            async with one_at_a_time:
                return await run_in_threadpool(service.enter, id, client, given)
        finally:
            coming.subtract([(client, id)])
            if not coming[client, id]:
                del coming[client, id]

    @app.post("/v1/jobs", status_code=202, response_model=JobTold, responses=PICTURE, openapi_extra=JOB_OR_FORM)
    async def post(request: Request) -> Response:
        """Enter a job: JSON, or a form with `photo`, `style` (repeat it), `mask` and `brief`.

        With `Prefer: wait` a quick job is answered by its picture.
        """
        kind, id = request.headers.get("content-type", ""), request.headers.get("idempotency-key")
        id = secrets.token_hex(16) if id is None else _checked_id(id)
        await check_room(id, request)
        given = await (of_form(request, service) if kind.startswith("multipart/") else of_json(request))
        job = await entered(id, request, given)
        if "wait" in request.headers.get("prefer", "") and job.quick:
            return await _when_done(request, service, job)
        return JSONResponse(told(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    @app.put("/v1/jobs/{id}", status_code=202, response_model=JobTold, openapi_extra=JOB)
    async def put(id: str, request: Request) -> dict[str, Any]:
        """Enter a job under an id of your own; the same again is the same job."""
        return told(await entered(_checked_id(id), request, await of_json(request)))

    @app.get("/v1/jobs", response_model=list[JobTold])
    def jobs(request: Request) -> list[dict[str, Any]]:
        """Your jobs, the newest first."""
        return [told(job) for job in service.queue.list(client_of(request)) if is_wanted(job)]

    @app.get("/v1/jobs/{id}", response_model=JobTold)
    async def get(id: str, request: Request) -> Response:
        """A job as it stands."""
        return JSONResponse(told(await _read(service, service.job, id, client_of(request))))


def _add_ways_of_jobs(app: FastAPI, service: Service) -> None:
    @app.post("/v1/jobs/{id}/stop", status_code=202, response_model=JobTold)
    def stop(id: str, request: Request) -> dict[str, Any]:
        """End it soon, and keep its picture; it can go on."""
        service.job(id, client_of(request))
        return told(service.queue.stop(id, "stopped") or service.job(id, client_of(request)))

    @app.post("/v1/jobs/{id}/resume", status_code=202, response_model=JobTold)
    def resume(id: str, request: Request) -> dict[str, Any]:
        """Go on with a stopped job."""
        service.job(id, client_of(request))
        return told(service.queue.go_on(id) or service.job(id, client_of(request)))

    @app.patch("/v1/jobs/{id}", response_model=JobTold)
    def star(id: str, request: Request, starred: bool) -> dict[str, Any]:
        """Mark it as one that you like, or take the mark away."""
        service.job(id, client_of(request))
        return told(service.queue.star(id, starred) or service.job(id, client_of(request)))

    @app.delete("/v1/jobs/{id}", status_code=202, response_model=JobTold)
    def delete(id: str, request: Request) -> dict[str, Any]:
        """End it, if it has not ended, and let it be removed with its pictures."""
        service.job(id, client_of(request))
        return told(service.queue.stop(id, "cancelled") or service.job(id, client_of(request)))


def _add_pictures(app: FastAPI, service: Service) -> None:
    @app.get("/v1/jobs/{id}/result", response_class=Response, responses=PICTURE)
    def result(id: str, request: Request, download: bool = False) -> Response:
        """The picture; of a stopped job, what there is of it."""
        job = service.job(id, client_of(request))
        headers, kind = {**_PICTURE_HEADERS}, files.kind(job)
        if download:
            headers["Content-Disposition"] = f'attachment; filename="impasto-{job.id[:8]}.{kind}"'
        return _with_ranges(request, service.picture(job), _KINDS[kind], headers)

    @app.get("/v1/jobs/{id}/preview", response_class=Response, responses=PICTURE)
    def preview(id: str, request: Request) -> Response:
        """A job's picture as it is now, as a JPEG for the page."""
        data = service.glance(service.job(id, client_of(request)))
        return Response(data, media_type="image/jpeg", headers=_PICTURE_HEADERS)

    @app.get("/v1/jobs/{id}/thumbnail", response_class=Response, responses=PICTURE)
    def thumbnail(id: str, request: Request) -> Response:
        """The same, small."""
        data = service.glance(service.job(id, client_of(request)), small=True)
        return Response(data, media_type="image/jpeg", headers=_PICTURE_HEADERS)


def _with_ranges(request: Request, data: bytes, kind: str, headers: dict[str, str]) -> Response:
    """All of it, or the part that is asked for, as players of films do."""
    asked = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", request.headers.get("range", ""))
    headers = {**headers, "Accept-Ranges": "bytes"}
    if asked is None or int(asked[1]) >= len(data):
        return Response(data, media_type=kind, headers=headers)
    first, last = int(asked[1]), min(len(data) - 1, int(asked[2] or len(data)))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type=kind, headers=headers)


def _add_lists(app: FastAPI) -> None:
    @app.get("/v1/styles")
    def styles() -> list[dict[str, Any]]:
        """Styles that networks have learned, and those of the library."""
        return offered()

    @app.get("/v1/engines")
    def engines() -> list[dict[str, Any]]:
        """What paints."""
        shelf = [{"name": name, "kind": read_card(find(name)).kind} for name in models()]
        return [{"name": "optimize", "kind": "optimize"}, *shelf]

    @app.get("/v1/presets")
    def presets() -> dict[str, dict[str, Any]]:
        """What each preset sets."""
        return {name: make().model_dump(mode="json", exclude_defaults=True) for name, make in PRESETS.items()}

    @app.get("/v1/brief.schema.json")
    def schema() -> dict[str, Any]:
        """What a brief may hold."""
        return Brief.model_json_schema()


def _add_state(app: FastAPI, service: Service, figures: Figures, ready: Callable[[], bool]) -> None:
    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(figures.told(), media_type="text/plain; version=0.0.4")

    @app.get("/livez", include_in_schema=False)
    def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    def is_ready() -> Response:
        there = ready()
        return JSONResponse({"ready": there, "waiting": service.queue.waiting()}, 200 if there else 503)


def _checked_id(id: str) -> str:
    if not (8 <= len(id) <= 64 and id.isascii() and id.replace("-", "").isalnum()):
        raise InputError("Expected an id of 8 to 64 letters, digits and hyphens.")
    return id


async def _when_done(request: Request, service: Service, job: Job) -> Response:
    """The picture of a quick job; if nobody waits for it any more, it is not painted."""
    ends = time.monotonic() + _LONGEST_WAIT
    current: Job | None = job
    while current and current.state not in ENDED and time.monotonic() < ends:
        if await request.is_disconnected():
            await run_in_threadpool(service.queue.stop, job.id, "cancelled")
        await asyncio.sleep(0.02)
        current = await run_in_threadpool(service.queue.get, job.id)
    if current is None or current.state != "done":
        return JSONResponse(told(current or job), 202, {"Location": f"/v1/jobs/{job.id}"})
    data = await run_in_threadpool(service.picture, current)
    return Response(data, media_type="image/png", headers={**_PICTURE_HEADERS, "Location": f"/v1/jobs/{job.id}"})
