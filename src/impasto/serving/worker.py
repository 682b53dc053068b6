"""A process that paints: it takes jobs from the queue, tells how they go, and puts results into the storage.

IMPASTO_DATABASE=URL python -m impasto.serving.worker STORAGE --parent PID [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
import traceback
from collections import OrderedDict
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError, PictureError, RecordError, StorageError
from impasto.jobs.database import DatabaseQueue
from impasto.jobs.queue import Job, Queue, QueueAwayError, State
from impasto.serving import files
from impasto.serving.films import FilmPainting
from impasto.serving.heart import LEASE, Heart
from impasto.serving.request import JobRequest, is_upload
from impasto.serving.selection import MOST_PIXELS, SHOWN_SIZE
from impasto.storage import Storage

if TYPE_CHECKING:
    from impasto.brief import Brief
    from impasto.media.image import Picture
    from impasto.recipes.grown import Growing
    from impasto.recipes.pictures import Pictures

DATABASE = "IMPASTO_DATABASE"
"""The variable that says where the queue is: other users of the machine do not see it, as they do a command."""
_IDLE, _AWAY = 0.05, 1.0
_KEPT, _NICE = 6, 10
_THUMBNAIL_SIZE = 360
_CODES = {
    "PictureError": "bad_picture",
    "TooLargeError": "too_large",
    "DivergedError": "diverged",
    "OutputError": "no_room",
    "StorageError": "storage_away",
}


@dataclass
class Worker:
    """Paints job after job; networks and styles stay loaded."""

    queue: Queue
    storage: Storage
    quick: bool
    folder: Path
    parent: int
    memory: int
    signs: bool = False
    leaving: threading.Event = field(default_factory=threading.Event)
    _opened: OrderedDict[str, Growing] = field(default_factory=OrderedDict)

    def run(self) -> None:
        """Until told to leave, or until whoever began it is gone."""
        while not self.leaving.is_set() and os.getppid() == self.parent:
            try:
                job = self.queue.claim(LEASE, quick=self.quick)
            except QueueAwayError:
                time.sleep(_AWAY)
                continue
            if job is None:
                time.sleep(_IDLE)
            else:
                self.work(job)

    def work(self, job: Job) -> None:
        """Paint a job to its end, whatever that is."""
        with Heart(self.queue, job) as heart:
            try:
                finished = self._paint(job, heart)
            except ImpastoError as error:
                code = _CODES.get(type(error).__name__, "unusable")
                self._end(job, "failed", code, self._told(error))
                return
            except Exception:
                traceback.print_exc()
                self._end(job, "failed", "internal", f"Something went wrong on our side; tell us of job {job.id}.")
                return
        if heart.lost:
            return
        self._end(job, "done" if finished else "waiting" if self.leaving.is_set() else "stopped")
        if finished:
            for name in files.passing(job):
                self.storage.delete(name)

    def _end(self, job: Job, state: State, code: str = "", message: str = "") -> None:
        """Tell it; a queue that is away for longer than the lease gives the job to the next worker."""
        ends = time.monotonic() + LEASE
        while True:
            try:
                self.queue.end(job, state, code, message)
            except QueueAwayError:
                if time.monotonic() > ends:
                    return
                time.sleep(_AWAY)
            else:
                return

    def _paint(self, job: Job, heart: Heart) -> bool:
        """Whether it was painted to its end; a result that is there already is not painted again."""
        from impasto.recipes.checkpoint import load_checkpoint, save_checkpoint

        if self.storage.has(files.result(job)):
            return True
        asked = JobRequest.of(json.loads(job.request))
        if asked.film:
            return self._paint_film(job, asked, heart)
        painting = self._opening(asked).on(self._file(asked.photo))
        resume, saved = None, self.storage.get(files.state(job))
        if saved is not None:
            (self.folder / "state").write_bytes(saved)
            with suppress(RecordError):  # of another version or kind of machine: begun anew
                resume = load_checkpoint(self.folder / "state", painting.record)
        step = None
        for step in painting.steps(resume):
            heart.tell(step.done, step.message)
            if heart.ended or self.leaving.is_set():
                break
            if step.done < 1 and heart.preview_is_due:
                self.storage.put(files.preview(job), self._shown(step.preview()))
                heart.tell_of_preview()
        if heart.lost:
            return False
        picture = step.picture() if step else painting.unpainted()
        if step is None or step.done >= 1:
            self._keep_shown(job, picture)
            self.storage.put_new(files.result(job), self._result(picture, asked))
            return True
        self.storage.put(files.partial(job), self._encoded(picture, "png"))
        self.storage.put(files.preview(job), self._shown(picture))
        if (now := step.state()) is not None:
            save_checkpoint(self.folder / "state", now, painting.record)
            self.storage.put(files.state(job), (self.folder / "state").read_bytes())
        return False

    def _paint_film(self, job: Job, asked: JobRequest, heart: Heart) -> bool:
        """Whether it was painted to its end."""
        brief, pictures = self._within_memory(asked.brief), self._pictures(asked)
        film = FilmPainting(self._file(asked.photo), self.folder, brief, pictures, asked.steady)
        picture, ended = None, False
        try:
            with closing(film.steps(self.storage.get(files.state(job)))) as steps:
                for step in steps:
                    heart.tell(step.done, f"{step.frames}")
                    picture = step.painted.picture
                    if ended := heart.ended or self.leaving.is_set():
                        break
                    if heart.preview_is_due:
                        self.storage.put(files.preview(job), self._shown(picture))
                        heart.tell_of_preview()
            written = None if heart.lost else film.written()
            if picture is None or written is None:
                return False
            if ended:
                self.storage.put(files.partial(job), written)
                self.storage.put(files.state(job), film.state())
                return False
            self._keep_shown(job, picture)
            self.storage.put_new(files.result(job), written)
        finally:
            film.clean()
        return True

    def _keep_shown(self, job: Job, picture: Picture) -> None:
        """Keep what the page shows of a result."""
        self.storage.put(files.shown_result(job), self._shown(picture))
        self.storage.put(files.thumbnail(job), self._shown(picture, _THUMBNAIL_SIZE))

    def _opening(self, asked: JobRequest) -> Growing:
        """The engine of a brief; the last ones are kept."""
        from impasto.recipes.painting import open_brief

        key = asked.brief.to_json()
        if key not in self._opened:
            self._opened[key] = open_brief(self._within_memory(asked.brief), self._pictures(asked))
            if len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
            self._tidy(asked)
        self._opened.move_to_end(key)
        return self._opened[key]

    def _pictures(self, asked: JobRequest) -> Pictures:
        """Where the pictures of a brief are."""
        from impasto.library.folder import licence_of
        from impasto.recipes.pictures import Pictures

        given = {name: self._file(name) for name in asked.brief.pictures()}
        return Pictures(given, MOST_PIXELS, licence_of=licence_of)

    def _tidy(self, asked: JobRequest) -> None:
        """Remove uploads that neither this job nor an engine that is kept has to do with."""
        needed = " ".join([*self._opened, *asked.uploads])
        for path in self.folder.iterdir():
            if is_upload(path.name) and path.name not in needed:
                path.unlink()

    def _within_memory(self, brief: Brief) -> Brief:
        """The same, but it takes no more than this worker may."""
        most = min(brief.settings.memory_bytes or self.memory, self.memory)
        settings = brief.settings.model_copy(update={"memory": f"{int(most / 1e6)}MB"})
        return brief.model_copy(update={"settings": settings})

    def _file(self, upload: str) -> Path:
        """An upload as a file of this process."""
        path = self.folder / upload
        if not path.is_file():
            data = self.storage.get(files.upload(upload))
            if data is None:
                raise PictureError("A picture of the job is no longer there; upload it again.")
            path.write_bytes(data)
        return path

    def _shown(self, picture: Picture, size: int = SHOWN_SIZE) -> bytes:
        """A JPEG of at most this size, without the record."""
        from impasto.media.geometry import fit, resample
        from impasto.media.image import Picture

        height, width = picture.size
        small = resample(picture.pixels, fit(height, width, min(size, max(height, width))))
        return self._encoded(Picture(small), "jpg")

    def _encoded(self, picture: Picture, kind: str) -> bytes:
        from impasto.media.writing import write

        path = self.folder / f"picture.{kind}"
        write(picture, path, force=True)
        return path.read_bytes()

    def _result(self, picture: Picture, asked: JobRequest) -> bytes:
        """The finished picture as it is kept."""
        data = self._encoded(picture, "png")
        if not self.signs:
            return data
        from impasto.identity import Identity
        from impasto.signing import sign

        path = self.folder / "picture.png"
        sign(path, path, Identity.own(), [self._file(name) for name in asked.uploads])
        return path.read_bytes()

    def _told(self, error: ImpastoError) -> str:
        """What a stranger may know of it."""
        if isinstance(error, StorageError):
            return "The storage cannot be reached; try again later."
        return str(error).replace(f"{self.folder}/", "")


def main() -> None:
    """Paint until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("storage")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parent", type=int, required=True, help="the process without which it ends")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--memory", type=int, default=4_000_000_000, help="most bytes that a job may take")
    parser.add_argument("--sign", action="store_true", help="sign results by the user's own key")
    given = parser.parse_args()
    os.nice(_NICE)
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory(prefix="impasto") as folder:
        queue, storage = DatabaseQueue(os.environ.pop(DATABASE)), Storage(given.storage)
        worker = Worker(queue, storage, given.quick, Path(folder), given.parent, given.memory, given.sign)
        signal.signal(signal.SIGTERM, lambda *_: worker.leaving.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        warm()
        worker.run()


def warm() -> None:
    """Load what every job needs, before the first one comes."""
    import impasto.recipes.one_pass
    import impasto.recipes.painting  # noqa: F401


if __name__ == "__main__":
    main()
