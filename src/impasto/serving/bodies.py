"""What requests bring."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from impasto.errors import InputError
from impasto.serving.service import Service


def client_of(request: Request) -> str:
    """Who asks."""
    client: str = request.state.client
    return client


async def of_json(request: Request) -> dict[str, Any]:
    """The body's object.

    Raises:
        InputError: it is none.
    """
    try:
        given = json.loads(await request.body())
    except ValueError as error:
        raise InputError("Expected JSON.") from error
    if not isinstance(given, dict):
        raise InputError("Expected a JSON object.")
    return given


async def of_form(request: Request, service: Service) -> dict[str, Any]:
    """Keep the pictures of a form; its styles and mask are those of the brief.

    Raises:
        InputError: there is too much or too little in it.
    """
    async with request.form(max_files=10, max_fields=16, max_part_size=64 << 10) as form:
        sent = {
            name: [await one.read() for one in form.getlist(name) if isinstance(one, UploadFile)]
            for name in ("photo", "style", "mask")
        }
        written, chosen, preset = form.get("brief") or "{}", form.getlist("style"), form.get("preset")
    if len(sent["photo"]) != 1 or len(sent["mask"]) > 1 or not isinstance(written, str):
        raise InputError("Expected one photo, styles, at most one mask, and the brief as text.")
    try:
        brief = json.loads(written)
    except ValueError as error:
        raise InputError("Expected the brief as JSON.") from error
    if not isinstance(brief, dict) or not isinstance(brief.get("regions", []), list):
        raise InputError("Expected the brief as a JSON object, with a list of regions if it has any.")
    ids = {name: [(await run_in_threadpool(service.upload, one))["id"] for one in many] for name, many in sent.items()}
    if not brief.get("regions"):
        named = [one for one in chosen if isinstance(one, str)]
        brief["regions"] = [{"styles": [*named, *ids["style"]], **({"mask": ids["mask"][0]} if ids["mask"] else {})}]
    return {"photo": ids["photo"][0], "brief": brief, **({"preset": preset} if isinstance(preset, str) else {})}
