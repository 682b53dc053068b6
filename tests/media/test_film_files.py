"""Films in and out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import FilmError, OutputError, SettingsError, UnknownName
from impasto.media.animation import AnimatedFilm, delays, write_animation
from impasto.media.encoding import Encoding, Piece, piece_writer
from impasto.media.film import ahead, open_film
from impasto.media.joining import check_streams, join
from impasto.media.video import VideoFilm

from clips import clip, moving, packets

pytestmark = pytest.mark.once_in("float32")

TIMES = [0, 24, 60, 61, 150, 174]  # a variable rate, in 600ths of a second
WHOLE = (Fraction(0), None)


def copied(source: Path, output: Path, folder: Path, piece: int = 4, **changes: Any) -> None:
    """A film written again, unpainted, in pieces."""
    film = VideoFilm.open(source)
    how = Encoding(film.size, film.time_base, film.rate, deep=film.deep, aspect=film.aspect, colour=film.colour)
    encoding, _ = Encoding(**{**how.__dict__, **changes}).tried()
    frames, pieces = [*film.frames()], list[Piece]()
    for first in range(0, len(frames), piece):
        with piece_writer(folder / f"{first}.nut", encoding) as writer:
            for frame in frames[first : first + piece]:
                writer.write(frame.picture.pixels, frame.time, frame.duration)
        pieces.append(writer.piece)
    join(pieces, encoding, output, film, WHOLE)


@pytest.mark.parametrize("count", range(1, 10))
def test_pieces_of_any_number_of_frames_are_joined_whole(tmp_path: Path, count: int) -> None:
    source, output = clip(tmp_path / "a.mp4", moving(count)), tmp_path / "b.mp4"
    copied(source, output, tmp_path, piece=count)
    assert len([*VideoFilm.open(output).frames()]) == count


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_what_is_not_painted_is_copied_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    source = clip(tmp_path / "a.mp4", moving(6), TIMES, sound=True, aspect=Fraction(4, 3))
    output = tmp_path / f"b{suffix}"
    copied(source, output, tmp_path)
    assert [bytes for bytes, _, _ in packets(source, "audio")] == [bytes for bytes, _, _ in packets(output, "audio")]
    tick = Fraction(1, 1000) if suffix == ".mkv" else Fraction(1, 600)
    shown, again = packets(source, "video"), packets(output, "video")
    late = again[0][1] - shown[0][1]  # matroska has no times below 0, where the sound begins
    assert len(shown) == len(again)
    for (_, time, duration), (_, time_again, duration_again) in zip(shown, again):
        assert abs(time + late - time_again) <= tick
        assert abs(duration - duration_again) <= tick
    film = VideoFilm.open(output)
    assert (film.size, film.aspect) == ((48, 64), Fraction(4, 3))
    for before, after in zip(VideoFilm.open(source).frames(), film.frames()):
        assert (before.picture.pixels - after.picture.pixels).abs().mean() < 4 / 255


def test_ten_bits_stay_ten_bits_and_pictures_stand_upright(tmp_path: Path) -> None:
    deep = clip(tmp_path / "deep.mp4", moving(3), pix_fmt="yuv420p10le")
    copied(deep, tmp_path / "deep_out.mp4", tmp_path)
    with av.open(str(tmp_path / "deep_out.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
    turned = VideoFilm.open(clip(tmp_path / "turned.mp4", moving(3), rotation=90))
    assert turned.size == (64, 48)
    (first, *_) = turned.frames()
    assert first.picture.size == (64, 48)
    seen = first.picture.pixels[0].permute(1, 2, 0).numpy() * 255
    right, wrong = (np.abs(seen - np.rot90(moving(3)[0], turns)).mean() for turns in (1, 3))
    assert 5 * right < wrong


def test_all_codecs(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", moving(5))
    for codec, suffix in (("h265", ".mp4"), ("vp9", ".webm"), ("av1", ".mkv"), ("prores", ".mov"), ("ffv1", ".mkv")):
        copied(source, tmp_path / f"{codec}{suffix}", tmp_path, codec=codec, aspect=None)
        assert len([*VideoFilm.open(tmp_path / f"{codec}{suffix}").frames()]) == 5
    asked = Encoding((48, 64), Fraction(1, 600), Fraction(25), "h264_nvenc")
    usable, note = asked.tried()
    assert (usable.codec == "h264") == ("does not work here" in note)
    with pytest.raises(UnknownName, match="no codec called 'h246'"):
        Encoding((48, 64), Fraction(1, 600), Fraction(25), "h246").tried()


def test_odd_sides_lose_a_pixel(tmp_path: Path) -> None:
    encoding = Encoding((47, 65), Fraction(1, 25), Fraction(25))
    with piece_writer(tmp_path / "p.nut", encoding) as writer:
        writer.write(torch.rand(1, 3, 47, 65), Fraction(0), Fraction(1, 25))
    join([writer.piece], encoding, tmp_path / "odd.mp4", None, WHOLE)
    assert VideoFilm.open(tmp_path / "odd.mp4").size == (46, 64)


def test_a_container_that_cannot_hold_a_stream(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", moving(3), sound=True)
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:00,100\nhello\n")
    with (
        av.open(str(source)) as container,
        av.open(str(tmp_path / "a.srt")) as words,
        av.open(str(tmp_path / "both.mkv"), "w") as target,
    ):
        copies = [(origin, stream, target.add_stream_from_template(stream, opaque=True))
                  for origin in (container, words) for stream in origin.streams]  # fmt: skip
        for origin, stream, copy in copies:
            origin.seek(0)
            for packet in origin.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
    source = tmp_path / "both.mkv"
    with pytest.raises(SettingsError, match=r"webm cannot hold stream \d of .*\(audio, aac\); .*--drop audio"):
        check_streams(source, tmp_path / "b.webm", ())
    with pytest.raises(SettingsError, match=r"subtitle, srt"):
        check_streams(source, tmp_path / "b.webm", ["audio"])
    check_streams(source, tmp_path / "b.webm", ["audio", "subtitle"])
    check_streams(source, tmp_path / "b.mkv", ())
    with pytest.raises(SettingsError, match=r"mp4 cannot hold stream 2 .*--drop subtitle, or write \.mkv"):
        check_streams(source, tmp_path / "b.mp4", ())


def test_broken_frames_are_held(tmp_path: Path) -> None:
    whole = clip(tmp_path / "a.mp4", moving(12))
    with av.open(str(whole)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos]
    spoilt = bytearray(whole.read_bytes())
    spoilt[places[5] + 4 : places[6]] = bytes(places[6] - places[5] - 4)
    (tmp_path / "b.mp4").write_bytes(spoilt)
    frames = [*VideoFilm.open(tmp_path / "b.mp4").frames()]
    assert len(frames) == 12
    assert [frame.time for frame in frames] == [frame.time for frame in VideoFilm.open(whole).frames()]
    assert any(frame.held for frame in frames)


def test_what_is_no_film(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", moving(6), sound=True)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {source}\n")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "short.mp4").write_bytes(source.read_bytes()[:300])
    with av.open(str(source)) as container, av.open(str(tmp_path / "deaf.mp4"), "w") as target:
        heard = target.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(audio=0):
            if packet.dts is not None:
                packet.stream = heard
                target.mux(packet)
    for name, told in (("empty", "is empty"), ("list", "is a text, no film"), ("noise", "cannot be read"),
                       ("short", "cannot be read"), ("deaf", "has no pictures"), ("none", "no film")):  # fmt: skip
        with pytest.raises(FilmError, match=told):
            print(open_film(tmp_path / f"{name}.mp4").size)
    with pytest.raises(FilmError, match=r"high dynamic range \(PQ\)"):
        print(VideoFilm.open(clip(tmp_path / "hdr.mp4", moving(2), transfer=16)).size)


def test_an_animation_keeps_its_delays_loop_and_transparency(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.dstack([pixels, np.full((48, 64), 255, np.uint8)])) for pixels in moving(4)]
    for frame in frames:
        frame.paste((0, 0, 0, 0), (0, 0, 20, 48))
    waits = [30, 70, 40, 100]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=waits, loop=2, disposal=2)
    film = open_film(tmp_path / "a.gif")
    assert isinstance(film, AnimatedFilm)
    shown = [*film.frames()]
    paths = []
    for number, frame in enumerate(shown):
        assert frame.picture.alpha is not None
        assert float(frame.picture.alpha[..., :19].max()) == 0
        values = torch.cat([frame.picture.pixels, frame.picture.alpha], 1)[0].permute(1, 2, 0)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray((values * 255).round().to(torch.uint8).numpy()).save(paths[-1])
    for suffix in (".gif", ".webp", ".png"):
        write_animation(paths, [frame.duration for frame in shown], film.loop, tmp_path / f"b{suffix}")
        again = AnimatedFilm.open(tmp_path / f"b{suffix}")
        assert [int(frame.duration * 1000) for frame in again.frames()] == waits
        assert again.loop == 2
        (first, *_) = again.frames()
        assert first.picture.alpha is not None
        assert float(first.picture.alpha[..., :19].max()) == 0
        assert float(first.picture.alpha[..., 21:].min()) == 1
    assert delays([Fraction(1, 30)] * 30, 10) == [30, 40, 30] * 10
    with pytest.raises(OutputError, match="could not be written"):
        write_animation(paths, [Fraction(1, 10)] * 4, 0, tmp_path / "nowhere" / "b.gif")


def test_numbered_pictures_are_a_film(tmp_path: Path) -> None:
    for number, pixels in enumerate(moving(11)):
        Image.fromarray(pixels).save(tmp_path / f"f_{number}.png")
    (tmp_path / "f_5.png").write_bytes(b"\x89PNG broken")
    for path in (tmp_path, tmp_path / "f_%d.png"):
        frames = [*open_film(path).frames()]
        assert len(frames) == 11
        assert [frame.held for frame in frames].index(True) == 5
        assert torch.equal(frames[5].picture.pixels, frames[4].picture.pixels)
        assert frames[10].time == Fraction(10, 25)
    with pytest.raises(FilmError, match="no numbered pictures"):
        print(open_film(tmp_path / "g_%d.png").size)


def test_frames_are_decoded_ahead_and_errors_come_through(tmp_path: Path) -> None:
    film = VideoFilm.open(clip(tmp_path / "a.mp4", moving(9)))
    times = [frame.time for frame in ahead(lambda: film.frames(Fraction(2, 25), Fraction(6, 25)))]
    assert times == [Fraction(number, 25) for number in (2, 3, 4, 5)]
    with pytest.raises(FilmError, match="There is no film"):
        [*ahead(lambda: open_film(tmp_path / "none.mp4").frames())]
