"""Paint what the ledger says, in as many processes as asked for."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path

from impasto.batch.ledger import LEASE, BatchJob, Ledger
from impasto.batch.plan import Pair
from impasto.brief import Brief
from impasto.errors import ImpastoError, InputError, OutputError
from impasto.library.folder import licence_of
from impasto.media.files import check_apart, check_name, make_folder
from impasto.media.formats import quality_in
from impasto.media.image import MAX_PIXELS, Picture
from impasto.processes import deaf_to_interrupts
from impasto.recipes.grown import Growing
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures
from impasto.shelf.models import find
from impasto.weights.files import sha256

_POLL_SECONDS = 0.2

Task = tuple[Pair, Brief]


@dataclass(frozen=True)
class Batch:
    """What all pictures of a batch have in common; `skipped` counts what was done before."""

    folder: Path
    quality: int | None = None
    force: bool = False
    max_pixels: int = MAX_PIXELS
    jobs: tuple[BatchJob, ...] = ()
    skipped: int = 0

    def entered(self, tasks: Sequence[Task]) -> Batch:
        """This batch with each pair and its brief as a job in the ledger.

        Raises:
            OutputError: a result would replace a file that no batch has made, or an input, or has too long a name.
        """
        hashes = dict[str, str]()
        jobs = [_job(pair, brief, hashes) for pair, brief in tasks]
        results = [self.folder / pair.output for pair, _ in tasks]
        for result in results:
            check_name(result)
        check_apart(results, [name for pair, brief in tasks for name in (str(pair.content), *brief.pictures())])
        ledger = Ledger(self.folder)
        foreign = [one.output for one in jobs if (self.folder / one.output).exists() and not ledger.knows(one.output)]
        if foreign and not self.force:
            raise OutputError(
                f"{self.folder / foreign[0]} exists and is no result of a batch; choose another folder, or use --force."
            )
        skipped = ledger.enter(jobs)
        ledger.close()
        return replace(self, jobs=tuple(jobs), skipped=skipped)

    def run(self, workers: int, threads: int) -> Generator[dict[str, tuple[str, str | None]], None, None]:
        """Paint in `workers` processes, yielding {output: (state, error)} now and then; leaving ends them politely.

        Raises:
            OutputError: nothing can be written any more, so that the rest is left waiting.
        """
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        processes = [context.Process(target=_work, args=(self, threads, stop), daemon=True) for _ in range(workers)]
        with deaf_to_interrupts():
            for process in processes:
                process.start()
        try:
            while any(process.is_alive() for process in processes):
                time.sleep(_POLL_SECONDS)
                yield self.states()
            yield self.states()
        finally:
            stop.set()
            for process in processes:
                process.join()
        if any(process.exitcode == errno.ENOSPC for process in processes):
            raise OutputError(f"{self.folder} cannot be written to any more; make room and run the same command again.")

    def states(self) -> dict[str, tuple[str, str | None]]:
        """{output: (state, error)} of its pictures, as far as no other batch has taken them over."""
        ledger = Ledger(self.folder)
        try:
            return ledger.states(self.jobs)
        finally:
            ledger.close()


def _work(batch: Batch, threads: int, stop: Event) -> None:
    """One process, which ends with ENOSPC where nothing can be written any more."""
    import sys

    import torch

    torch.set_num_threads(threads)
    try:
        _paint_all(batch, stop)
    except OutputError:
        sys.exit(errno.ENOSPC)


def _paint_all(batch: Batch, stop: Event) -> None:
    """Claim, paint, write, enter; until nothing waits, and nothing is being done that could come back."""
    with _beating(batch.folder):
        _paint_each(batch, stop)


def _paint_each(batch: Batch, stop: Event) -> None:
    parent = multiprocessing.parent_process()
    ledger, keys = Ledger(batch.folder), {job.key for job in batch.jobs}
    methods: dict[str, Growing] = {}
    while not stop.is_set() and (parent is None or parent.is_alive()):
        job = ledger.claim(keys)
        if job is None:
            if not ledger.busy(keys):
                break
            time.sleep(_POLL_SECONDS)
            continue
        try:
            picture = _painted(batch, job, methods)
            if ledger.mine(job):
                _write(batch, job, picture)
        except OutputError:
            ledger.release(job)
            raise
        except InputError as error:
            ledger.fail(job, str(error), retry=False)
        except (ImpastoError, OSError, MemoryError, RuntimeError) as error:
            ledger.fail(job, f"{type(error).__name__}: {error}", retry=True)
        else:
            ledger.finish(job)
    ledger.close()


@contextmanager
def _beating(folder: Path) -> Iterator[None]:
    """Hold what this process does, beside it; a disk that is full for a moment is told by the painting itself."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(LEASE / 6):
            with suppress(OutputError), closing(Ledger(folder)) as ledger:
                ledger.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _painted(batch: Batch, job: BatchJob, methods: dict[str, Growing]) -> Picture:
    if job.brief not in methods:
        pictures = Pictures(max_pixels=batch.max_pixels, licence_of=licence_of)
        methods[job.brief] = open_brief(Brief.from_json(job.brief), pictures)
    return painted(methods[job.brief].on(job.content))


def _write(batch: Batch, job: BatchJob, picture: Picture) -> None:
    from impasto.recipes.output import Output

    path = batch.folder / job.output
    make_folder(path.parent)
    Output(path, quality_in(path, batch.quality)).write(picture)


def _job(pair: Pair, brief: Brief, hashes: dict[str, str]) -> BatchJob:
    """A picture to be painted; its key holds the bytes of everything that it is made from."""
    inputs = [_hash(name, hashes) for name in (str(pair.content), *brief.pictures())]
    model = None if brief.engine == "optimize" else _hash(str(_model(brief)), hashes)
    settings = brief.renamed({name: _hash(name, hashes) for name in brief.pictures()}).model_dump(
        mode="json", exclude={"engine"}
    )
    told = json.dumps([inputs, model, settings], sort_keys=True, default=str)
    key = hashlib.sha256(f"{pair.output} {told}".encode()).hexdigest()
    return BatchJob(str(pair.output), key, str(pair.content.absolute()), brief.to_json())


def _model(brief: Brief) -> Path:
    return Path(brief.engine) if brief.engine.endswith(".onnx") else find(brief.engine)


def _hash(name: str, hashes: dict[str, str]) -> str:
    """The SHA-256 of a file; of a name that is no readable file, the name itself."""
    if name not in hashes:
        try:
            hashes[name] = sha256(Path(name))
        except OSError:
            hashes[name] = name
    return hashes[name]
