"""Films that PyAV reads, from this machine's files alone."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import FilmError, SettingsError
from impasto.media.film import RATE, Frame, picture_of
from impasto.media.image import Picture

if TYPE_CHECKING:
    import av
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LOCAL_ONLY = {"protocol_whitelist": "file"}
_HDR = {16: "PQ", 18: "HLG"}
_MOST_SIDE = 16384


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
    """A film that PyAV reads; its widest stream of pictures is the film.

    Args:
        size: (height, width) of its frames, upright.
        count: about how many.
        seconds: about how long it is.
        rate: frames in a second, on average.
        time_base: the tick of its clock, in seconds.
        deep: whether it has more than 8 bits.
        aspect: width of a pixel over its height, where that is said.
        colour: how its colours are written.
    """

    path: Path
    size: tuple[int, int]
    count: int
    seconds: float
    rate: Fraction
    time_base: Fraction
    deep: bool
    aspect: Fraction | None
    colour: Colour

    @staticmethod
    def open(path: Path) -> VideoFilm:
        """What its header and its first frame say.

        Raises:
            FilmError: it cannot be read, or not be painted.
        """
        with opened(path) as container:
            stream = widest(container, path)
            context = stream.codec_context
            if not 0 < context.width <= _MOST_SIDE or not 0 < context.height <= _MOST_SIDE:
                raise FilmError(f"{path} says its frames have {context.width}x{context.height} pixels; give another.")
            transfer = int(context.color_trc or 2)
            if transfer in _HDR:
                raise FilmError(
                    f"{path} is in high dynamic range ({_HDR[transfer]}), which paintings are not; convert it to SDR "
                    "first, for example with a video editor."
                )
            first = next(_decoded(container, stream), None)
            if first is None or isinstance(first, int):
                raise FilmError(f"{path} has no frame that can be decoded; give another film.")
            rate = stream.average_rate or stream.guessed_rate or RATE
            rate = Fraction(rate) if 0 < rate <= 1000 else RATE
            turned = first.rotation % 180 != 0
            seconds = float(container.duration or 0) / 1e6
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            matrix = int(first.colorspace)
            if matrix in (2, 3):
                matrix = 1 if context.height >= 720 else 6
            return VideoFilm(
                path,
                (first.width, first.height) if turned else (first.height, first.width),
                stream.frames or max(1, round(seconds * float(rate))),
                seconds,
                rate,
                stream.time_base or 1 / rate,
                first.format.components[0].bits > 8,
                _aspect(stream, turned=turned),
                Colour(matrix, int(first.color_range), int(context.color_primaries or 2), transfer),
            )

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
        return picture_of(pixels, most)


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
    """Frames in the order in which they are shown; of packets that could not be decoded, the time in ticks.

    A decoder with several threads says late that a packet was broken, so that it is known by the frame that is missing.
    """
    import av

    stream.thread_type = "AUTO"
    due: list[int] = []
    broken = False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            packet = None
        if packet is None:
            break
        if packet.pts is not None and not packet.is_discard:
            heapq.heappush(due, packet.pts)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            broken = True
            continue
        for frame in frames:
            while due and frame.pts is not None and due[0] <= frame.pts:
                time = heapq.heappop(due)
                if broken and time < frame.pts:
                    yield time
            yield frame
    while due and broken:
        yield heapq.heappop(due)


def _aspect(stream: VideoStream, *, turned: bool) -> Fraction | None:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if not aspect or aspect == 1:
        return None
    return Fraction(1 / aspect if turned else aspect)
