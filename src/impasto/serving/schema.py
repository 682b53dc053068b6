"""What the API takes and gives, as OpenAPI tells it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

_ID = "[0-9a-f]{64}"


class ProblemTold(BaseModel):
    """What went wrong: HTTP's status, a stable code, and a sentence."""

    status: int
    code: str
    detail: str


class JobTold(BaseModel):
    """A job as it stands."""

    id: str
    state: Literal["waiting", "running", "stopped", "done", "failed", "cancelled"]
    photo: str
    brief: dict[str, Any]
    film: bool = False
    steady: float | None = None
    quick: bool
    tries: int
    done: float = Field(ge=0, le=1, description="The share of the work that is done.")
    note: str = Field(description="How it goes.")
    preview: int = Field(description="The number of its newest preview.")
    code: str = Field(description="Why it failed.")
    message: str
    entered: float = Field(description="Seconds since 1970.")
    changed: float
    news: int = Field(description="The number of its last change; event streams go on from there.")
    starred: bool


class Upload(BaseModel):
    """A picture that is kept; of one that we painted, the job that it tells of, and what of it is not here."""

    id: str = Field(description="Its SHA-256.")
    height: int
    width: int
    frames: int | None = Field(None, description="Of a film.")
    frame: str | None = Field(None, description="A film's first frame, as an upload of its own.")
    asked: dict[str, Any] | None = None
    missing: list[str] | None = None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": ProblemTold.model_json_schema()}}}
    for status, text in (("4XX", "It cannot be done."), ("5XX", "It cannot be done now."))
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")}}
}
_PLACE = {"type": "number", "minimum": 0, "maximum": 1}
_FILE = {"type": "string", "format": "binary"}
_JOB = {
    "type": "object",
    "required": ["photo", "brief"],
    "additionalProperties": False,
    "properties": {
        "photo": {"type": "string", "pattern": f"^{_ID}$", "description": "An upload's id."},
        "brief": {"type": "object", "description": "As GET /v1/brief.schema.json tells; pictures are uploads' ids."},
        "steady": {**_PLACE, "description": "Of a film: how steady it is."},
        "preset": {"type": "string", "enum": ["draft", "balanced", "best", "gatys"]},
    },
}
_FORM = {
    "type": "object",
    "required": ["photo"],
    "properties": {
        "photo": _FILE,
        "style": {"type": "array", "items": _FILE},
        "mask": _FILE,
        "brief": {"type": "string", "description": "JSON."},
        "preset": {"type": "string"},
    },
}
_POINTS = {"type": "array", "items": {"type": "array", "items": _PLACE, "minItems": 2, "maxItems": 2}, "maxItems": 64}
_MASK = {
    "type": "object",
    "required": ["photo"],
    "additionalProperties": False,
    "properties": {
        "photo": {"type": "string", "pattern": f"^{_ID}$"},
        "of": {"type": "string", "enum": ["subject", "face"]},
        "box": {"type": "array", "items": _PLACE, "minItems": 4, "maxItems": 4},
        "points": _POINTS,
        "outside": _POINTS,
    },
}


def taking(**kinds: dict[str, Any]) -> dict[str, Any]:
    """What a request holds, by the kind of its content."""
    names = {"json": "application/json", "form": "multipart/form-data", "file": "application/octet-stream"}
    return {"requestBody": {"required": True, "content": {names[kind]: {"schema": own} for kind, own in kinds.items()}}}


UPLOAD = taking(file=_FILE, form={"type": "object", "required": ["file"], "properties": {"file": _FILE}})
JOB, JOB_OR_FORM, MASK = taking(json=_JOB), taking(json=_JOB, form=_FORM), taking(json=_MASK)
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}
