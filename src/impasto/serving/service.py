"""What the API stands on: a queue of jobs, a storage for their files, and a decoder for pictures of strangers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from impasto.errors import InputError, OutputError
from impasto.jobs.queue import Job, Queue
from impasto.provenance import Record
from impasto.serving import files, styles
from impasto.serving.decoding import Decoder
from impasto.serving.films import is_film
from impasto.serving.request import MOST_WORK, JobRequest, MaskRequest, is_upload, of_record
from impasto.storage import Storage

MOST_FILE_BYTES, MOST_FILM_BYTES = 25 << 20, 60 << 20
LEAST_FREE_BYTES = 500 << 20
KEPT_SECONDS, UPLOAD_SECONDS = 600.0, 7 * 86400.0
PASSING = "look-"
"""How ids of jobs begin that are not listed: looks in passing, while a slider moves."""


class Refusal(Exception):
    """What a client is told instead of an answer: HTTP's status, a stable code, and a sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Service:
    """What the API stands on."""

    queue: Queue
    storage: Storage
    decoder: Decoder
    leaving: Callable[[], bool] = lambda: False

    def upload(self, data: bytes) -> dict[str, Any]:
        """Keep a picture that can be read; its id is its hash.

        Raises:
            PictureError: it cannot be used.
        """
        if self.storage.free() < LEAST_FREE_BYTES:
            raise OutputError("Less than 500 MiB are free.")
        most = MOST_FILM_BYTES if is_film(data[:32]) else MOST_FILE_BYTES
        if len(data) > most:
            raise Refusal(413, "too_large", f"Expected at most {most >> 20} MiB a file.")
        looked, id = self.decoder.look(data), hashlib.sha256(data).hexdigest()
        self.storage.put(files.upload(id), data)
        self.storage.put(files.shown(id), looked.shown)
        about = {"id": id, "height": looked.height, "width": looked.width}
        if looked.frame:
            about |= {"frames": looked.frames, "frame": self.upload(looked.frame)["id"]}
        self.storage.put(files.about(id), json.dumps(about).encode())
        return about | (self._asked(id, looked.record) if looked.record else {})

    def about(self, id: str) -> dict[str, Any]:
        """What is known of an upload."""
        data = self.storage.get(files.about(id)) if is_upload(id) else None
        if data is None:
            raise Refusal(404, "not_found", "There is no such upload.")
        found: dict[str, Any] = json.loads(data)
        return found

    def shown(self, id: str) -> bytes:
        """An upload, or a style of the library, as a JPEG for the page."""
        if is_upload(id):
            data = self.storage.get(files.shown(id))
            if data is None and self._take_from_library(id):
                data = self.storage.get(files.shown(id))
            if data is not None:
                return data
        raise Refusal(404, "not_found", "There is no such upload.")

    def select(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a mask of what is meant in a photo.

        Raises:
            PictureError: nothing is found.
        """
        asked = MaskRequest.of(given)
        return self.upload(self.decoder.select(self.shown(asked.photo), asked.selection))

    def enter(self, id: str, client: str, given: Mapping[str, Any]) -> Job:
        """A new job, or the one that has this id.

        Raises:
            InputError: it cannot be done.
        """
        asked = JobRequest.of(given)
        missing = [upload for upload in asked.uploads if not self._has(upload)]
        if missing:
            raise InputError(f"There is no upload {missing[0]}; POST it to /v1/uploads first.")
        about = self.about(asked.photo)
        asked = replace(asked, film="frame" in about)
        if asked.price(about["height"], about["width"], about.get("frames", 1)) > MOST_WORK:
            raise InputError("That is too much work for one job; give a smaller size, fewer steps or fewer styles.")
        return self.queue.enter(id, client, asked.to_json(), quick=asked.quick)

    def _has(self, id: str) -> bool:
        return self.storage.has(files.upload(id)) or self._take_from_library(id)

    def _take_from_library(self, id: str) -> bool:
        """Whether it was there."""
        data = styles.in_library(id)
        return data is not None and self.upload(data)["id"] == id

    def _asked(self, id: str, record: str) -> dict[str, Any]:
        """The job that a picture's record tells of; it comes from a stranger, and is checked as any job is."""
        try:
            job = of_record(id, Record.from_json(record))
        except InputError:
            return {}
        photo, *pictures = job.uploads
        return {
            "asked": json.loads(job.to_json()) | {"photo": photo if self._has(photo) else None},
            "missing": [name for name in pictures if not self._has(name)],
        }

    def sweep(self, now: float) -> None:
        """Remove looks in passing and what was deleted, with their files."""
        for job in self.queue.forget(now - KEPT_SECONDS, PASSING):
            for name in (files.result(job), files.shown_result(job), files.thumbnail(job), *files.passing(job)):
                self.storage.delete(name)

    def sweep_uploads(self, now: float) -> None:
        """Remove old uploads that no job needs; what is uploaded again is new again."""
        for id in self.storage.older("uploads/", now - UPLOAD_SECONDS):
            if not self.queue.mentions(id):
                for name in (files.upload(id), files.shown(id), files.about(id)):
                    self.storage.delete(name)

    def job(self, id: str, client: str) -> Job:
        """A client's own job."""
        job = self.queue.get(id)
        if job is None or job.client != client:
            raise Refusal(404, "not_found", "There is no such job.")
        return job

    def glance(self, job: Job, small: bool = False) -> bytes:
        """A JPEG of what has been painted."""
        finished = files.thumbnail(job) if small else files.shown_result(job)
        data = self.storage.get(finished if job.state == "done" else files.preview(job))
        if data is None:
            raise Refusal(409, "not_done", "There is no picture yet.")
        return data

    def picture(self, job: Job) -> bytes:
        """What has been painted."""
        data = self.storage.get(files.result(job) if job.state == "done" else files.partial(job))
        if data is None:
            raise Refusal(409, "not_done", "There is no picture yet.")
        return data


def told(job: Job) -> dict[str, Any]:
    """A job as a client sees it."""
    note, _, preview = job.note.partition("  preview ")
    own = {name: value for name, value in asdict(job).items() if name not in ("client", "token", "note", "request")}
    return {**own, "note": note, "preview": int(preview or 0), **json.loads(job.request)}


def is_wanted(job: Job) -> bool:
    """Whether it is to be listed."""
    return job.state != "cancelled" and not job.id.startswith(PASSING)
