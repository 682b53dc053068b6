"""Pictures of strangers, looked at in a process that may die of them."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from impasto.errors import ImpastoError, PictureError
from impasto.serving.request import MOST_PIXELS

MOST_SIDE, MOST_ASPECT, SHOWN_SIZE = 16_384, 100, 1600
_SECONDS, _CPU_SECONDS, _BYTES, _EACH = 15, 3600, 4 << 30, 500
_KINDS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"GIF87a", b"GIF89a", b"BM")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"hevc")


class Decoder:
    """Checks pictures in a child process with limits; a child that dies is replaced."""

    def __init__(self) -> None:
        self._lock, self._pool = Lock(), self._new()

    def look(self, data: bytes) -> tuple[int, int, bytes]:
        """Height and width of a picture that can be read to its end, and a JPEG of it for the page.

        Raises:
            PictureError: it is none, too large, damaged, or of a kind that is not taken.
        """
        if not known_kind(data[:32]):
            raise PictureError("Expected a JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC picture.")
        pool = self._pool
        try:
            found = pool.submit(_look, data).result(timeout=_SECONDS)
        except (BrokenProcessPool, TimeoutError) as error:
            self._replace(pool)
            raise PictureError("The picture could not be read in time; save it again with another program.") from error
        if isinstance(found, str):
            raise PictureError(found)
        return found

    def close(self) -> None:
        """End the child."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                for process in list((broken._processes or {}).values()):
                    process.kill()
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _limit, (os.getpid(),), max_tasks_per_child=_EACH)


def known_kind(head: bytes) -> bool:
    """Whether a file begins as one of the kinds that are taken."""
    if head.startswith(_KINDS):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def _limit(parent: int) -> None:
    """In the child: no more than it needs, and not longer than its parent."""
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_leave_with, args=(parent,), daemon=True).start()

    for what, most in (
        (resource.RLIMIT_AS, _BYTES), (resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_CORE, 0)
    ):  # fmt: skip
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _look(data: bytes) -> tuple[int, int, bytes] | str:
    """In the child: what `Decoder.look` gives, or what is wrong."""
    from impasto.media.image import dimensions, read
    from impasto.media.writing import write

    with tempfile.TemporaryDirectory(prefix="impasto") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        try:
            height, width = dimensions(path, max_pixels=MOST_PIXELS)
            if max(height, width) > MOST_SIDE or max(height, width) > MOST_ASPECT * min(height, width):
                return f"A picture of {width}x{height} pixels is too large or too narrow; crop or shrink it."
            write(read(path, min(SHOWN_SIZE, max(height, width)), max_pixels=MOST_PIXELS), path.with_suffix(".jpg"))
        except ImpastoError as error:
            return str(error).replace(str(path), "The picture")
        except Exception as error:
            return f"The picture cannot be read ({type(error).__name__}); save it again with another program."
        return height, width, path.with_suffix(".jpg").read_bytes()
