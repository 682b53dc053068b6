"""What changes of jobs, as it changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from impasto.jobs.queue import QueueAwayError
from impasto.serving.bodies import client_of
from impasto.serving.schema import EVENTS
from impasto.serving.service import Refusal, Service, told

_LOOK_SECONDS, _AWAY_SECONDS, _ALIVE_SECONDS = 0.1, 1.0, 15.0
_MOST_STREAMS = 200


def add_events(app: FastAPI, service: Service) -> None:
    """The stream of news."""
    free = asyncio.Semaphore(_MOST_STREAMS)

    @app.get("/v1/events", response_class=StreamingResponse, responses=EVENTS)
    async def events(request: Request) -> StreamingResponse:
        """All that changes of your jobs, as server-sent events; Last-Event-ID goes on from there."""
        given = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
        after = int(given) if given.isdigit() and len(given) < 16 else 0
        if free.locked():
            raise Refusal(429, "too_many_streams", "Too many follow the events already; try again in a while.")
        stream = _events(request, service, free, after)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _events(request: Request, service: Service, free: asyncio.Semaphore, after: int) -> AsyncIterator[str]:
    async with free:
        yield "retry: 1000\n\n"
        told_at = time.monotonic()
        while not service.leaving() and not await request.is_disconnected():
            try:
                news = await run_in_threadpool(service.queue.news, client_of(request), after)
            except QueueAwayError:
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            for job in news:
                after = job.news
                yield f"id: {after}\nevent: job\ndata: {json.dumps(told(job))}\n\n"
            silent = time.monotonic() - told_at > _ALIVE_SECONDS
            if silent and not news:
                yield ": still here\n\n"
            if silent or news:
                told_at = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
