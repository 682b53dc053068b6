"""Pictures of strangers, looked at in a process that may die of them."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from impasto.errors import ImpastoError, PictureError
from impasto.serving.films import MOST_FRAMES, MOST_SECONDS, is_film
from impasto.serving.films import MOST_SIDE as MOST_FILM_SIDE
from impasto.serving.selection import MOST_PIXELS, SHOWN_SIZE, Selection

if TYPE_CHECKING:
    from torch import Tensor

MOST_SIDE, MOST_ASPECT = 16_384, 100
_START_SECONDS = 60
_SECONDS, _CPU_SECONDS, _BYTES, _EACH = 15, 3600, 4 << 30, 500
_KINDS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"GIF87a", b"GIF89a", b"BM")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"hevc")
T = TypeVar("T")


class Looked(NamedTuple):
    """Height and width of a picture, a JPEG of it for the page, and the record that it carries.

    Of a film, how many frames it has, and the first one as a PNG file.
    """

    height: int
    width: int
    shown: bytes
    record: str
    frames: int = 1
    frame: bytes = b""


class Decoder:
    """Checks pictures in a child process with limits; a child that dies is replaced."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pool, self._begun = self._new()

    def look(self, data: bytes) -> Looked:
        """What there is to know of a picture that can be read to its end.

        Raises:
            PictureError: it is none, too large, damaged, or of a kind that is not taken.
        """
        if is_film(data[:32]):
            return self._ask(_look_at_film, data)
        if not known_kind(data[:32]):
            raise PictureError("Expected a JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC picture, or an MP4 film.")
        return self._ask(_look, data)

    def select(self, shown: bytes, what: Selection) -> bytes:
        """A mask as a PNG file, of what is meant in a picture as it is shown.

        Raises:
            PictureError: nothing is found.
        """
        return self._ask(_select, shown, what)

    def _ask(self, work: Callable[..., T], *given: object) -> T:
        """What comes of work in the child."""
        pool = self._pool
        try:
            self._begun.result(timeout=_START_SECONDS)
            return pool.submit(work, *given).result(timeout=_SECONDS)
        except (BrokenProcessPool, TimeoutError) as error:
            self._replace(pool)
            raise PictureError("The picture could not be read in time; save it again with another program.") from error

    def close(self) -> None:
        """End the child."""
        _end(self._pool)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                _end(broken)
                self._pool, self._begun = self._new()

    def _new(self) -> tuple[ProcessPoolExecutor, Future[None]]:
        """A child, and when it has loaded what it needs."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, context, _limit, (os.getpid(),), max_tasks_per_child=_EACH)
        return pool, pool.submit(_load)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=True, cancel_futures=True)


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

    os.environ |= {"OMP_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}  # beside painters, threads of a team wait long
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


def _load() -> None:
    """In the child: have all at hand that a picture needs."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "png")
    _look(file.getvalue())


@contextmanager
def _file(data: bytes, name: str, what: str) -> Iterator[Path]:
    """In the child: data as a file; what goes wrong with it is told of `what`.

    Raises:
        PictureError: it cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="impasto") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            yield path
        except ImpastoError as error:
            raise PictureError(str(error).replace(str(path), what)) from None
        except Exception as error:
            traceback.print_exc()
            told = f"{what} cannot be read ({type(error).__name__}); save it again with another program."
            raise PictureError(told) from None


def _look(data: bytes) -> Looked:
    """In the child: what `Decoder.look` gives."""
    from impasto.media.image import dimensions, read
    from impasto.media.writing import write

    with _file(data, "picture", "The picture") as path:
        height, width = dimensions(path, max_pixels=MOST_PIXELS)
        if max(height, width) > MOST_SIDE or max(height, width) > MOST_ASPECT * min(height, width):
            raise PictureError(f"A picture of {width}x{height} pixels is too large or too narrow; crop or shrink it.")
        picture = read(path, min(SHOWN_SIZE, max(height, width)), max_pixels=MOST_PIXELS)
        record = _record(picture.metadata)
        write(picture, path.with_suffix(".jpg"))
        return Looked(height, width, path.with_suffix(".jpg").read_bytes(), record)


def _look_at_film(data: bytes) -> Looked:
    """In the child: what `Decoder.look` gives of a film."""
    from impasto.media.film import open_film
    from impasto.media.writing import write

    with _file(data, "film.mkv", "The film") as path:
        film = open_film(path)
        if max(film.size) > MOST_FILM_SIDE or film.count > MOST_FRAMES or film.seconds > MOST_SECONDS:
            raise PictureError(
                f"A film may have {MOST_SECONDS:.0f} s, {MOST_FRAMES} frames and a side of {MOST_FILM_SIDE} pixels."
            )
        first = next(film.frames()).picture
        for suffix in (".png", ".jpg"):
            write(first, path.with_suffix(suffix))
        frame, shown = (path.with_suffix(suffix).read_bytes() for suffix in (".png", ".jpg"))
        return Looked(*film.size, shown, "", max(2, film.count), frame)


def _record(packet: bytes | None) -> str:
    from impasto.errors import RecordError
    from impasto.provenance import Record

    try:
        return Record.from_xmp(packet).model_dump_json()
    except RecordError:
        return ""


def _select(shown: bytes, what: Selection) -> bytes:
    """In the child: what `Decoder.select` gives."""
    from impasto.media.image import Picture, read
    from impasto.media.writing import write

    with _file(shown, "picture.jpg", "The picture") as path:
        mask = _selected(read(path).pixels, what)
        write(Picture(mask.expand(-1, 3, -1, -1)), path.with_suffix(".png"))
        return path.with_suffix(".png").read_bytes()


def _selected(pixels: Tensor, what: Selection) -> Tensor:
    from impasto.controls.select import from_box, from_points
    from impasto.recipes.regions import find, seen_in

    height, width = pixels.shape[2:]
    if what.box:
        left, top, right, bottom = what.box
        box = (left * width, top * height, right * width, bottom * height)
        return from_box(pixels, box, seen_in(pixels))
    if what.points:
        inside, outside = ([(x * width, y * height) for x, y in given] for given in (what.points, what.outside))
        return from_points(pixels, inside, outside)
    return find(what.name, pixels)
