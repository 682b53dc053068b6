"""What the files of uploads and jobs are called in the storage."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from impasto.jobs.queue import Job


def upload(id: str) -> str:
    """A picture as it was sent."""
    return f"uploads/{id}"


def shown(id: str) -> str:
    """A JPEG of it for the page."""
    return f"shown/{id}.jpg"


def about(id: str) -> str:
    """What is known of it, as JSON."""
    return f"shown/{id}.json"


def kind(job: Job) -> Literal["png", "mp4"]:
    """What a job's result is."""
    return "mp4" if json.loads(job.request).get("film") else "png"


def result(job: Job) -> str:
    """The finished picture; the same for all jobs that ask for the same."""
    return f"results/{hashlib.sha256(job.request.encode()).hexdigest()}.{kind(job)}"


def shown_result(job: Job) -> str:
    """A JPEG of it for the page."""
    return f"shown/{hashlib.sha256(job.request.encode()).hexdigest()}-result.jpg"


def thumbnail(job: Job) -> str:
    """A small JPEG of it."""
    return f"shown/{hashlib.sha256(job.request.encode()).hexdigest()}-small.jpg"


def partial(job: Job) -> str:
    """What a stopped job has painted."""
    return f"partial/{job.id}.{kind(job)}"


def state(job: Job) -> str:
    """From where a stopped job goes on."""
    return f"states/{job.id}"


def preview(job: Job) -> str:
    """A running job's picture."""
    return f"previews/{job.id}.jpg"


def passing(job: Job) -> tuple[str, ...]:
    """All that a job needs no more when it is done."""
    return partial(job), state(job), preview(job)
