"""Encoded pieces joined to a film, with all else that their source holds, packet by packet."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError
from impasto.media.encoding import Encoding, Piece, telling_when_full
from impasto.media.video import VideoFilm, opened, widest

if TYPE_CHECKING:
    import av

_FORMATS = {".m4v": "mp4", ".ts": "mpegts", ".mkv": "matroska"}


def join(
    pieces: Sequence[Piece],
    encoding: Encoding,
    output: Path,
    source: VideoFilm | None,
    span: tuple[Fraction, Fraction | None],
    drop: Iterable[str] = (),
    tags: dict[str, str] | None = None,
) -> None:
    """Join pieces to a film, with the other streams of `source`, packet by packet as they are.

    `span`: from where to where of the source, in seconds; times count from its beginning. `drop`: kinds of streams that
    are left out.

    Raises:
        SettingsError: the container cannot hold a stream.
        OutputError: it cannot be written.
    """
    import av

    with telling_when_full(output), av.open(str(output), "w", format=_format_of(output)) as target:
        with av.open(str(pieces[0].path)) as first:
            pictures = target.add_stream_from_template(first.streams.video[0], opaque=True)
        pictures.time_base = encoding.time_base
        if encoding.aspect:
            pictures.sample_aspect_ratio = encoding.aspect
        if source is None:
            target.metadata.update(tags or {})
            for packet in _frames_of(pieces, pictures, encoding, span[0]):
                target.mux(packet)
            return
        with opened(source.path) as container:
            target.metadata.update({**container.metadata, **(tags or {})})
            others = _copied_streams(container, target, source.path, set(drop))
            _keep_chapters(container, target, span)
            frames = _frames_of(pieces, pictures, encoding, span[0])
            _mux_in_order(target, frames, _packets_of(container, others, span), encoding.time_base)


def check_streams(source: Path, output: Path, drop: Iterable[str]) -> None:
    """Raise `SettingsError` where the container of `output` cannot hold a stream of `source`, before any work."""
    import av

    with tempfile.TemporaryDirectory() as folder, opened(source) as container:
        target = av.open(str(Path(folder) / f"probe{output.suffix}"), "w", format=_format_of(output))
        try:
            _copied_streams(container, target, source, set(drop))
        finally:
            target.close()


def _format_of(output: Path) -> str:
    suffix = output.suffix.lower()
    return _FORMATS.get(suffix, suffix[1:])


def _copied_streams(
    container: av.container.InputContainer, target: av.container.OutputContainer, path: Path, drop: set[str]
) -> dict[int, Any]:
    """{index in the source: stream of the target} of all that is copied."""
    painted, others = widest(container, path), dict[int, Any]()
    for stream in container.streams:
        if stream.index == painted.index or stream.type in drop:
            continue
        name = stream.codec_context.name if stream.codec_context is not None else None
        if name is None and stream.type == "data" and stream.metadata.get("timecode"):
            continue  # a clock that the container writes itself, from its metadata
        if name is None or name not in target.supported_codecs:
            raise SettingsError(
                f"{target.format.name} cannot hold stream {stream.index} of {path} ({stream.type}, "
                f"{name or 'unknown'}); leave it out with --drop {stream.type}, or write .mkv."
            )
        copy = target.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        others[stream.index] = copy
    return others


def _frames_of(pieces: Sequence[Piece], stream: Any, encoding: Encoding, start: Fraction) -> Iterator[Any]:
    """The packets of the pictures, one after another, with their times and durations."""
    import av

    begin = round(start / encoding.time_base)
    for piece in pieces:
        with av.open(str(piece.path)) as container:
            packets = (packet for packet in container.demux(container.streams.video[0]) if packet.size)
            for packet, time, duration in zip(packets, piece.times, piece.durations, strict=True):
                packet.stream = stream
                packet.time_base = encoding.time_base
                packet.pts = packet.dts = time - begin
                packet.duration = duration
                yield packet


def _packets_of(
    container: av.container.InputContainer, others: dict[int, Any], span: tuple[Fraction, Fraction | None]
) -> Iterator[Any]:
    """The packets of the copied streams that lie within the span."""
    if not others:
        return
    start, stop = span
    for packet in container.demux([container.streams[index] for index in others]):
        if packet.dts is None or packet.time_base is None:
            continue
        time = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
        if (start and time < start) or (stop is not None and time >= stop):
            continue
        begin = round(start / packet.time_base)
        packet.stream = others[packet.stream_index]
        packet.dts -= begin
        if packet.pts is not None:
            packet.pts -= begin
        yield packet


def _mux_in_order(
    target: av.container.OutputContainer, frames: Iterator[Any], others: Iterator[Any], tick: Fraction
) -> None:
    """Write both, whichever comes first."""

    def timed(packets: Iterator[Any], number: int) -> Iterator[tuple[Fraction, int, int, Any]]:
        for at, packet in enumerate(packets):
            yield packet.dts * (packet.time_base or tick), number, at, packet

    for *_, packet in heapq.merge(timed(frames, 0), timed(others, 1)):
        target.mux(packet)


def _keep_chapters(
    container: av.container.InputContainer,
    target: av.container.OutputContainer,
    span: tuple[Fraction, Fraction | None],
) -> None:
    chapters: list[Any] = []
    for chapter in container.chapters():
        tick, (start, stop) = chapter["time_base"] or Fraction(1, 1000), span
        begin, end = chapter["start"] * tick, chapter["end"] * tick
        if end <= start or (stop is not None and begin >= stop):
            continue
        moved = {name: round((max(time, start) - start) / tick) for name, time in (("start", begin), ("end", end))}
        chapters.append({**chapter, **moved})
    if chapters:
        target.set_chapters(chapters)
