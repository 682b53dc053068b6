"""The loop of every training by gradient descent: an iterator of what has happened."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from impasto.errors import DivergedError
from impasto.training.loading import Loader
from impasto.training.pictures import Crops
from impasto.training.processes import end_together, together
from impasto.training.settings import Training
from impasto.training.task import Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_REMEMBERED = 50
_LAST_STEPS = 12  # what the test pictures at the end take, in steps: 96 seen forwards, where a step goes there and back
_FROZEN = ("encoder.", "judge.")

State = dict[str, Any]


@dataclass
class Progress:
    """What has happened by the end of a step; losses are means over the last steps."""

    step: int
    done: float
    seconds: float
    learning_rate: float
    losses: dict[str, float]
    samples_per_second: float
    waited: float
    validation: dict[str, float] | None
    best: float
    session: _Session = field(repr=False)

    def state(self) -> State:
        """All that is needed to go on from here, bit for bit."""
        return self.session.state()

    def network(self) -> dict[str, Tensor]:
        """The best weights so far: averaged, as of the best validation, or of now if there was none."""
        return self.session.result()

    def sheet(self) -> Tensor:
        """A picture (3, H, W) of some results."""
        return self.session.task.sheet(self.session.average)


def learn(
    task: Task,
    crops: Crops,
    settings: Training,
    fabric: Fabric,
    resume: State | None = None,
    prepared: float = 0.0,
) -> Iterator[Progress]:
    """Train `task.network`, yielding after every step; `prepared` seconds of the time limit are over already.

    Raises:
        DivergedError: the loss is no longer a finite number.
        InputError: no picture can be read.
    """
    session = _Session(task, settings, fabric)
    if resume:
        session.load(resume)
    session.spent += prepared
    loader = Loader(crops, settings.batch * len(crops.sources), settings.workers, fabric.global_rank, fabric.world_size)
    batches = loader.batches(session.step * settings.accumulate)
    try:
        if session.finished():
            yield session.standing()
        while not session.finished():
            yield session.advance(batches)
        end_together(fabric)
    finally:
        batches.close()  # type: ignore[attr-defined]


class _Session:
    """Everything that changes while a network learns."""

    def __init__(self, task: Task, settings: Training, fabric: Fabric) -> None:
        self.task, self.settings, self.fabric = task, settings, fabric
        task.network.train()
        self.average = deepcopy(task.network).eval().requires_grad_(False).to(fabric.device)
        self.optimizer = torch.optim.AdamW(
            task.players(), settings.learning_rate, betas=task.betas, weight_decay=settings.weight_decay
        )
        self.module, self.stepper = fabric.setup(task, self.optimizer)
        self.step, self.stale, self.spent = 0, 0, 0.0
        self.paces: list[float] = []
        self.best: tuple[float, dict[str, Tensor]] | None = None
        self.recent: list[dict[str, float]] = []

    def finished(self) -> bool:
        """Whether steps, time or patience have run out."""
        patience = self.settings.patience
        if self.step == 0:
            return False
        return self.done() >= 1 or bool(patience and self.stale >= patience)

    def done(self) -> float:
        """The share of the steps or of the time that is over, whichever is more; the same in all processes."""
        share = self.step / self.settings.steps
        if self.settings.minutes is not None:
            share = max(share, (self.spent + _LAST_STEPS * self._pace()) / (60 * self.settings.minutes))
        if self.fabric.world_size > 1:
            with together(self.fabric):
                share = float(self.fabric.broadcast(share))
        return min(1.0, share)

    def _pace(self) -> float:
        """Seconds of a usual step, once there were a few; the first is slow."""
        return median(self.paces) if len(self.paces) > 2 else 0.0

    def advance(self, batches: Iterator[tuple[list[int], Tensor]]) -> Progress:
        """One step of the optimiser."""
        began, waited = time.monotonic(), 0.0
        done = self.done()
        rate = learning_rate(self.settings, self.step, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["pace"]
        total: dict[str, float] = {}
        for part in range(self.settings.accumulate):
            asked = time.monotonic()
            indices, crops = next(batches)
            waited += time.monotonic() - asked
            last = part == self.settings.accumulate - 1
            with (
                together(self.fabric),
                self.fabric.no_backward_sync(self.module, enabled=not last and self.fabric.world_size > 1),
            ):
                loss, parts = self.module(crops.to(self.fabric.device, non_blocking=True), indices)
                self.fabric.backward(loss / self.settings.accumulate)
            for name, value in {**parts, "total": loss.detach()}.items():
                total[name] = total.get(name, 0.0) + float(value) / self.settings.accumulate
        if not math.isfinite(self._sum_of_all(total["total"])):
            raise DivergedError(
                f"The loss became {total['total']} at step {self.step + 1}; lower --learning-rate (now "
                f"{self.settings.learning_rate:g}) or --clip, and go on from the last checkpoint with --resume."
            )
        for group in self.optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], self.settings.clip)
        self.stepper.step()
        self.stepper.zero_grad()
        self.step += 1
        self._remember(total)
        if len(self.recent) == _REMEMBERED:
            self.task.check(self.recent)
        self.paces = [*self.paces[-8:], time.monotonic() - began - waited]
        validation = self._validate() if self.step % self.settings.validate_every == 0 else None
        elapsed = time.monotonic() - began
        self.spent += elapsed
        speed = self.settings.batch * self.settings.accumulate * self.fabric.world_size / elapsed
        return self.standing(rate, speed, waited / elapsed, validation)

    def _sum_of_all(self, value: float) -> float:
        """Of all processes, so that what one finds out, all do."""
        if self.fabric.world_size == 1:
            return value
        with together(self.fabric):
            return float(self.fabric.all_reduce(torch.tensor(value), reduce_op="sum"))  # type: ignore[arg-type]

    def standing(
        self, rate: float = 0.0, speed: float = 0.0, waited: float = 0.0, validation: dict[str, float] | None = None
    ) -> Progress:
        """Where it is now."""
        names = self.recent[-1] if self.recent else {}
        return Progress(
            step=self.step,
            done=self.done(),
            seconds=self.spent,
            learning_rate=rate,
            losses={name: sum(past[name] for past in self.recent) / len(self.recent) for name in names},
            samples_per_second=speed,
            waited=waited,
            validation=validation,
            best=self.best[0] if self.best else math.inf,
            session=self,
        )

    @torch.no_grad()
    def _remember(self, losses: dict[str, float]) -> None:
        self.recent = [*self.recent[1 - _REMEMBERED :], losses]
        decay = min(self.settings.averaging, self.step / (10 + self.step))
        for mean, now in zip(self.average.parameters(), self.task.network.parameters()):
            mean.lerp_(now, 1 - decay)

    def _validate(self) -> dict[str, float]:
        losses = self.task.validate(self.average)
        self.stale += 1
        if self.best is None or losses["total"] < self.best[0]:
            self.best, self.stale = (losses["total"], _copied(self.average)), 0
        return losses

    def result(self) -> dict[str, Tensor]:
        """The best weights so far."""
        return self.best[1] if self.best else _copied(self.average)

    def state(self) -> State:
        """Everything that `load` needs."""
        return {
            "settings": self.settings.model_dump_json(),
            "task": {key: value for key, value in _copied(self.task).items() if not key.startswith(_FROZEN)},
            "average": _copied(self.average),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "stale": self.stale,
            "spent": self.spent,
            "best": self.best,
            "recent": self.recent,
        }

    def load(self, state: State) -> None:
        """Go back to a `state`."""
        frozen = {key: value for key, value in self.task.state_dict().items() if key.startswith(_FROZEN)}
        self.task.load_state_dict({**state["task"], **frozen})
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, player in zip(self.optimizer.param_groups, self.task.players()):
            group["pace"] = player["pace"]
        torch.set_rng_state(state["random"])
        self.step, self.stale, self.spent = state["step"], state["stale"], state["spent"]
        self.best, self.recent = state["best"], state["recent"]


def learning_rate(settings: Training, step: int, done: float) -> float:
    """Adam's step: up during the warm-up, then down with the share of the training that is `done`."""
    rising = min(1.0, (step + 1) / max(1, settings.warm_up))
    falling = {"cosine": 0.5 + 0.5 * math.cos(math.pi * done), "linear": 1 - done, "constant": 1.0}[settings.schedule]
    return settings.learning_rate * rising * falling


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
