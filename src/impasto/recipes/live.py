"""A camera painted while it moves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from impasto.brief import Brief
from impasto.media.camera import Camera
from impasto.media.film import Frame
from impasto.media.image import Picture
from impasto.recipes.frames import FramePainter, Past

_SEEN = 30
_MOTION_SHARE = 0.5  # 320x240 with OpenVINO: 10.5 frames a second at the whole size


@dataclass
class Controls:
    """What may be changed while it runs: which of the briefs paints, and its strength."""

    briefs: Sequence[Brief]
    names: Sequence[str]
    chosen: int = 0
    strength: float = 1.0

    @property
    def brief(self) -> Brief:
        """What paints now."""
        brief = self.briefs[self.chosen % len(self.briefs)]
        return brief.model_copy(update={"settings": brief.settings.model_copy(update={"strength": self.strength})})

    @property
    def name(self) -> str:
        """What it is called."""
        return self.names[self.chosen % len(self.names)]


@dataclass(frozen=True)
class LiveFrame:
    """A painted frame: frames in a second, and seconds from the camera to here, over the last ones."""

    picture: Picture
    time: float
    rate: float
    latency: float
    missed: int


@dataclass
class _Pace:
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=_SEEN))
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_SEEN))


def live(camera: Camera, controls: Controls, steady: float) -> Iterator[LiveFrame]:
    """Paint the newest frame of a camera, again and again; those that come in the meantime are never painted.

    Raises:
        CameraError: the camera is gone.
    """
    painter: FramePainter | None = None
    past: Past | None = None
    pace, number, painting = _Pace(), -1, None
    while True:
        shot = camera.newest(number)
        missed, number = shot.number - number - 1, shot.number
        if painter is None or painting != (controls.chosen, controls.strength):
            painting = (controls.chosen, controls.strength)
            painter, past = FramePainter(controls.brief, steady=steady, motion_share=_MOTION_SHARE), None
        result = painter.paint_next(Frame(Picture(shot.pixels), Fraction(0), Fraction(0)), past)
        past = result.past
        now = time.monotonic()
        pace.ends.append(now)
        pace.latencies.append(now - shot.time)
        spent = pace.ends[-1] - pace.ends[0]
        rate = (len(pace.ends) - 1) / spent if spent else 0.0
        yield LiveFrame(result.picture, shot.time, rate, sum(pace.latencies) / len(pace.latencies), missed)
