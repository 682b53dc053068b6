"""A search: trials of settings in a database that several processes share, and what has come of them."""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from impasto.errors import DivergedError, InputError, RecordError, SettingsError, UnknownName
from impasto.processes import deaf_to_interrupts
from impasto.search.axis import Axis
from impasto.settings import describe

if TYPE_CHECKING:
    import optuna

_LOOKS = (1 / 3, 2 / 3)
_STARTUP = 5
_POLL_SECONDS = 1.0
_STUDY, _BASE = "impasto", "base"


class Subject(Protocol):
    """What settings are searched for; `axes` and `objectives` are for who names none."""

    @property
    def axes(self) -> Sequence[str]: ...
    @property
    def objectives(self) -> Sequence[str]: ...
    @property
    def base(self) -> BaseModel:
        """The settings where the search begins."""
        ...

    @property
    def measures(self) -> Mapping[str, str]:
        """{measure of what comes out: whether "lower" or "higher" is better}."""
        ...

    def check(self) -> None:
        """Raise `InputError` where it cannot be tried at all."""
        ...

    def identity(self) -> list[object]:
        """What makes it another search, for JSON."""
        ...

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        """Measures when each of the shares `looks` of the work is done, and at the end."""
        ...


@dataclass(frozen=True)
class Tried:
    """A trial that has ended; `values` is empty where it was given up half-way. `done` counts those that have ended."""

    done: int
    settings: Mapping[str, Any]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Search:
    """A search that lives in `storage` (SQLite), where several processes share it and from where it goes on.

    The first trial is the subject's base as it is. `objectives` are names of measures; for one, trials that look worse
    than the median of those before are given up half-way; for several there is no such order.
    """

    subject: Subject
    axes: Sequence[Axis]
    objectives: Sequence[str]
    storage: Path
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.objectives:
            if name not in self.subject.measures:
                raise UnknownName("measure", name, self.subject.measures)
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
        _check_ours(self.storage)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        better = self.subject.measures
        try:
            study = optuna.create_study(
                storage=f"sqlite:///{self.storage.absolute()}",
                study_name=_STUDY,
                directions=["minimize" if better[name] == "lower" else "maximize" for name in self.objectives],
                sampler=optuna.samplers.GPSampler(seed=self.seed + worker, n_startup_trials=_STARTUP),
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
                f"{self.storage} holds a search of something else, other ranges or objectives; name another output."
            )
        return study

    @cached_property
    def _identity(self) -> str:
        axes = [axis.__dict__ | {"choices": list(axis.choices)} for axis in self.axes]
        told = [*self.subject.identity(), axes, [*self.objectives]]
        return json.dumps(told, sort_keys=True)

    def run(self, trials: int, deadline: float, worker: int = 0) -> Iterator[Tried]:
        """Try settings until there are `trials` in the storage or `time.monotonic()` is past `deadline`.

        Raises:
            InputError: a picture that cannot be used.
        """
        from optuna.exceptions import TrialPruned
        from optuna.trial import TrialState

        study = self.open(worker)
        self.await_base(study)
        ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        while time.monotonic() < deadline and len(_begun(study)) < trials:
            trial = study.ask()
            settings = {axis.name: axis.suggest(trial) for axis in self.axes}
            try:
                measured = self._measured(settings, trial)
                study.tell(trial, [measured[name] for name in self.objectives])
            except (TrialPruned, DivergedError) as error:
                measured = {}
                study.tell(trial, state=TrialState.PRUNED if isinstance(error, TrialPruned) else TrialState.FAIL)
            except BaseException:
                study.tell(trial, state=TrialState.FAIL)
                raise
            yield Tried(len(study.get_trials(deepcopy=False, states=ended)), settings, measured)

    def await_base(self, study: optuna.Study) -> None:
        """See to it that the base is tried before anything else, unless it has been."""
        if not _has_base(study):
            settings = {axis.name: getattr(self.subject.base, axis.name) for axis in self.axes}
            study.enqueue_trial(settings, user_attrs={_BASE: True})

    def _measured(self, settings: Mapping[str, Any], trial: optuna.Trial) -> dict[str, float]:
        from optuna.exceptions import TrialPruned

        prunes = len(self.objectives) == 1
        values: dict[str, float] = {}
        for look, values in enumerate(self.subject.attempt(self.settings_of(settings), _LOOKS if prunes else ()), 1):
            if prunes and look <= len(_LOOKS):
                trial.report(values[self.objectives[0]], step=look)
                if trial.should_prune():
                    raise TrialPruned
        lacking = [name for name in self.objectives if name not in values]
        if lacking:
            raise InputError(f"The photo is too small for {lacking[0]}; give a larger one, or another --objective.")
        return values

    def settings_of(self, settings: Mapping[str, Any]) -> BaseModel:
        """The base with these settings.

        Raises:
            SettingsError: one is outside of its range.
        """
        base = self.subject.base
        try:
            return type(base).model_validate({**base.model_dump(), **settings})
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
        base = next((trial.values for trial in complete if trial.user_attrs.get(_BASE)), complete[0].values) or []
        signs = [1 if d.name == "MINIMIZE" else -1 for d in study.directions]

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
        sign = 1 if study.directions[0].name == "MINIMIZE" else -1
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


def _has_base(study: optuna.Study) -> bool:
    """Whether the trial of the base has come to its end, is under way or waits."""
    from optuna.trial import TrialState

    lost = (TrialState.FAIL, TrialState.PRUNED)
    return any(trial.user_attrs.get(_BASE) and trial.state not in lost for trial in study.get_trials(deepcopy=False))


def _check_ours(storage: Path) -> None:
    """Refuse a file that is no search's, before anything is written to it.

    Raises:
        RecordError: it is something else.
    """
    if not storage.exists():
        return
    try:
        table = sqlite3.connect(f"file:{quote(str(storage.absolute()))}?mode=ro", uri=True)
        try:
            found = table.execute("SELECT 1 FROM studies WHERE study_name = ?", (_STUDY,)).fetchone()
        finally:
            table.close()
    except sqlite3.Error:
        found = None
    if not found:
        raise RecordError(f"{storage} cannot be read as a search; remove it or name another output.")


def run_in_processes(
    search: Search, trials: int, minutes: float, workers: int, threads: int
) -> Generator[int, None, None]:
    """Let `workers` processes try settings, yielding how many trials have ended."""
    import multiprocessing

    from optuna.trial import TrialState

    context = multiprocessing.get_context("spawn")
    study = search.open()
    search.await_base(study)
    processes = [
        context.Process(target=_work, args=(search, trials, 60 * minutes, worker, threads), daemon=True)
        for worker in range(workers)
    ]
    with deaf_to_interrupts():
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
    import torch

    torch.set_num_threads(threads)
    for _ in search.run(trials, time.monotonic() + seconds, worker):
        pass


def _begun(study: optuna.Study) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))
