"""Paint what the ledger says, in as many processes as asked for."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from impasto.batch.ledger import Job, Ledger
from impasto.batch.plan import Pair
from impasto.errors import ImpastoError, InputError, OutputError
from impasto.media.image import Picture
from impasto.weights.files import sha256

_POLL_SECONDS = 0.2

Paint = Callable[[str], Picture]
Open = Callable[[str], Paint]


@dataclass(frozen=True)
class Batch:
    """What all pictures of a batch have in common.

    `opener` makes, from a style, what paints a photo in it; it is a function at module level with settings bound by
    `functools.partial`, so that it can be sent to other processes. `settings` says what the result depends on besides
    photo and style.
    """

    folder: Path
    opener: Open
    settings: Mapping[str, Any]
    quality: int | None = None
    force: bool = False
    jobs: list[Job] = field(default_factory=list)

    def enter(self, pairs: Sequence[Pair]) -> None:
        """Enter the pairs into the ledger.

        Raises:
            OutputError: a result would replace a file that no batch has made.
        """
        hashes: dict[str, str] = {}
        for pair in pairs:
            output = str(self.folder / pair.output)
            inputs = [_hash(name, hashes) for name in (str(pair.content), *pair.styles)]
            told = json.dumps([inputs, dict(self.settings)], sort_keys=True, default=str)
            key = hashlib.sha256(f"{output} {told}".encode()).hexdigest()
            self.jobs.append(Job(output, key, str(pair.content), "\n".join(pair.styles)))
        ledger = Ledger(self.folder)
        foreign = [job.output for job in self.jobs if Path(job.output).exists() and not ledger.knows(job.output)]
        if foreign and not self.force:
            raise OutputError(
                f"{foreign[0]} exists and is no result of a batch; choose another folder, or use --force."
            )
        ledger.enter(self.jobs)
        ledger.close()

    def run(self, workers: int, threads: int) -> Iterator[dict[str, tuple[str, str | None]]]:
        """Paint in `workers` processes, yielding {output: (state, error)} now and then; leaving ends them politely.

        Raises:
            OutputError: nothing can be written any more, so that the rest is left waiting.
        """
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        ledger, outputs = Ledger(self.folder), [job.output for job in self.jobs]
        processes = [context.Process(target=_work, args=(self, threads, stop), daemon=True) for _ in range(workers)]
        for process in processes:
            process.start()
        try:
            while any(process.is_alive() for process in processes):
                time.sleep(_POLL_SECONDS)
                yield ledger.states(outputs)
            yield ledger.states(outputs)
        finally:
            stop.set()
            for process in processes:
                process.join()
            ledger.close()
        if any(process.exitcode == errno.ENOSPC for process in processes):
            raise OutputError(f"{self.folder} cannot be written to any more; make room and run the same command again.")


def _work(batch: Batch, threads: int, stop: Event) -> None:
    """One process, which ends with ENOSPC where nothing can be written any more."""
    import signal
    import sys

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    try:
        _paint_all(batch, stop)
    except OutputError:
        sys.exit(errno.ENOSPC)


def _paint_all(batch: Batch, stop: Event) -> None:
    """Claim, paint, write, enter; until nothing waits."""
    parent = multiprocessing.parent_process()
    ledger, keys = Ledger(batch.folder), {job.key for job in batch.jobs}
    painters: dict[str, Paint] = {}
    while not stop.is_set() and (parent is None or parent.is_alive()):
        job = ledger.claim(keys)
        if job is None:
            break
        try:
            _paint(batch, job, painters)
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


def _paint(batch: Batch, job: Job, painters: dict[str, Paint]) -> None:
    from impasto.media.writing import write

    if job.style not in painters:
        painters[job.style] = batch.opener(job.style)
    picture = painters[job.style](job.content)
    Path(job.output).parent.mkdir(parents=True, exist_ok=True)
    write(picture, job.output, quality=batch.quality, force=True)


def _hash(name: str, hashes: dict[str, str]) -> str:
    """The SHA-256 of a file; of a name that is no readable file, the name itself."""
    if name not in hashes:
        try:
            hashes[name] = sha256(Path(name))
        except OSError:
            hashes[name] = name
    return hashes[name]
