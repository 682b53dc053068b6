"""A camera that is painted and shown; a film stands in for the device."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from impasto.brief import of_painting
from impasto.errors import CameraError
from impasto.media.camera import Camera
from impasto.media.video import VideoFilm
from impasto.recipes.live import Controls, live
from impasto.serving.camera import Board, serve

from clips import clip, moving
from door import run
from runs import PATIENCE


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return clip(tmp_path / "film.mp4", moving(10, 96, 128), rate=100)


def test_only_the_newest_frame_is_looked_at(film: Path) -> None:
    with Camera(film) as camera:
        first = camera.newest()
        assert first.pixels.shape == (1, 3, 96, 128)
        missed = camera.newest(first.number + 10)
        later = camera.newest(first.number)
        assert later.number >= missed.number > first.number + 10
        assert later.time > first.time
        assert camera.newest(later.number).number > later.number


def test_a_camera_that_is_not_there_or_is_unplugged(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraError, match="There is no camera 77"):
        Camera(77)
    with Camera(film) as camera:
        camera.newest()
        camera._pace = 0
        with pytest.raises(CameraError, match="still plugged in"):
            _look_on(camera)
    assert run("camera", "looks:swirls", "--camera", "77", "--port", 0) == 2
    assert "There is no camera 77" in capsys.readouterr().err


def test_styles_change_while_it_runs(film: Path) -> None:
    names = ["looks:swirls", "looks:mosaic"]
    controls = Controls([of_painting([name], None, {"size": 128}) for name in names], names)
    seen = {}
    with Camera(film) as camera:
        for count, frame in enumerate(live(camera, controls, 0.8)):
            seen[count] = frame.picture.pixels
            if count == 1:
                controls.chosen += 1
            if count == 3:
                break
    assert controls.name == "looks:mosaic"
    assert frame.rate > 0
    assert frame.latency > 0
    assert (seen[3].mean((2, 3)) - seen[1].mean((2, 3))).abs().max() > 0.02


def test_the_page_is_for_this_machine_alone() -> None:
    board, acts = Board(), list[tuple[str, str]]()
    server = serve(board, lambda name, value: acts.append((name, value)), 0)
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"

        def ask(path: str, method: str = "GET", **headers: str) -> int:
            request = urllib.request.Request(address + path, method=method, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        assert server.server_address[0] == "127.0.0.1"
        assert ask("/") == 200
        assert ask("/", Host="evil.example") == 403
        assert ask("/elsewhere") == 404
        assert ask("/next", "POST") == 204
        assert ask("/strength/0.5", "POST", Origin=address) == 204
        assert ask("/next", "POST", Origin="http://evil.example") == 403
        assert acts == [("next", ""), ("strength", "0.5")]
        threading.Timer(0.2, board.put, (b"JPEG", {"style": "a"})).start()
        with urllib.request.urlopen(address + "/stream", timeout=60) as stream:
            assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            assert stream.readline() == b"--frame\r\n"
            board.end()
        with urllib.request.urlopen(address + "/state", timeout=60) as state:
            assert json.load(state) == {"style": "a"}
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_shown_is_recorded_until_ctrl_c(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    command = ["camera", "looks:swirls", "--camera", film, "--size", 96, "--port", 0, "--record", output]
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", *map(str, command)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with urllib.request.urlopen(address + "/state", timeout=60) as state:
            if json.load(state).get("rate"):
                break
        time.sleep(0.05)
    urllib.request.urlopen(urllib.request.Request(address + "/save", method="POST"), timeout=60).close()
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "in a second" in told
    assert len([*VideoFilm.open(output).frames()]) > 1
    assert (tmp_path / "camera_001.png").is_file()
    assert run("camera", "looks:swirls", "--camera", film, "--record", output, "--port", 0) == 2
    assert run("camera", "looks:swirls", "--camera", film, "--record", tmp_path / "out.txt", "--port", 0) == 2


def _look_on(camera: Camera) -> None:
    """Wait for frame after frame."""
    number = -1
    while True:
        number = camera.newest(number).number
