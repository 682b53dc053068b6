"""Films painted."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.brief import Brief, Region, of_painting
from impasto.controls.sharpness import sharpened, sharpness_of
from impasto.errors import SettingsError, TooLargeError, WeightsError
from impasto.media.film import Frame
from impasto.media.image import Picture, read
from impasto.media.video import VideoFilm
from impasto.metrics.film import steadiness
from impasto.provenance import Record
from impasto.recipes.film import PIECE, FilmOptions, FilmWork
from impasto.recipes.frames import FramePainter
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures
from impasto.recipes.strength import Draft

from clips import clip, moving, packets
from door import run
from runs import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return clip(tmp_path / "film.mp4", moving(10, cut=6), sound=True)


def grainy(count: int) -> list[np.ndarray[Any, Any]]:
    """Frames of a view with fine detail that moves by a pixel."""
    fine = torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(1))
    view = torch.nn.functional.interpolate(fine, size=(96, 128 + count), mode="bicubic").clamp(0, 1)
    pixels = (view[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return [pixels[:, number : number + 128] for number in range(count)]


def frames_of(pixels: list[np.ndarray[Any, Any]]) -> list[Frame]:
    pictures = [Picture(torch.from_numpy(own.copy()).permute(2, 0, 1)[None].float() / 255) for own in pixels]
    return [Frame(own, Fraction(number, 25), Fraction(1, 25)) for number, own in enumerate(pictures)]


@pytest.mark.once_in("float32")
@pytest.mark.parametrize("way", [{"engine": "instant"}, {"engine": "optimize", "steps": (3,)}])
def test_steadied_frames_boil_less_and_stay_sharp(style: Path, way: dict[str, Any]) -> None:
    frames = frames_of(grainy(5))
    own = {name: value for name, value in way.items() if name != "engine"}
    brief = of_painting([str(style)], way["engine"], {"size": "max", **own})
    results = []
    for steady in (0.0, 0.95):
        painted = [*FramePainter(brief, steady=steady).paint(frames)]
        assert [frame.cut for frame in painted] == [True, False, False, False, False]
        pairs = [(frame.frame.picture.pixels, frame.picture.pixels) for frame in painted]
        results.append((steadiness(pairs), pairs))
    (loose, alone), (firm, together) = results
    assert firm["near"] < 0.6 * loose["near"]
    assert 0.9 < firm["sharpness"] / loose["sharpness"] < 1.15
    assert torch.equal(alone[0][1], together[0][1])


def test_sharpening_reaches_a_sharpness_and_no_more() -> None:
    sharp = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(2)) * 0.5 + 0.25
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    everywhere = torch.ones(1, 1, 40, 50)
    wanted = 2 * sharpness_of(soft)
    assert abs(sharpness_of(sharpened(soft, wanted, everywhere)) / wanted - 1) < 0.02
    assert torch.equal(sharpened(sharp, sharpness_of(soft), everywhere), sharp)
    assert torch.equal(sharpened(soft, wanted, 0 * everywhere), soft)


@pytest.mark.once_in("float32")
def test_a_cut_begins_anew_and_masks_follow_the_picture(style: Path, tmp_path: Path) -> None:
    frames = frames_of(grainy(4))
    mask = np.zeros((96, 128), np.uint8)
    mask[:, 64:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    regions = [{"styles": [str(style)], "mask": str(tmp_path / "mask.png")}]
    brief = Brief(regions=regions, engine="instant", settings={"size": "max"})
    painted = [*FramePainter(brief).paint(frames)]
    for number, result in enumerate(painted):
        edge = 64 - number
        photo, pixels = result.frame.picture.pixels, result.picture.pixels
        assert (pixels - photo)[..., : edge - 4].abs().max() < 1e-6
        assert (pixels - photo)[..., edge + 4 :].abs().mean() > 0.03
    cut = frames_of([*grainy(2), *moving(2, 96, 128, cut=0)])
    assert [result.cut for result in FramePainter(brief).paint(cut)] == [True, False, True, False]


@pytest.mark.once_in("float32")
def test_a_mask_may_be_a_film_and_may_be_empty_for_a_while(style: Path, tmp_path: Path) -> None:
    halves = [np.zeros((48, 64, 3), np.uint8) for _ in range(6)]
    for number in (2, 3, 4, 5):
        halves[number][:, 32 * (number > 3) : 32 + 32 * (number > 3)] = 255
    film, mask = clip(tmp_path / "film.mp4", moving(8)), clip(tmp_path / "mask.mp4", halves)
    regions = [{"styles": [str(style)], "mask": str(mask)}]
    brief = Brief(regions=regions, engine="instant", settings={"size": "max"})

    def changed(start: int) -> list[tuple[bool, bool]]:
        frames = VideoFilm.open(film).frames(Fraction(start, 25))
        differences = [
            (result.picture.pixels - result.frame.picture.pixels).abs() for result in FramePainter(brief).paint(frames)
        ]
        return [(bool(own[..., :24].mean() > 0.03), bool(own[..., 40:].mean() > 0.03)) for own in differences]

    shown = [(False, False)] * 2 + [(True, False)] * 2 + [(False, True)] * 4
    assert changed(0) == shown
    assert changed(3) == shown[3:]
    away = Brief(keep="face", regions=[{"styles": [str(style)]}], engine="instant", settings={"size": "max"})
    assert [*FramePainter(away).paint(VideoFilm.open(film).frames())]


def test_a_film_keeps_its_times_and_its_sound(film: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    assert run("film", film, style, "-o", output) == 0
    assert [data for data, _, _ in packets(film, "audio")] == [data for data, _, _ in packets(output, "audio")]
    assert [t for _, t, _ in packets(film, "video")] == [t for _, t, _ in packets(output, "video")]
    painted, photos = [*VideoFilm.open(output).frames()], [*VideoFilm.open(film).frames()]
    assert all((a.picture.pixels - b.picture.pixels).abs().mean() > 0.03 for a, b in zip(painted, photos))
    assert not (tmp_path / "out.mp4.unfinished").exists()
    assert run("film", film, style, "-o", output) == 2
    assert run("film", film, "looks:swirls", "--from", "0.08", "--to", "0:00.2", "-o", tmp_path / "part.mp4") == 0
    part = [*VideoFilm.open(tmp_path / "part.mp4").frames()]
    assert [frame.time for frame in part] == [0, Fraction(1, 25), Fraction(2, 25)]
    assert abs(part[0].picture.pixels.mean() - painted[2].picture.pixels.mean()) < 0.3


def test_every_kind_of_film(film: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("out.gif", "out.webp", "out.png", "out.mkv", "frames/f_%03d.png"):
        assert run("film", film, "looks:mosaic", "--size", 64, "-o", tmp_path / name, "--to", "0.2", "--force") == 0
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [f"f_{n:03}.png" for n in range(1, 6)]
    with Image.open(tmp_path / "out.gif") as gif:
        assert (gif.n_frames, gif.size) == (5, (64, 48))  # type: ignore[attr-defined]
    assert run("film", tmp_path / "frames", "looks:mosaic", "-o", tmp_path / "frames" / "f_%03d.png", "--force") == 2
    assert run("film", film, "looks:mosaic", "-o", tmp_path / "frames" / "f_%03d.png") == 2
    assert run("film", film, "looks:mosaic", "-o", tmp_path / "frames" / "f_%s.png") == 2
    assert run("film", tmp_path / "frames", "looks:mosaic", "-o", tmp_path / "again.mp4") == 0
    assert len([*VideoFilm.open(tmp_path / "again.mp4").frames()]) == 5
    assert run("film", film, "looks:mosaic", "--preview", "0.2", "--size", 64, "-o", tmp_path / "one.png") == 0
    assert run("film", tmp_path / "out.gif", "looks:mosaic", "-o", tmp_path / "gif.mp4") == 0


def test_no_numbered_picture_that_is_there_is_replaced(film: Path, style: Path, tmp_path: Path, capsys: Any) -> None:
    mine, output = tmp_path / "f_0003.png", tmp_path / "f_%04d.png"
    mine.write_bytes(style.read_bytes())
    assert run("film", film, "looks:mosaic", "--size", 64, "-o", output) == 2
    assert "f_0003.png exists" in capsys.readouterr().err
    assert run("film", film, mine, "--engine", "instant", "--size", 64, "-o", output, "--force") == 2
    assert "one of the inputs" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("f_*")] == ["f_0003.png"]
    assert mine.read_bytes() == style.read_bytes()


def test_a_film_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    film = clip(tmp_path / "long.mp4", moving(3 * PIECE + 9), sound=True)
    whole, killed = tmp_path / "whole.mp4", tmp_path / "killed.mp4"
    command = ["film", film, "looks:swirls", "-o"]
    assert run(*command, whole) == 0
    plan = tmp_path / "killed.mp4.unfinished" / "plan.json"
    moments = random.Random(3)
    for longest in (0.3, 2.5, 2.5, 2.5, 2.5):
        going_on = ["--resume"] if plan.is_file() else []
        process = subprocess.Popen([sys.executable, "-m", "impasto", *map(str, [*command, killed, *going_on])])
        wait_until(plan.is_file)
        time.sleep(moments.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if killed.exists():  # a fast machine has painted all of it by now
            break
        assert run(*command, killed, "--steady", 0.5, "--resume") == 2
        assert run(*command, killed) == 2
    else:
        assert run(*command, killed, "--resume") == 0
    assert going_on
    assert whole.read_bytes() == killed.read_bytes()


def test_a_film_that_is_broken_off_can_be_played(tmp_path: Path) -> None:
    film = clip(tmp_path / "long.mp4", moving(PIECE + 20), sound=True)
    brief = of_painting(["looks:swirls"], None, {"size": "max"})
    job = FilmWork(film, brief, tmp_path / "out.mp4", FilmOptions())
    job.check(force=False, resume=False)
    steps = job.steps()
    for step in steps:
        if step.frames == PIECE + 5:
            break
    steps.close()  # type: ignore[attr-defined]
    assert job.write() == PIECE + 5
    assert len([*VideoFilm.open(tmp_path / "out.mp4").frames()]) == PIECE + 5
    sound = packets(tmp_path / "out.mp4", "audio")
    assert sound[-1][1] <= Fraction(PIECE + 5, 25)
    last = [step.frames for step in job.steps(resume=True)]
    assert last[0] == PIECE + 1
    assert job.write() == PIECE + 20


def test_films_are_measured_side_by_side(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for steady in (0, 0.95):
        assert run("film", film, "looks:mosaic", "--steady", steady, "-o", tmp_path / f"{steady}.mp4") == 0
    how = ["evaluate", "--film", film, "--report", tmp_path / "report"]
    assert run(*how, "--results", f"loose={tmp_path}/0.mp4", "--results", f"firm={tmp_path}/0.95.mp4") == 0
    still, loose, firm = json.loads((tmp_path / "report" / "films.json").read_text())
    assert still["content"] < 1e-6 < firm["content"]
    assert still["near"] < firm["near"] < loose["near"]
    assert (tmp_path / "report" / "index.html").read_text().count("<video") == 3
    assert (tmp_path / "report" / "2.mp4").is_file()
    assert not {"ghosting", "style"} & set(still)
    flows = tmp_path / "flows"
    flows.mkdir()
    for number in range(9):
        cv2.writeOpticalFlow(str(flows / f"{number:03}.flo"), np.full((48, 64, 2), (1, 0), np.float32))
    more = ["--results", f"firm={tmp_path}/0.95.mp4", "--fresh", "firm", "--styles", EXAMPLES / "styles/mosaic.jpg"]
    assert run(*how, *more, "--flow", flows) == 0
    told, own = json.loads((tmp_path / "report" / "films.json").read_text())
    assert told["style"] > own["style"]
    assert (own["ghosting"], own["sharpness"]) == (0, 1)
    assert own["near"] != firm["near"]
    (flows / "000.flo").write_bytes(b"PIEH")
    assert run(*how, *more, "--flow", flows) == 2
    assert run(*how, "--results", "firm=a.mp4", "--fresh", "none") == 2
    short = clip(tmp_path / "short.mp4", moving(3))
    assert run(*how, "--results", f"short={short}") == 2
    assert "has not as many frames" in capsys.readouterr().err
    assert run(*how, "--results", "short") == 2


def test_what_the_door_refuses(film: Path, style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("#EXTM3U\n")
    for arguments, told in (
        ([tmp_path / "text.mp4", style, "-o", tmp_path / "o.mp4"], "is a text, no film"),
        ([tmp_path / "none.mp4", style, "-o", tmp_path / "o.mp4"], "There is no film"),
        ([film, style, "-o", tmp_path / "o.txt"], "Expected a film to write"),
        ([film, style, "-o", film, "--force"], "one of the inputs"),
        ([film, style, "-o", tmp_path / "o.webm"], "--drop audio"),
        ([film, style, "-o", tmp_path / "o.mp4", "--from", "x"], "Expected a time like 12.5"),
        ([film, style, "-o", tmp_path / "o.mp4", "--steady", 2], "--steady from 0 to 1"),
        ([film, style, "-o", tmp_path / "o.mp4", "--codec", "h246"], "no codec called 'h246'"),
        ([film, style, "-o", tmp_path / "o.gif", "--codec", "h264"], "leave them out"),
        ([film, style, "-o", tmp_path / "o_%03d.png", "--drop", "audio"], "leave them out"),
        ([film, style, "-o", tmp_path / "o.mp4", "--resume"], "no unfinished film"),
        ([film, style, "-o", tmp_path / "o.mp4", "--from", "9"], "no frame between those times"),
    ):  # fmt: skip
        assert run("film", *arguments) == 2
        assert told in capsys.readouterr().err
        assert not (tmp_path / "o.mp4").exists()


def test_from_python(film: Path, style: Path) -> None:
    frames = [*impasto.film(film, style, size=64, stop=0.16)]
    assert [frame.frame.time for frame in frames] == [Fraction(number, 25) for number in range(4)]
    assert frames[0].picture.size == (48, 64)
    still = impasto.stylize(Picture(read_first(film)), style, engine="instant", size=64)
    assert (frames[0].picture.pixels - still.pixels).abs().max() < 1e-5

    with pytest.raises(SettingsError, match="A preset steers"):
        impasto.film(film, style, engine="instant", preset="draft")
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        impasto.film(film, style, engine="optimize", weights=Path("none.safetensors"))


def read_first(film: Path) -> torch.Tensor:
    return next(VideoFilm.open(film).frames()).picture.pixels


def test_a_region_that_is_gone_for_a_frame_leaves_the_others_their_style(style: Path, save: Any) -> None:
    other, photo = save("other.png", 60, 80, 7), Picture(torch.rand(1, 3, 48, 64))
    regions = [Region(mask="left", styles=[str(style)]), Region(mask="right", styles=[str(other)])]
    brief = Brief(engine="optimize", regions=regions, settings={"size": 64, "steps": (2,), "start": "content"})
    half, none = torch.zeros(2, 1, 3, 48, 64)
    half[..., :32] = 1

    def after(*lefts: torch.Tensor) -> torch.Tensor:
        given = {"left": Picture(half), "right": Picture(1 - half)}
        method = open_brief(brief, Pictures(given))
        masks = [{"left": Picture(left), "right": Picture(1 - half)} for left in lefts]
        *_, last = (painted(method.with_masks(own).on(photo)) for own in masks)
        return last.pixels

    assert torch.equal(after(half, none), after(none))


@pytest.mark.parametrize("engine", ["instant", "optimize"])
def test_frames_that_memory_does_not_hold_are_refused_and_not_shrunk(style: Path, engine: str) -> None:
    brief = of_painting([str(style)], engine, {"size": "max", "memory": "480MB"})
    with pytest.raises(TooLargeError, match="1920x1080"):
        FramePainter(brief).paint_next(Frame(Picture(torch.rand(1, 3, 1080, 1920)), Fraction(0), Fraction(1)), None)


def test_a_painting_in_the_photo_s_colours_follows_each_photo(save: Any, style: Path) -> None:
    first, second = (Picture(read(save(f"{seed}.png", 64, 80, seed)).pixels) for seed in (1, 8))
    brief = of_painting([str(style)], "optimize", {"size": 80, "steps": (2,), "start": "content", "color": "content"})
    method = open_brief(brief)
    painted(method.on(first))
    assert torch.equal(painted(method.on(second)).pixels, painted(open_brief(brief).on(second)).pixels)


def test_a_strength_that_is_chosen_is_chosen_once(film: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[float] = []

    def drafts(*_: object) -> Iterator[Draft]:
        chosen.append(0.4 + 0.1 * len(chosen))
        yield Draft(chosen[-1], 0.3)

    monkeypatch.setattr("impasto.recipes.strength.drafts", drafts)
    frames = [*impasto.film(film, style, size=64, stop=0.12, strength="auto")]
    strengths = {Record.from_xmp(frame.picture.metadata or b"").brief["settings"]["strength"] for frame in frames}
    assert (len(frames), strengths, chosen) == (3, {0.4}, [0.4])
