"""A camera, of which only the newest frame is ever looked at."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.errors import CameraError, SettingsError

_FIRST_FRAME = 1  # cv2.CAP_PROP_POS_FRAMES
_PATIENCE = 5.0  # seconds without a frame after which a camera counts as gone


@dataclass(frozen=True)
class Shot:
    """A frame (1, 3, H, W) in [0, 1], its number, and when it came, in seconds of `time.monotonic`."""

    pixels: Tensor
    number: int
    time: float


class Camera:
    """Reads a camera in a thread of its own, so that nothing waits in a queue.

    Args:
        source: the number of a camera, or a film that is played in its place, at its own pace, again and again.
        size: (height, width) to ask the camera for.

    Raises:
        CameraError: there is none.
        SettingsError: an extra is missing.
    """

    def __init__(self, source: int | Path = 0, size: tuple[int, int] = (480, 640)) -> None:
        try:
            import cv2
        except ImportError as error:
            raise SettingsError("Cameras need an extra; install it with: pip install 'impasto[film]'.") from error

        self._capture: Any = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        if not self._capture.isOpened():
            what = f"There is no camera {source}" if isinstance(source, int) else f"{source} cannot be played"
            raise CameraError(f"{what}; give another with --camera.")
        self._pace = 0.0
        if isinstance(source, int):
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        else:
            self._pace = 1 / min(240.0, max(1.0, self._capture.get(cv2.CAP_PROP_FPS) or 25.0))
        self._news = threading.Condition()
        self._newest: tuple[np.ndarray[Any, Any], int, float] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True, name="camera")
        self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the camera."""
        with self._news:
            self._ended = True
        self._thread.join(timeout=_PATIENCE)
        self._capture.release()

    def newest(self, after: int = -1) -> Shot:
        """The newest frame, waiting for one that comes after number `after`.

        Raises:
            CameraError: the camera is gone.
        """
        with self._news:
            there = self._news.wait_for(
                lambda: self._ended or (self._newest is not None and self._newest[1] > after), timeout=_PATIENCE
            )
            newest = self._newest
        if not there or newest is None or newest[1] <= after:
            raise CameraError("No frame came from the camera any more; is it still plugged in?")
        pixels, number, seen = newest
        values = torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1]))
        return Shot(values.permute(2, 0, 1)[None].float().div_(255), number, seen)

    def _read(self) -> None:
        number, due = 0, time.monotonic()
        while not self._ended:
            good, pixels = self._capture.read()
            if not good and self._pace:
                self._capture.set(_FIRST_FRAME, 0)
                good, pixels = self._capture.read()
            with self._news:
                if good:
                    self._newest = (pixels, number, time.monotonic())
                else:
                    self._ended = True
                self._news.notify_all()
            number += 1
            if self._pace:
                due += self._pace
                time.sleep(max(0.0, due - time.monotonic()))
