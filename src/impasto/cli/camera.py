"""`impasto camera`: a camera in the manner of a painting, while it moves."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from impasto.cli.interrupt import stop_between_steps
from impasto.cli.options import FILES, WORK
from impasto.cli.recording import Recording
from impasto.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from impasto.media.encoding import PieceWriter
    from impasto.media.image import Picture
    from impasto.recipes.live import Controls, LiveFrame

CAMERA = Group("Camera", sort_key=2)
_JPEG_QUALITY = 85
_SHOWN = Fraction(1, 25)


@dataclass(frozen=True)
class CameraOptions:
    """What is seen and how it is shown.

    Args:
        camera: The number of the camera, or a film that is played in its place.
        size: Long side of the picture in pixels: smaller is faster.
        steady: From 0, each frame on its own, to 1, as steady as can be.
        runtime: torch, onnxruntime, or openvino, which is several times as fast on a CPU.
        adapt: Steps in which the instant network adapts to a painting before it paints like it: 20 take seconds.
        port: Where the page is served, on this machine alone.
        virtual: Also show it as a camera that other programs can choose.
    """

    camera: Annotated[str, Parameter(group=CAMERA)] = "0"
    size: Annotated[int, Parameter(group=CAMERA)] = 480
    steady: Annotated[float, Parameter(group=CAMERA)] = 0.8
    runtime: Annotated[str, Parameter(group=CAMERA)] = "torch"
    adapt: Annotated[int, Parameter(group=CAMERA)] = 0
    port: Annotated[int, Parameter(group=CAMERA)] = 8788
    virtual: Annotated[bool, Parameter(group=CAMERA, negative="")] = False


@dataclass
class _Show:
    """What becomes of the frames: the page, a file, another camera."""

    controls: Controls
    board: Any
    folder: Path = field(default_factory=Path)
    writer: PieceWriter | None = None
    virtual: Any = None
    began: float = 0.0
    picture: Picture | None = None
    note: str = ""

    def see(self, frame: LiveFrame) -> None:
        """The next frame."""
        import cv2

        self.picture = frame.picture
        pixels = frame.picture.pixels[0].mul(255).round().byte().permute(1, 2, 0).numpy()
        _, jpeg = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        told = {"style": self.controls.name, "rate": frame.rate, "latency": frame.latency, "note": self.note}
        self.board.put(jpeg.tobytes(), told)
        self.began = self.began or frame.time
        if self.writer:
            self.writer.write(frame.picture.pixels, Fraction(frame.time - self.began), _SHOWN)
        if self.virtual:
            self.virtual.send(pixels)

    def act(self, name: str, value: str) -> None:
        """What was pressed on the page."""
        if name == "next":
            self.controls.chosen += 1
        elif name == "strength":
            self.controls.strength = min(1.0, max(0.0, float(value)))
        elif self.picture is not None:
            self._save(self.picture)

    def _save(self, picture: Picture) -> None:
        from impasto.media.writing import write

        number = 1
        while (path := self.folder / f"camera_{number:03}.png").exists():
            number += 1
        try:
            write(picture, path)
            self.note = f"saved {path.name}"
        except OutputError as error:
            self.note = str(error)


def camera(
    *styles: Annotated[str, Parameter(group=FILES)],
    how: Annotated[CameraOptions, Parameter(name="*")] = CameraOptions(),
    record: Annotated[Path | None, Parameter(group=WORK)] = None,
    force: Annotated[bool, Parameter(group=FILES, negative="")] = False,
    frames: Annotated[int, Parameter(group=WORK)] = 0,
) -> None:
    """Paint a camera while it moves, and show it on a page of this machine: N is the next style, S saves a picture.

    Only the newest frame is ever painted, so that nothing lags behind.

    Examples:

    - `impasto camera looks:swirls`
    - `impasto camera looks:swirls looks:mosaic starry.jpg --runtime openvino --size 320`
    - `impasto camera looks:swirls --record out.mp4`

    Args:
        styles: Trained painters, which are fast, or paintings; several to change between; by default all of looks.
        record: A film to write besides: .mp4 .mov .mkv.
        force: Replace a film that exists.
        frames: Stop after so many; 0: go on until Ctrl-C.
    """
    if not 0 <= how.steady <= 1:
        raise SettingsError(f"Expected --steady from 0 to 1, not {how.steady:g}.")
    _check_record(record, force=force)
    _run(_controls(list(styles) or _all_looks(), how), how, record, frames)


def _controls(names: list[str], how: CameraOptions) -> Controls:
    """What can be chosen between; the first is opened, so that what is wrong is told before the camera is."""
    from impasto.brief import of_painting
    from impasto.recipes.live import Controls
    from impasto.recipes.painting import open_brief

    settings = {"size": how.size, "runtime": how.runtime}
    adapting = {**settings, "adapt": how.adapt}
    learned = [_learned(name) for name in names]
    briefs = [
        of_painting([name], None if known else "instant", settings if known and not all(learned) else adapting)
        for name, known in zip(names, learned)
    ]
    open_brief(briefs[0])
    return Controls(briefs, names)


def _run(controls: Controls, how: CameraOptions, record: Path | None, frames: int) -> None:
    """Paint and show, until Ctrl-C or so many frames."""
    from impasto.media.camera import Camera
    from impasto.recipes.live import live
    from impasto.serving.camera import Board

    source = int(how.camera) if how.camera.isdecimal() else Path(how.camera)
    show, recording = _Show(controls, Board()), Recording(record) if record else None
    with ExitStack() as stack:
        seen = stack.enter_context(Camera(source, (how.size * 3 // 4, how.size)))
        _open_page(show, how.port, stack, look=not frames)
        with stop_between_steps("this frame") as interrupt:
            try:
                for count, frame in enumerate(live(seen, controls, how.steady), 1):
                    if count == 1:
                        show.writer = recording.begin(frame.picture, stack) if recording else None
                        show.virtual = _virtual(frame.picture, stack) if how.virtual else None
                    show.see(frame)
                    if interrupt.requested or count == frames:
                        break
            finally:
                if recording and show.writer:
                    interrupt.writing = True
                    recording.end()
                    print(record)
    print(f"{count} frames, {frame.rate:.1f} in a second, {1000 * frame.latency:.0f} ms behind the camera")


def _open_page(show: _Show, port: int, stack: ExitStack, *, look: bool) -> None:
    """Serve the page until `stack` ends, and open it where somebody may look."""
    from impasto.serving.camera import LOCAL, serve

    try:
        server = serve(show.board, show.act, port)
    except OSError as error:
        raise SettingsError(f"Port {port} is taken ({error.strerror}); give another --port.") from error
    for end in (server.server_close, server.shutdown, show.board.end):
        stack.callback(end)
    address = f"http://{LOCAL}:{server.server_address[1]}"
    print(f"{address}  (Ctrl-C ends it)", flush=True)
    if look and sys.stdout.isatty():
        with suppress(webbrowser.Error):
            webbrowser.open(address)


def _check_record(record: Path | None, *, force: bool) -> None:
    from impasto.media.encoding import CONTAINERS
    from impasto.media.files import check_writable

    if record is None:
        return
    if record.suffix.lower() not in CONTAINERS:
        raise SettingsError(f"Expected a film to record ({' '.join(CONTAINERS)}); got {record}.")
    check_writable(record, force=force)


def _learned(name: str) -> bool:
    from impasto.shelf.engines import named_model

    return named_model(name)[0] is not None


def _all_looks() -> list[str]:
    from impasto.shelf.card import load_model
    from impasto.shelf.models import find

    return [f"looks:{name}" for name in load_model(find("looks"))[0].styles]


def _virtual(picture: Picture, stack: ExitStack) -> Any:
    """A camera for other programs.

    Raises:
        SettingsError: pyvirtualcam or what it needs of the system is missing.
    """
    try:
        import pyvirtualcam
    except ImportError as error:
        raise SettingsError("--virtual needs pyvirtualcam; install it with: pip install pyvirtualcam.") from error
    try:
        return stack.enter_context(pyvirtualcam.Camera(picture.size[1], picture.size[0], 25))
    except RuntimeError as error:
        raise SettingsError(f"There is no virtual camera here ({error}); on Linux, load v4l2loopback.") from error
