"""A film painted: frames read, painted and encoded at the same time, in pieces that outlive a crash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from impasto.brief import Brief
from impasto.errors import FilmError, ImpastoError, OutputError, RecordError, SettingsError
from impasto.media.animation import AnimatedFilm, write_animation
from impasto.media.encoding import CONTAINERS, Encoding, Piece, PieceWriter, piece_writer
from impasto.media.files import check_apart, check_writable, replacing
from impasto.media.film import ANIMATIONS, Film, Frame, ahead, open_film
from impasto.media.geometry import fit
from impasto.media.image import Picture
from impasto.media.joining import check_streams, join
from impasto.media.numbered import NumberedFilm, named_by, names_frames
from impasto.media.video import VideoFilm
from impasto.media.writing import write
from impasto.processes import in_background
from impasto.recipes.film_plan import Part, Plan
from impasto.recipes.frames import STEADY, FramePainter, PaintedFrame, Past
from impasto.recipes.pictures import Pictures, recorded
from impasto.weights.files import sha256

PIECE = 48
_TICK = Fraction(1, 1000)


@dataclass(frozen=True)
class FilmOptions:
    """What is painted of a film, how steady, and how it is written; times are in seconds from its beginning."""

    steady: float = STEADY
    start: Fraction = Fraction(0)
    stop: Fraction | None = None
    codec: str | None = None
    quality: int | None = None
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilmStep:
    """A frame that has been painted: the share of the film that is done, and how many are."""

    done: float
    frames: int
    painted: PaintedFrame


class Sink(Protocol):
    """Where the frames of a piece go."""

    def write(self, pixels: Picture, time: Fraction, duration: Fraction) -> None:
        """The next frame."""
        ...


@dataclass
class FilmWork:
    """A film, how it is to be painted, and where it goes: what is done lies in a folder beside the output.

    Raises:
        InputError: a film, picture or setting that cannot be used.
    """

    source: Path
    brief: Brief
    output: Path
    options: FilmOptions = field(default_factory=FilmOptions)
    pictures: Pictures = field(default_factory=Pictures)
    notes: list[str] = field(default_factory=list)
    held: int = 0

    @cached_property
    def film(self) -> Film:
        """The film that is painted."""
        return open_film(self.source)

    @property
    def folder(self) -> Path:
        """What is kept until the film is whole."""
        return self.output.with_name(self.output.name.rstrip("/") + ".unfinished")

    @property
    def numbered(self) -> bool:
        """Whether the output is a row of numbered pictures."""
        return "%" in self.output.name

    @property
    def encoded(self) -> bool:
        """Whether frames go into a stream, and not each into a picture."""
        return self.output.suffix.lower() in CONTAINERS and not self.numbered

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the painted frames."""
        size, own = self.brief.settings.size, self.film.size
        return fit(*own, max(own) if size == "max" else size)

    @property
    def written_size(self) -> tuple[int, int]:
        """(height, width) of the film as it is written: encoders want even sides."""
        return self.encoding.even if self.encoded else self.size

    @cached_property
    def encoding(self) -> Encoding:
        """How it is encoded; what works here instead of what was asked for is told in `notes`."""
        film, options = self.film, self.options
        codec = options.codec or ("vp9" if self.output.suffix.lower() == ".webm" else "h264")
        if isinstance(film, VideoFilm):
            asked = Encoding(
                self.size, film.time_base, film.rate, codec, options.quality, film.deep, film.aspect, film.colour
            )
        else:
            rate = Fraction(film.count / max(0.001, film.seconds)).limit_denominator(1000)
            asked = Encoding(self.size, _TICK, rate, codec, options.quality)
        usable, note = asked.tried()
        if note:
            self.notes.append(note)
        return usable

    def check(self, *, force: bool, resume: bool) -> None:
        """See to it that it can be written, before any work.

        Raises:
            InputError: a film that cannot be read, a container that cannot hold it, nothing to resume.
            OutputError: a file is an input, or is there, or cannot be written.
        """
        suffix = self.output.suffix.lower()
        if not self.numbered and suffix not in (*CONTAINERS, *ANIMATIONS):
            known = " ".join((*CONTAINERS, *ANIMATIONS))
            raise SettingsError(
                f"Expected a film to write ({known}), or pictures like frame_%04d.png; got {self.output}."
            )
        if self.numbered and not names_frames(self.output):
            raise SettingsError(f"Expected pictures like frame_%04d.png; got {self.output}.")
        options = self.options
        if not self.encoded and (options.codec or options.quality is not None or options.drop):
            raise SettingsError(
                f"A codec, its quality and streams to drop are for films; leave them out of {self.output}."
            )
        inputs = self.film.pictures if isinstance(self.film, NumberedFilm) else [self.source]
        outputs = (named_by(self.output) or [self.picture_path(0)]) if self.numbered else [self.output]
        check_apart(outputs, [*inputs, *self.brief.files()])
        check_writable(outputs[0], force=force or resume)
        if (self.folder / "plan.json").is_file() and not (force or resume):
            raise OutputError(
                f"{self.folder} holds an unfinished film; go on with --resume, or begin anew with --force."
            )
        if self.encoded:
            _ = self.encoding
        if self.encoded and isinstance(self.film, VideoFilm):
            check_streams(self.source, self.output, self.options.drop)
        if resume and not (self.folder / "plan.json").is_file():
            raise RecordError(f"There is no unfinished film {self.folder}; run without --resume.")

    def preview(self, at: Fraction) -> Picture:
        """The frame that is shown at a time, painted."""
        for frame in self.film.frames(at):
            return FramePainter(self.brief, self.pictures, 0).paint_next(frame, None).picture
        raise FilmError(f"{self.source} ends before {float(at):g} s.")

    def steps(self, *, resume: bool = False) -> Iterator[FilmStep]:
        """Paint what is not painted yet, frame by frame; leaving early keeps what is done.

        Raises:
            InputError: what is unfinished belongs to another film.
            OutputError: something cannot be written.
        """
        plan = Plan.open(self.folder, self._key, resume=resume)
        frames = ahead(lambda: self.film.frames(self.options.start, self.options.stop))
        try:
            self.held = plan.held
            painter = FramePainter(self.brief, self.pictures, self.options.steady)
            last = None
            for last in islice(frames, plan.frames):
                painter.settle(last.picture)
            past = plan.past(painter.sized(last.picture).pixels) if last else None
            yield from self._pieces(plan, painter, frames, past)
        except ImpastoError:
            if not plan.parts:
                self.clean()
            raise
        finally:
            frames.close()  # type: ignore[attr-defined]

    def _pieces(
        self, plan: Plan, painter: FramePainter, frames: Iterator[Frame], past: Past | None
    ) -> Iterator[FilmStep]:
        total = max(1, round(self.film.count * self._share))
        while (first := next(frames, None)) is not None:
            part = Part(number=len(plan.parts))
            try:
                with self._sink(part, plan.frames) as sink, in_background() as writing:
                    for result in painter.paint(islice(chain([first], frames), PIECE), past):
                        past = result.past
                        writing(partial(sink.write, result.picture, result.frame.time, result.frame.duration))
                        part.frames += 1
                        self.held += result.frame.held
                        count = plan.frames + part.frames
                        yield FilmStep(min(1.0, count / total), count, result)
            except (GeneratorExit, KeyboardInterrupt):
                plan.keep_partial(part)
                raise
            assert past is not None
            plan.add(part, past, self.held)
        if not plan.parts:
            raise FilmError(f"{self.source} has no frame between those times; give others.")
        plan.finish()

    @property
    def _share(self) -> float:
        """How much of the film is painted."""
        length = self.film.seconds
        stop = length if self.options.stop is None else min(length, float(self.options.stop))
        return max(0.0, stop - float(self.options.start)) / length if length else 1.0

    @contextmanager
    def _sink(self, part: Part, before: int) -> Iterator[Sink]:
        if self.encoded:
            part.piece = Piece(self.folder / f"{part.number:05}.nut")
            with piece_writer(part.piece.path, self.encoding) as writer:
                part.piece = writer.piece
                yield _Encoded(writer)
        else:
            yield _Pictures(self, part, before)

    def picture_path(self, number: int) -> Path:
        """Where the picture of a frame goes that is no part of a stream."""
        if self.numbered:
            return self.output.with_name(self.output.name % (number + 1))
        return self.folder / f"{number:07}.png"

    def write(self) -> int:
        """Join what is painted to a film that can be played; how many frames it has.

        Raises:
            OutputError: it cannot be written; what was painted is kept.
        """
        plan = Plan.open(self.folder, self._key, resume=True)
        parts = [*plan.parts, *plan.partial()]
        frames = sum(part.frames for part in parts)
        if self.numbered or not frames:
            return frames
        with replacing(self.output) as temporary:
            if self.encoded:
                last = parts[-1].piece
                assert last is not None
                end = (last.times[-1] + last.durations[-1]) * self.encoding.time_base
                span = (self.options.start, self.options.stop if plan.whole else end)
                source = self.film if isinstance(self.film, VideoFilm) else None
                pieces = [part.piece for part in parts if part.piece]
                join(pieces, self.encoding, temporary, source, span, self.options.drop, self._tags())
            else:
                durations = [duration for part in parts for duration in part.durations]
                loop = self.film.loop if isinstance(self.film, AnimatedFilm) else 0
                write_animation([self.picture_path(n) for n in range(frames)], durations, loop, temporary)
        return frames

    def clean(self) -> None:
        """Remove what was kept; the film is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def _key(self) -> dict[str, Any]:
        """What a film is made from: its brief, its source, and all options that change its bytes."""
        brief, sources = recorded(self.brief, self.pictures)
        content = (
            {"name": self.source.name, "sha256": sha256(self.source)} if self.source.is_file() else str(self.source)
        )
        return {
            "brief": brief.model_dump(mode="json", exclude={"output"}),
            "pictures": {name: source.model_dump() for name, source in sources.items()},
            "film": content,
            "options": {name: str(value) for name, value in self.options.__dict__.items()},
            "output": self.output.suffix,
        }

    def _tags(self) -> dict[str, str]:
        told = {name: value for name, value in self._key.items() if name != "output"}
        return {"comment": json.dumps({"impasto": version("impasto"), **told})}


@dataclass
class _Encoded:
    """Frames encoded to a piece."""

    writer: PieceWriter

    def write(self, pixels: Picture, time: Fraction, duration: Fraction) -> None:
        self.writer.write(pixels.pixels, time, duration)


@dataclass
class _Pictures:
    """Frames as pictures, each in a file."""

    work: FilmWork
    part: Part
    first: int

    def write(self, pixels: Picture, time: Fraction, duration: Fraction) -> None:
        write(pixels, self.work.picture_path(self.first + len(self.part.durations)), force=True)
        self.part.durations.append(duration)
