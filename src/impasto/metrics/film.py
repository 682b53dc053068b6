"""How steady a painted film is, and what that has cost: boiling, sharpness, ghosts and drift."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from impasto.controls.flow import Flow, Motion, is_cut, read_flow
from impasto.controls.sharpness import sharpness_of
from impasto.encoders import load_encoder
from impasto.encoders.encoder import Encoder
from impasto.errors import FilmError
from impasto.losses.content import content_distance
from impasto.media.geometry import fit, resample
from impasto.metrics.measures import Features, style_distance
from impasto.metrics.specification import CONTENT_LAYERS, SIZE, STYLE_LAYERS

NEAR, FAR = 1, 9
_SURE = 0.5
_STILL = 0.5  # pixels


@dataclass
class Steadiness:
    """Measures of a painted film against its photos, gathered frame by frame.

    `near`, `far`: mean difference of what moves along with the photo from its like 1 and 9 frames before, over the
    deviation of the painted pixels. `sharpness`: mean square of the Laplacian. `content`, `style`: distance from the
    photo's shapes and from a painting's manner, of every ninth frame. `drift`: mean difference of places that never
    move, from the first frame of a scene to its last. `ghosting`: mean difference, where something is uncovered, from
    the same frame painted without a past.

    Args:
        style: the painting (1, 3, H, W) in [0, 1].
        flows: .flo files of the motion from the second frame on, for `near`; it is measured otherwise.
    """

    style: Tensor | None = None
    flows: Sequence[Path] = ()
    sums: dict[str, list[float]] = field(default_factory=dict)
    _motion: Motion = field(default_factory=lambda: Motion(1.0, 2048))
    _recent: deque[tuple[Tensor, Tensor]] = field(default_factory=lambda: deque(maxlen=FAR))
    _encoder: Encoder = field(default_factory=lambda: load_encoder("compact"))
    _seen: int = 0
    _first: tuple[Tensor, Tensor] | None = None
    _style_features: Features | None = None

    def add(self, photo: Tensor, painted: Tensor, fresh: Tensor | None = None) -> None:
        """The next frame, what was painted of it, and what is painted of it without a past, (1, 3, H, W) in [0, 1]."""
        if self._recent and is_cut(self._recent[-1][0], photo):
            self._end_scene()
        deviation = float(painted.std()) + 1e-6
        for name, distance in (("near", NEAR), ("far", FAR)):
            if len(self._recent) >= distance:
                before, earlier = self._recent[-distance]
                flow = self._flow(before, photo, distance)
                sure = (flow.trust > _SURE).float()
                if float(sure.mean()) > 0.05:
                    difference = (painted - flow.carried(earlier).clamp(0, 1)).abs().mean(1, keepdim=True)
                    self._note(name, float((difference * sure).sum() / sure.sum()) / deviation)
                if distance == NEAR and fresh is not None and bool((sure == 0).any()):
                    self._note("ghosting", float((painted - fresh).abs().mean(1, keepdim=True)[sure == 0].mean()))
        self._note("sharpness", sharpness_of(painted))
        if self._seen % FAR == 0:
            with torch.inference_mode():
                self._look(photo, painted)
        self._seen += 1
        self._recent.append((photo, painted))
        self._first = self._first or (photo, painted)

    def _flow(self, before: Tensor, now: Tensor, distance: int) -> Flow:
        if not self.flows or distance != NEAR:
            return self._motion.between(before, now)
        if self._seen > len(self.flows):
            raise FilmError(f"Expected a .flo file for each frame but the first; there are only {len(self.flows)}.")
        return read_flow(self.flows[self._seen - 1], before, now)

    def _look(self, photo: Tensor, painted: Tensor) -> None:
        """What an encoder sees of a frame."""
        before, after = (
            self._encoder(_small(picture), (*STYLE_LAYERS, *CONTENT_LAYERS)) for picture in (photo, painted)
        )
        self._note("content", max(0.0, float(content_distance(after, before, CONTENT_LAYERS))))
        if self.style is not None:
            self._style_features = self._style_features or self._encoder(_small(self.style), STYLE_LAYERS)
            self._note("style", style_distance(after, self._style_features))

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


def steadiness(frames: Iterable[tuple[Tensor, ...]], style: Tensor | None = None) -> dict[str, float]:
    """`Steadiness` of (photo, painted) or (photo, painted, fresh) frame by frame."""
    measures = Steadiness(style)
    for frame in frames:
        measures.add(*frame)
    return measures.result()


def _small(picture: Tensor) -> Tensor:
    """At no more than the size at which stills are measured."""
    height, width = picture.shape[2:]
    return picture if max(height, width) <= SIZE else resample(picture, fit(height, width, SIZE)).clamp(0, 1)
