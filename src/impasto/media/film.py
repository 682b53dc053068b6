"""Moving pictures from files to frames: films by PyAV, GIF, WebP and APNG by Pillow, numbered pictures as they are."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from impasto.errors import FilmError, PictureError, SettingsError
from impasto.media.formats import named_as_picture
from impasto.media.image import Picture, dimensions, read
from impasto.media.transparency import fill_transparent

if TYPE_CHECKING:
    import av
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image

ANIMATIONS = (".gif", ".webp", ".png", ".apng")
LOCAL_ONLY = {"protocol_whitelist": "file"}
_NUMBER = re.compile(r"(.*?)(%0?(\d*)d|\d+)(\.\w+)$")
_HDR = {16: "PQ", 18: "HLG"}
_MOST_SIDE = 16384
_RATE = Fraction(25)
_GIF_SECONDS = Fraction(1, 10)


@dataclass(frozen=True)
class Frame:
    """A picture of a film: when it is shown, in seconds from the film's beginning, and for how long.

    `held`: it could not be decoded, so that the one before is shown again.
    """

    picture: Picture
    time: Fraction
    duration: Fraction
    held: bool = False


class Film(Protocol):
    """A moving picture."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames."""
        ...

    @property
    def count(self) -> int:
        """About how many frames it has."""
        ...

    @property
    def seconds(self) -> float:
        """About how long it is."""
        ...

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        """Frames that are shown from `start` on and before `stop`, in seconds."""
        ...


def open_film(path: Path) -> Film:
    """The film, animation, folder or pattern (`frame_%04d.png`) of numbered pictures at `path`.

    Raises:
        FilmError: there is none, or it cannot be used.
        SettingsError: an extra is missing.
    """
    if path.is_dir() or "%" in path.name:
        return NumberedFilm(path)
    if not path.is_file():
        raise FilmError(f"There is no film {path}; check the name.")
    if path.stat().st_size == 0:
        raise FilmError(f"{path} is empty; give a film.")
    if path.suffix.lower() in ANIMATIONS:
        return AnimatedFilm(path)
    return VideoFilm(path)


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """A film's container, from this machine's files alone.

    Raises:
        FilmError: it is no film, or its file is damaged.
    """
    try:
        import av
    except ImportError as error:
        raise SettingsError("Films need an extra; install it with: pip install 'impasto[film]'.") from error

    with path.open("rb") as file:
        head = file.read(512)
    if not head.strip(b"\t\n\r" + bytes(range(32, 127))):
        raise FilmError(f"{path} is a text, no film; lists of other files are not followed.")
    try:
        with av.open(str(path), options=LOCAL_ONLY) as container:
            yield container
    except av.FFmpegError as error:
        raise FilmError(f"{path} cannot be read as a film ({error.strerror}); give another file.") from error


@dataclass(frozen=True)
class Colour:
    """How a film's colours are written: FFmpeg's numbers of matrix, range, primaries and transfer."""

    matrix: int
    range: int
    primaries: int
    transfer: int

    @property
    def conversion(self) -> int:
        """The matrix by which swscale is to convert."""
        return {1: 1, 7: 7, 9: 9, 10: 9}.get(self.matrix, 5)


@dataclass(frozen=True)
class VideoFilm:
    """A film that PyAV reads; its widest stream of pictures is the film."""

    path: Path

    @cached_property
    def _facts(self) -> dict[str, Any]:
        with opened(self.path) as container:
            stream = widest(container, self.path)
            context = stream.codec_context
            if not 0 < context.width <= _MOST_SIDE or not 0 < context.height <= _MOST_SIDE:
                raise FilmError(
                    f"{self.path} says its frames have {context.width}x{context.height} pixels; give another."
                )
            transfer = int(context.color_trc or 2)
            if transfer in _HDR:
                raise FilmError(
                    f"{self.path} is in high dynamic range ({_HDR[transfer]}), which paintings are not; convert it to "
                    "SDR first, for example with a video editor."
                )
            first = next(_decoded(container, stream), None)
            if first is None or isinstance(first, int):
                raise FilmError(f"{self.path} has no frame that can be decoded; give another film.")
            rate = stream.average_rate or stream.guessed_rate or _RATE
            rate = Fraction(rate) if 0 < rate <= 1000 else _RATE
            turned = first.rotation % 180 != 0
            seconds = float(container.duration or 0) / 1e6
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            matrix = int(first.colorspace)
            if matrix in (2, 3):
                matrix = 1 if context.height >= 720 else 6
            return {
                "size": (first.width, first.height) if turned else (first.height, first.width),
                "rate": rate,
                "seconds": seconds,
                "count": stream.frames or max(1, round(seconds * float(rate))),
                "deep": first.format.components[0].bits > 8,
                "time_base": stream.time_base or 1 / rate,
                "aspect": _aspect(stream, turned=turned),
                "colour": Colour(
                    matrix, int(first.color_range), int(context.color_primaries or 2), int(context.color_trc or 2)
                ),
            }

    @property
    def size(self) -> tuple[int, int]:
        size: tuple[int, int] = self._facts["size"]
        return size

    @property
    def count(self) -> int:
        return int(self._facts["count"])

    @property
    def seconds(self) -> float:
        return float(self._facts["seconds"])

    @property
    def rate(self) -> Fraction:
        """Frames in a second, on average."""
        rate: Fraction = self._facts["rate"]
        return rate

    @property
    def time_base(self) -> Fraction:
        """The tick of its clock, in seconds."""
        tick: Fraction = self._facts["time_base"]
        return tick

    @property
    def deep(self) -> bool:
        """Whether it has more than 8 bits."""
        return bool(self._facts["deep"])

    @property
    def aspect(self) -> Fraction | None:
        """Width of a pixel over its height, where that is said."""
        aspect: Fraction | None = self._facts["aspect"]
        return aspect

    @property
    def colour(self) -> Colour:
        """How its colours are written."""
        colour: Colour = self._facts["colour"]
        return colour

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        tick, usual = self.time_base, 1 / self.rate
        with opened(self.path) as container:
            stream = widest(container, self.path)
            if start > 1:
                container.seek(int((start - 1) / tick), stream=stream)
            last: Frame | None = None
            for item in _decoded(container, stream):
                if isinstance(item, int):
                    if last is None:
                        continue
                    frame = Frame(last.picture, item * tick, usual, held=True)
                else:
                    time = last.time + last.duration if item.pts is None and last else (item.pts or 0) * tick
                    duration = (item.duration or 0) * tick
                    if time < start:
                        last = Frame(last.picture, time, duration or usual) if last else None
                        continue
                    if stop is not None and time >= stop:
                        return
                    frame = Frame(self._picture(item), time, duration or usual, held=bool(item.is_corrupt))
                if last is not None and frame.time <= last.time and not frame.held:
                    frame = Frame(frame.picture, last.time + tick, frame.duration, frame.held)
                last = frame
                yield frame

    def _picture(self, frame: VideoFrame) -> Picture:
        form, most = ("rgb48le", 65535) if self.deep else ("rgb24", 255)
        pixels = frame.reformat(format=form, src_colorspace=self.colour.conversion).to_ndarray()
        pixels = np.rot90(pixels, round(frame.rotation / 90) % 4)
        return _picture(pixels, most)


@dataclass(frozen=True)
class AnimatedFilm:
    """A GIF, WebP or APNG."""

    path: Path

    @cached_property
    def _facts(self) -> dict[str, Any]:
        with self._opened() as image:
            durations, count = [], getattr(image, "n_frames", 1)
            for number in range(count):
                image.seek(number)
                image.load()
                durations.append(_seconds(image))
            return {
                "size": (image.height, image.width),
                "durations": durations,
                "loop": image.info.get("loop"),
                "format": image.format or "GIF",
            }

    @contextmanager
    def _opened(self) -> Iterator[Image]:
        from PIL import Image

        try:
            with Image.open(self.path) as image:
                yield image
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            raise FilmError(f"{self.path} cannot be read as an animation ({error}); give another file.") from error

    @property
    def size(self) -> tuple[int, int]:
        size: tuple[int, int] = self._facts["size"]
        return size

    @property
    def count(self) -> int:
        return len(self._facts["durations"])

    @property
    def seconds(self) -> float:
        return float(sum(self._facts["durations"]))

    @property
    def loop(self) -> int | None:
        """How often it is shown; 0 for ever, None if it does not say."""
        loop: int | None = self._facts["loop"]
        return loop

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        time = Fraction(0)
        with self._opened() as image:
            for number, duration in enumerate(self._facts["durations"]):
                if stop is not None and time >= stop:
                    return
                if time >= start:
                    image.seek(number)
                    yield Frame(_picture(np.asarray(image.convert("RGBA")), 255), time, duration)
                time += duration


@dataclass(frozen=True)
class NumberedFilm:
    """Numbered pictures in a folder, or those of a pattern, one after another at 25 frames a second."""

    path: Path

    @cached_property
    def pictures(self) -> list[Path]:
        """Its pictures in order."""
        folder = self.path if self.path.is_dir() else self.path.parent
        pattern = None if self.path.is_dir() else _NUMBER.match(self.path.name)
        if not folder.is_dir() or (pattern is None and not self.path.is_dir()):
            raise FilmError(f"There is no folder {folder} with pictures like {self.path.name}; check the name.")
        found = []
        for entry in folder.iterdir():
            parts = _NUMBER.match(entry.name)
            if parts and named_as_picture(entry) and (pattern is None or parts.group(1, 4) == pattern.group(1, 4)):
                found.append((parts[1], int(parts[2]), entry))
        if not found:
            raise FilmError(f"There are no numbered pictures in {self.path}; give a folder with frames like 0001.png.")
        return [entry for _, _, entry in sorted(found)]

    @property
    def size(self) -> tuple[int, int]:
        return dimensions(self.pictures[0])

    @property
    def count(self) -> int:
        return len(self.pictures)

    @property
    def seconds(self) -> float:
        return float(self.count / _RATE)

    def frames(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Frame]:
        last: Frame | None = None
        for number, path in enumerate(self.pictures):
            time = number / _RATE
            if stop is not None and time >= stop:
                return
            if time < start:
                continue
            try:
                picture = read(path)
                if picture.size != self.size:
                    raise FilmError(
                        f"{path} has {picture.size[1]}x{picture.size[0]} pixels, the first of its film "
                        f"{self.size[1]}x{self.size[0]}; give pictures of one size."
                    )
                frame = Frame(picture, time, 1 / _RATE)
            except PictureError:
                if last is None:
                    raise
                frame = Frame(last.picture, time, 1 / _RATE, held=True)
            last = frame
            yield frame


def ahead(frames: Callable[[], Iterator[Frame]], count: int = 4) -> Iterator[Frame]:
    """The same frames, decoded in a thread of its own while others are used."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, closing(frames()) as source:  # type: ignore[type-var]
        waiting = [pool.submit(next, source, None) for _ in range(count)]
        try:
            while True:
                frame = waiting.pop(0).result()
                if frame is None:
                    return
                waiting.append(pool.submit(next, source, None))
                yield frame
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)


def widest(container: av.container.InputContainer, path: Path) -> VideoStream:
    """The stream of pictures with the most pixels.

    Raises:
        FilmError: there is none.
    """
    streams = [s for s in container.streams.video if s.codec_context is not None]
    if not streams:
        raise FilmError(f"{path} has no pictures in it, only other streams; give a film.")
    return max(streams, key=lambda stream: stream.codec_context.width * stream.codec_context.height)


def _decoded(container: av.container.InputContainer, stream: VideoStream) -> Iterator[VideoFrame | int]:
    """Frames in the order in which they are shown; of a packet that cannot be decoded, its time in ticks."""
    import av

    stream.thread_type = "AUTO"
    lost: list[int] = []
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            packet = None
        if packet is None:
            break
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if packet.pts is not None:
                heapq.heappush(lost, packet.pts)
            continue
        for frame in frames:
            while lost and frame.pts is not None and lost[0] < frame.pts:
                yield heapq.heappop(lost)
            yield frame
    while lost:
        yield heapq.heappop(lost)


def _aspect(stream: VideoStream, *, turned: bool) -> Fraction | None:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if not aspect or aspect == 1:
        return None
    return Fraction(1 / aspect if turned else aspect)


def _seconds(image: Image) -> Fraction:
    """How long the frame of an animation that is loaded is shown; browsers take a tenth of a second for none."""
    milliseconds = image.info.get("duration", 0)
    return Fraction(round(milliseconds * 1000), 1_000_000) if milliseconds else _GIF_SECONDS


def _picture(pixels: np.ndarray[Any, Any], most: int) -> Picture:
    """(H, W, 3 or 4) as a picture."""
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None].div_(most).contiguous()
    depth: Any = 16 if most > 255 else 8
    if values.shape[1] == 3 or bool((values[:, 3:] == 1).all()):
        return Picture(values[:, :3].contiguous(), depth=depth)
    alpha = values[:, 3:]
    colours = fill_transparent(values[:, :3], alpha) if bool((alpha > 0).any()) else values[:, :3]
    return Picture(colours.contiguous(), alpha.contiguous(), depth=depth)
