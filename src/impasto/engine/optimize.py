"""The slow road: a picture's own pixels are moved downhill, coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from impasto.engine.optimizer_settings import OptimizerSettings
from impasto.engine.optimizers import OPTIMIZERS
from impasto.engine.scales import Scale
from impasto.engine.tiles import Slope
from impasto.errors import DivergedError
from impasto.media.geometry import resample


class Objective(Protocol):
    """What the picture is judged by at one size."""

    def __call__(self, image: Tensor, step: int) -> Slope:
        """How `image` (1, 3, H, W) is judged at a step counted from 0."""
        ...


class Problem(Protocol):
    """What is optimised: at each size, a picture to start from and what it is judged by."""

    def objective(self, scale: Scale) -> Objective:
        """What the picture is judged by at `scale`."""
        ...

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        """The picture to start from at `scale`, given the result of the coarser one."""
        ...


@dataclass(frozen=True)
class State:
    """All that is needed to go on, bit for bit: `scale` counts from 0, `step` the updates made there.

    Its tensors are those of the painting and change with the next update; copy them to keep them.
    """

    scale: int
    step: int
    image: Tensor
    average: Tensor | None
    weight: float
    best: float
    waited: int
    optimizer: dict[str, Any]


@dataclass(frozen=True)
class Update:
    """One update: counts from 1, the weighted losses before it, the share of all work done, the picture after it."""

    scale: int
    scales: int
    step: int
    steps: int
    losses: dict[str, float]
    total: float
    done: float
    picture: Tensor
    state: Callable[[], State | None]


def optimize(
    scales: Sequence[Scale], problem: Problem, settings: OptimizerSettings, resume: State | None = None
) -> Iterator[Update]:
    """Paint through `scales`, yielding after every update; breaking off the loop stops the work.

    Where `resume` is a painting that was done, it is yielded as it is.

    Raises:
        DivergedError: the loss is no longer a finite number.
    """
    cost, before = sum(scale.cost for scale in scales), 0.0
    walk = _Walk(settings)
    for index, scale in enumerate(scales):
        if resume is None or index >= resume.scale:
            objective = problem.objective(scale)
            if resume is not None and index == resume.scale:
                walk.restore(resume)
            else:
                walk.enter(index, problem.place(scale, walk.picture() if index else None))
            while walk.step < scale.steps and not walk.stuck():
                total, losses = walk.advance(objective, walk.step / scale.steps)
                ended = index + 1 == len(scales) and (walk.step == scale.steps or walk.stuck())
                done = 1.0 if ended else (before + scale.cost * walk.step / scale.steps) / cost
                yield Update(
                    index + 1, len(scales), walk.step, scale.steps, losses, total, done, walk.picture(), walk.state
                )
        before += scale.cost
    if resume is not None and (walk.scale, walk.step) == (resume.scale, resume.step):
        yield Update(
            len(scales), len(scales), walk.step, scales[-1].steps, {}, walk.best, 1.0, walk.picture(), walk.state
        )


class _Walk:
    """The moving parts: the picture, the average over its iterates, the optimiser, and the count of steps."""

    image: Tensor
    average: Tensor | None
    """The sum that the average is made of, from the second step at a size on: many a large size gets one step only."""

    def __init__(self, settings: OptimizerSettings) -> None:
        self.settings = settings
        self.optimizer = OPTIMIZERS[settings.optimizer]()
        self.scale = self.step = self.waited = 0
        self.weight, self.best = 0.0, math.inf
        self.settled = True

    def enter(self, scale: int, image: Tensor) -> None:
        """Begin a new size with `image`, the optimiser's moments carried over."""
        self.settled = False
        self.scale, self.step, self.weight = scale, 0, 0.0
        self.best, self.waited = math.inf, 0
        self.image = image.contiguous()
        self.average = None
        self.optimizer.enlarge((image.shape[-2], image.shape[-1]))
        self.settled = True

    def restore(self, state: State) -> None:
        """Go back to where `state` was taken."""
        self.scale, self.step, self.weight = state.scale, state.step, state.weight
        self.best, self.waited = state.best, state.waited
        self.image = state.image.clone()
        self.average = None if state.average is None else state.average.clone()
        self.optimizer.load(state.optimizer)

    def advance(self, objective: Objective, done: float) -> tuple[float, dict[str, float]]:
        """One update, when a share `done` of this size's are; the loss before it and its parts."""
        total, losses, gradient = objective(self.image, self.step)
        if not math.isfinite(total):
            raise DivergedError(
                f"The loss became {total} at size {self.scale + 1}, step {self.step + 1}; "
                f"lower --learning-rate (now {self.settings.learning_rate:g}) or the weights."
            )
        if self.settings.clip:
            gradient *= min(1.0, self.settings.clip / (float(gradient.norm()) + 1e-12))
        self.settled = False
        with torch.no_grad():
            decay = self.settings.averaging
            if self.step and self.average is None:
                self.average = self.image * (1 - decay)
            rate = self.settings.learning_rate * self.settings.decay**done
            self.optimizer.update(self.image, total, gradient, rate)
            if self.settings.optimizer != "lbfgs":
                self.image.clamp_(0, 1)
            if self.average is not None:
                self.average.mul_(decay).add_(self.image, alpha=1 - decay)
            self.weight = self.weight * decay + 1 - decay
        self.step += 1
        self.waited = 0 if total < self.best * (1 - self.settings.tolerance) else self.waited + 1
        self.best = min(self.best, total)
        self.settled = True
        return total, losses

    def stuck(self) -> bool:
        """Whether patience has run out."""
        return 0 < self.settings.patience <= self.waited

    def picture(self) -> Tensor:
        """The average over the iterates at this size (1, 3, H, W) in [0, 1]."""
        if self.average is None:
            return self.image.clamp(0, 1)
        return (self.average / self.weight).clamp_(0, 1)

    def state(self) -> State | None:
        """Everything, not copied; None in the middle of an update, from where nobody could go on."""
        if not self.settled:
            return None
        return State(
            self.scale,
            self.step,
            self.image,
            self.average,
            self.weight,
            self.best,
            self.waited,
            self.optimizer.state(),
        )


def enlarge(coarser: Tensor, first: Tensor, detail: float) -> Tensor:
    """The result of a coarser size at the size of `first`, with a share of the detail that `first` has beyond it.

    `first` is a picture of that size to start from: the photo, or what one pass makes of it. All are (1, 3, H, W) in
    [0, 1].
    """
    if detail:
        coarser = torch.sub(coarser, resample(first, (coarser.shape[-2], coarser.shape[-1])), alpha=detail)
    enlarged = resample(coarser, (first.shape[-2], first.shape[-1]))
    return (enlarged.add_(first, alpha=detail) if detail else enlarged).clamp(0, 1)
