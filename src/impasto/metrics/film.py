"""How steady a painted film is, and what that has cost: boiling, sharpness, ghosts and drift."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.controls.flow import Motion, is_cut
from impasto.controls.sharpness import sharpness_of
from impasto.encoders import load_encoder
from impasto.encoders.encoder import Encoder
from impasto.losses.content import content_distance
from impasto.metrics.specification import CONTENT_LAYERS

NEAR, FAR = 1, 9
_SURE = 0.5
_STILL = 0.5  # pixels


@dataclass
class Steadiness:
    """Measures of a painted film against its photos, gathered frame by frame.

    `near`, `far`: mean difference of what moves along with the photo from its like 1 and 9 frames before, over the
    deviation of the painted pixels. `sharpness`: mean square of the Laplacian. `content`: distance from the photo's
    shapes, of every ninth frame. `drift`: mean difference of places that never move, from the first frame of a scene to
    its last.
    """

    sums: dict[str, list[float]] = field(default_factory=dict)
    _motion: Motion = field(default_factory=lambda: Motion(largest=2048))
    _recent: deque[tuple[Tensor, Tensor]] = field(default_factory=lambda: deque(maxlen=FAR))
    _encoder: Encoder = field(default_factory=lambda: load_encoder("compact"))
    _seen: int = 0
    _first: tuple[Tensor, Tensor] | None = None

    def add(self, photo: Tensor, painted: Tensor) -> None:
        """The next frame and what was painted of it, (1, 3, H, W) in [0, 1]."""
        if self._recent and is_cut(self._recent[-1][0], photo):
            self._end_scene()
        deviation = float(painted.std()) + 1e-6
        for name, distance in (("near", NEAR), ("far", FAR)):
            if len(self._recent) >= distance:
                before, earlier = self._recent[-distance]
                flow = self._motion.between(before, photo)
                sure = (flow.trust > _SURE).float()
                if float(sure.mean()) > 0.05:
                    difference = (painted - flow.carried(earlier).clamp(0, 1)).abs().mean(1, keepdim=True)
                    self._note(name, float((difference * sure).sum() / sure.sum()) / deviation)
        self._note("sharpness", sharpness_of(painted))
        if self._seen % FAR == 0:
            with torch.inference_mode():
                before, after = (self._encoder(picture, CONTENT_LAYERS) for picture in (photo, painted))
                self._note("content", float(content_distance(after, before, CONTENT_LAYERS)))
        self._seen += 1
        self._recent.append((photo, painted))
        self._first = self._first or (photo, painted)

    def result(self) -> dict[str, float]:
        """Means over the film."""
        self._end_scene()
        return {name: sum(values) / len(values) for name, values in self.sums.items()}

    def _end_scene(self) -> None:
        if self._first is not None and len(self._recent) > 1:
            photo, painted = self._recent[-1]
            flow = self._motion.between(self._first[0], photo)
            still = torch.from_numpy(abs(flow.offsets).max(2) < _STILL)[None, None] & (flow.trust > 0.8)
            if float(still.float().mean()) > 0.02:
                difference = (painted - self._first[1]).abs().mean(1, keepdim=True)
                self._note("drift", float(difference[still].mean()))
        self._recent.clear()
        self._first = None

    def _note(self, name: str, value: float) -> None:
        self.sums.setdefault(name, []).append(value)


def steadiness(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """`Steadiness` of (photo, painted) frame by frame."""
    measures = Steadiness()
    for photo, painted in pairs:
        measures.add(photo, painted)
    return measures.result()
