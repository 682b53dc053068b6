"""Settings found by trial, for a photo and a style: any of a recipe, judged by what the result measures."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from impasto.encoders import load_encoder
from impasto.errors import DivergedError, InputError, RecordError, SettingsError, UnknownName
from impasto.metrics.measures import Ruler
from impasto.metrics.specification import MEASURES
from impasto.recipes.job import prepare
from impasto.recipes.recipe import Recipe
from impasto.weights.files import sha256

if TYPE_CHECKING:
    import optuna

AXES = ("content_weight=0.03:0.6", "learning_rate=0.005:0.06")
OBJECTIVES = ("style", "content")
_LOOKS = (1 / 3, 2 / 3)
_STARTUP = 5
_DECADE = 10.0
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Axis:
    """A setting and what it may be: numbers from `low` to `high`, by powers if they span a decade, or `choices`."""

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[str | bool, ...] = ()

    @staticmethod
    def parse(text: str) -> Axis:
        """`content_weight=0.03:0.6`, or `color=style,match`.

        Raises:
            UnknownName: no such setting.
            SettingsError: anything else.
        """
        name, _, span = text.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if name not in Recipe.model_fields:
            raise UnknownName("setting", name, Recipe.model_fields)
        kind = Recipe.model_fields[name].annotation
        try:
            if kind is bool:
                return Axis(name, choices=tuple({"true": True, "false": False}[part] for part in span.split(",")))
            if get_origin(kind) is Literal and not set(span.split(",")) - set(get_args(kind)):
                return Axis(name, choices=tuple(span.split(",")))
            if kind in (int, float) or name == "size":
                low, high = map(float, span.split(":"))
                if low < high:
                    return Axis(name, low, high, whole=kind is not float)
        except (KeyError, ValueError):
            pass
        raise SettingsError(
            "Expected a range like content_weight=0.03:0.6, or choices like color=style,match, of a setting that is a "
            f"number or a word; got {text}."
        )

    def suggest(self, trial: optuna.Trial) -> Any:
        """A value for this trial."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        log = self.low > 0 and self.high / self.low >= _DECADE
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=log)
        return trial.suggest_float(self.name, self.low, self.high, log=log)


@dataclass(frozen=True)
class Tried:
    """A trial that has ended; `values` is empty where it was given up half-way. `done` counts those that have ended."""

    done: int
    settings: Mapping[str, Any]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Search:
    """A search that lives in `storage` (SQLite), where several processes share it and from where it goes on.

    The first trial is `base` as it is. `objectives` are names of measures; for one, trials that look worse than the
    median of those before are given up half-way; for several there is no such order.
    """

    content: Path
    style: Path
    base: Recipe
    axes: Sequence[Axis]
    objectives: Sequence[str]
    storage: Path
    seed: int = 0

    def __post_init__(self) -> None:
        known = {measure.name: measure.better for measure in MEASURES if measure.better != "neither"}
        for name in self.objectives:
            if name not in known:
                raise UnknownName("measure", name, known)
        twice = [axis.name for axis in self.axes if [other.name for other in self.axes].count(axis.name) > 1]
        if twice or not self.axes or not self.objectives:
            raise SettingsError("Expected one range or more, each of another setting, and one objective or more.")

    def open(self, worker: int = 0) -> optuna.Study:
        """The study, new or as it was left.

        Raises:
            RecordError: the storage is of another search, or damaged.
            SettingsError: an extra is missing.
        """
        try:
            import optuna
        except ImportError as error:
            raise SettingsError("A search needs an extra; install it with: pip install 'impasto[search]'.") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        better = {measure.name: measure.better for measure in MEASURES}
        try:
            study = optuna.create_study(
                storage=f"sqlite:///{self.storage.absolute()}",
                study_name="impasto",
                directions=["minimize" if better[name] == "lower" else "maximize" for name in self.objectives],
                sampler=optuna.samplers.TPESampler(seed=self.seed + worker, n_startup_trials=_STARTUP),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
                load_if_exists=True,
            )
            before = study.user_attrs.get("search")
        except Exception as error:
            raise RecordError(
                f"{self.storage} cannot be read as a search ({type(error).__name__}); remove it or name another output."
            ) from error
        if before is None:
            study.set_user_attr("search", self._identity)
        elif before != self._identity:
            raise RecordError(
                f"{self.storage} holds a search of another pair, other ranges or objectives; name another output."
            )
        return study

    @cached_property
    def _identity(self) -> str:
        axes = [axis.__dict__ | {"choices": list(axis.choices)} for axis in self.axes]
        told = [sha256(self.content), sha256(self.style), self.base.model_dump(mode="json"), axes, [*self.objectives]]
        return json.dumps(told, sort_keys=True)

    def run(self, trials: int, deadline: float, worker: int = 0) -> Iterator[Tried]:
        """Try settings until there are `trials` in the storage or `time.monotonic()` is past `deadline`.

        Raises:
            InputError: a picture that cannot be used.
        """
        from optuna.exceptions import TrialPruned
        from optuna.trial import TrialState

        study, ruler = self.open(worker), Ruler(load_encoder("compact"))
        if not study.trials:
            study.enqueue_trial(self._default(), skip_if_exists=True)
        ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        while time.monotonic() < deadline and len(_begun(study)) < trials:
            trial = study.ask()
            settings = {axis.name: axis.suggest(trial) for axis in self.axes}
            try:
                measured = self._measured(settings, ruler, trial)
                study.tell(trial, [measured[name] for name in self.objectives])
            except (TrialPruned, DivergedError) as error:
                measured = {}
                study.tell(trial, state=TrialState.PRUNED if isinstance(error, TrialPruned) else TrialState.FAIL)
            except BaseException:
                study.tell(trial, state=TrialState.FAIL)
                raise
            yield Tried(len(study.get_trials(deepcopy=False, states=ended)), settings, measured)

    def _default(self) -> dict[str, Any]:
        return {axis.name: getattr(self.base, axis.name) for axis in self.axes}

    def _measured(self, settings: Mapping[str, Any], ruler: Ruler, trial: optuna.Trial) -> dict[str, float]:
        from optuna.exceptions import TrialPruned

        job = prepare(self.content, [self.style], self.recipe_of(settings))
        looks, step = list(_LOOKS) if len(self.objectives) == 1 else [], None
        for step in job.painter.paint():
            if looks and looks[0] <= step.done < 1:
                looks.pop(0)
                values = ruler.measure_pixels(self.content, self.style, job.painter.finish(step).pixels)
                trial.report(float(values[self.objectives[0]] or 0), step=len(_LOOKS) - len(looks))
                if trial.should_prune():
                    raise TrialPruned
        values = ruler.measure_pixels(self.content, self.style, job.painter.finish(step).pixels)
        lacking = [name for name in self.objectives if values[name] is None]
        if lacking:
            raise InputError(f"The photo is too small for {lacking[0]}; give a larger one, or another --objective.")
        return {name: value for name, value in values.items() if value is not None}

    def recipe_of(self, settings: Mapping[str, Any]) -> Recipe:
        """The base with these settings.

        Raises:
            SettingsError: one is outside of its range.
        """
        from pydantic import ValidationError

        from impasto.recipes.recipe import describe

        try:
            return Recipe.model_validate({**self.base.model_dump(), **settings})
        except ValidationError as error:
            raise SettingsError(describe(error)) from error

    def front(self) -> list[Tried]:
        """The trials that no other beats in all objectives, the first objective's best first."""
        study = self.open()
        best = sorted(study.best_trials, key=lambda trial: trial.values or [])
        return [Tried(one.number, dict(one.params), dict(zip(self.objectives, one.values or []))) for one in best]

    def chosen(self) -> Tried:
        """Of those at least as good as the base in every objective, the one that gains most, in ratios.

        Raises:
            InputError: no trial has ended well.
        """
        study = self.open()
        complete = [trial for trial in study.trials if trial.values]
        if not complete:
            raise InputError("No trial has ended well; allow more --minutes, or narrower ranges.")
        base, signs = complete[0].values or [], [1 if str(d).endswith("MINIMIZE") else -1 for d in study.directions]

        def gain(values: Sequence[float]) -> float:
            gains = [sign * (old - new) / max(abs(old), 1e-9) for sign, old, new in zip(signs, base, values)]
            return sum(gains) / len(gains) if min(gains) >= 0 else -1.0

        best = max(complete, key=lambda trial: gain(trial.values or []))
        return Tried(best.number, dict(best.params), dict(zip(self.objectives, best.values or [])))

    def importances(self) -> dict[str, float]:
        """{setting: share of the first objective's variation among the better trials}, the most important first."""
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        study = self.open()
        if len([trial for trial in study.trials if trial.values]) < 2 * _STARTUP:
            return {}
        sign = -1 if str(study.directions[0]).endswith("MAXIMIZE") else 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that low values are sought is what the sign is for
            return get_param_importances(
                study, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: sign * float(trial.values[0])
            )

    def forget_unfinished(self) -> None:
        """Give up trials that were begun by processes that are gone."""
        from optuna.trial import TrialState

        study = self.open()
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)


def run_in_processes(search: Search, trials: int, minutes: float, workers: int, threads: int) -> Iterator[int]:
    """Let `workers` processes try settings, yielding how many trials have ended."""
    import multiprocessing

    from optuna.trial import TrialState

    context = multiprocessing.get_context("spawn")
    study = search.open()
    processes = [
        context.Process(target=_work, args=(search, trials, 60 * minutes, worker, threads), daemon=True)
        for worker in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(_POLL_SECONDS)
            yield len(study.get_trials(deepcopy=False)) - len(study.get_trials(False, (TrialState.RUNNING,)))
    finally:
        for process in processes:
            process.terminate()
            process.join()
    if any(process.exitcode for process in processes):
        raise InputError("A process of the search failed; run with --workers 1 to see why.")


def _work(search: Search, trials: int, seconds: float, worker: int, threads: int) -> None:
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    for _ in search.run(trials, time.monotonic() + seconds, worker):
        pass


def _begun(study: optuna.Study) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))
