"""Films written: frames encoded in pieces that stand alone, then joined with all else that their source holds."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from impasto.errors import OutputError, SettingsError, UnknownName
from impasto.media.video import Colour

if TYPE_CHECKING:
    import av

CONTAINERS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".nut", ".ts")


@dataclass(frozen=True)
class Codec:
    """An encoder, its pixel formats for 8 and 10 bits, the option that quality sets, with its usual value, and others.

    `piece`: the container that holds its packets until they are joined.
    """

    encoder: str
    shallow: str
    deep: str
    quality: str | None
    usual: int
    options: dict[str, str] = field(default_factory=dict)
    piece: str = "nut"


CODECS = {
    "h264": Codec("libx264", "yuv420p", "yuv420p10le", "crf", 18, {"preset": "fast"}),
    "h265": Codec("libx265", "yuv420p", "yuv420p10le", "crf", 20, {"preset": "fast", "x265-params": "log-level=error"}),
    "vp9": Codec("libvpx-vp9", "yuv420p", "yuv420p", "crf", 24, {"b": "0", "cpu-used": "4", "row-mt": "1"}),
    "av1": Codec("libsvtav1", "yuv420p", "yuv420p10le", "crf", 28, {"preset": "8"}),
    "prores": Codec("prores_ks", "yuv422p10le", "yuv422p10le", None, 0, {"profile": "3"}, "mov"),
    "ffv1": Codec("ffv1", "yuv444p", "yuv444p10le", None, 0),
}


@dataclass(frozen=True)
class Encoding:
    """How the frames of a film are written.

    Args:
        size: (height, width); odd sides lose a pixel.
        time_base: the tick of its clock, in seconds.
        rate: frames in a second, on average.
        codec: a key of `CODECS`, or the name of an encoder of FFmpeg's, such as h264_nvenc.
        quality: what the codec calls quality; its own number, smaller is better; None is a good one.
    """

    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    codec: str = "h264"
    quality: int | None = None
    deep: bool = False
    aspect: Fraction | None = None
    colour: Colour = field(default_factory=lambda: Colour(1, 1, 1, 1))

    @property
    def even(self) -> tuple[int, int]:
        """(height, width) as written."""
        return self.size[0] // 2 * 2, self.size[1] // 2 * 2

    def tried(self) -> tuple[Encoding, str]:
        """This encoding if it works here, or the nearest that does, and a sentence about that if it is another.

        Raises:
            UnknownName: there is no such codec.
            SettingsError: there is no encoder at all for it.
        """
        import av

        if self.codec not in CODECS and self.codec not in av.codecs_available:
            raise UnknownName("codec", self.codec, CODECS)
        if self._works():
            return self, ""
        if self.codec != "h264":
            other = Encoding(**{**self.__dict__, "codec": "h264", "quality": None})
            if other._works():
                return other, f"The encoder {self.codec} does not work here, so h264 is used."
        raise SettingsError(f"No encoder for {self.codec} works here; choose another --codec: {', '.join(CODECS)}.")

    def _works(self) -> bool:
        import av

        try:
            context: Any = av.CodecContext.create(self._kind.encoder, "w")
            self._set_up(context)
            frame = av.VideoFrame(self.even[1], self.even[0], self._format)
            frame.pts, frame.time_base = 0, self.time_base
            return bool([*context.encode(frame), *context.encode(None)])
        except (av.FFmpegError, ValueError):
            return False

    @property
    def _kind(self) -> Codec:
        if self.codec in CODECS:
            return CODECS[self.codec]
        return Codec(self.codec, "yuv420p", "p010le", None, 0)

    @property
    def _format(self) -> str:
        return self._kind.deep if self.deep else self._kind.shallow

    def _set_up(self, context: Any) -> None:
        from av.codec.context import Flags

        kind = self._kind
        context.width, context.height, context.pix_fmt = self.even[1], self.even[0], self._format
        context.time_base, context.framerate = self.time_base, self.rate
        context.max_b_frames = 0  # so that pieces can be joined: packets come in the order of their times
        context.flags |= Flags.global_header
        if self.aspect:
            context.sample_aspect_ratio = self.aspect
        context.colorspace, context.color_range = self.colour.matrix, self.colour.range
        context.color_primaries, context.color_trc = self.colour.primaries, self.colour.transfer
        quality = (
            {} if kind.quality is None else {kind.quality: str(kind.usual if self.quality is None else self.quality)}
        )
        context.options = {**kind.options, **quality}


@dataclass
class Piece:
    """A run of encoded frames in a file: their times and durations, in ticks."""

    path: Path
    times: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)


@contextmanager
def piece_writer(path: Path, encoding: Encoding) -> Iterator[PieceWriter]:
    """Write a piece; it is there when the block has ended.

    Raises:
        OutputError: it cannot be written.
    """
    import av

    with telling_when_full(path):
        container = av.open(str(path), "w", format=encoding._kind.piece)
        try:
            stream: Any = container.add_stream(encoding._kind.encoder, rate=encoding.rate)
            encoding._set_up(stream.codec_context)
            stream.time_base = encoding.time_base
            try:
                yield PieceWriter(Piece(path), encoding, container, stream)
            finally:
                container.mux(stream.encode(None))
        finally:
            container.close()


@dataclass
class PieceWriter:
    """Takes the frames of a piece."""

    piece: Piece
    encoding: Encoding
    container: av.container.OutputContainer
    stream: Any

    def write(self, pixels: Tensor, time: Fraction, duration: Fraction) -> None:
        """A frame (1, 3, H, W) in [0, 1], shown at `time` for `duration`, in seconds."""
        import av

        how, tick = self.encoding, self.encoding.time_base
        most, form, kind = (65535, "rgb48le", np.uint16) if how.deep else (255, "rgb24", np.uint8)
        height, width = how.even
        values = pixels[0, :, :height, :width].permute(1, 2, 0).mul(most).round_().clamp_(0, most).numpy().astype(kind)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format=form)
        frame = frame.reformat(
            format=how._format, dst_colorspace=how.colour.conversion, dst_color_range=how.colour.range
        )
        frame.colorspace, frame.color_range = how.colour.matrix, how.colour.range
        at = round(time / tick)
        if self.piece.times and at <= self.piece.times[-1]:
            at = self.piece.times[-1] + 1
        frame.pts, frame.time_base = at, tick
        self.piece.times.append(at)
        self.piece.durations.append(max(1, round(duration / tick)))
        self.container.mux(self.stream.encode(frame))


@contextmanager
def telling_when_full(path: Path) -> Iterator[None]:
    """What goes wrong when a file is written becomes one sentence.

    Raises:
        OutputError: it did.
    """
    import av

    try:
        yield
    except (av.FFmpegError, OSError) as error:
        number = getattr(error, "errno", None)
        what = "the disk is full" if number == errno.ENOSPC else str(getattr(error, "strerror", None) or error)
        raise OutputError(
            f"{path} could not be written ({what}); what was painted before is kept for --resume."
        ) from error
