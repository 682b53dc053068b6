"""A training on a Ray cluster: the same loop in each process, begun again from the checkpoint where one is lost."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.cluster.on_ray import joined
from impasto.errors import ImpastoError, PartedError
from impasto.training.run_folder import RunFolder

if TYPE_CHECKING:
    from impasto.training.job import TrainingJob
    from impasto.training.report import Report

_TICK_SECONDS = 0.2
_LOSSES = 10


def train_on_ray(job: TrainingJob, output: Path, on: str, *, resume: bool = False) -> Iterator[Report]:
    """Train in `job.settings.devices` processes of a cluster, or in fewer while it has no more, and write `output`.

    All machines see the photos, the paintings and the folder of the output under the same names.

    Raises:
        SettingsError: Ray is missing, or the cluster cannot be joined.
        ImpastoError: as `TrainingJob.run`.
    """
    job = replace(job, photos=[path.absolute() for path in job.photos], start=job.start and job.start.absolute())
    job = replace(job, paintings=[path.absolute() for path in job.paintings])
    with joined(on) as ray:
        from ray.util.queue import Empty, Queue

        told, ended = Queue(actor_options={"num_cpus": 0}), queue.SimpleQueue[Exception | None]()
        given = {"job": job, "output": output.absolute(), "resume": resume, "told": told}
        thread = threading.Thread(target=_fit, args=(ray, given, ended), daemon=True)
        thread.start()
        while thread.is_alive() or not told.empty():
            try:
                report = told.get(timeout=_TICK_SECONDS)
            except Empty:
                continue
            if isinstance(report, ImpastoError):
                raise report
            yield report
        if error := ended.get():
            raise error


def _fit(ray: Any, given: dict[str, Any], ended: queue.SimpleQueue[Exception | None]) -> None:
    """Have all of it done by Ray Train."""
    try:
        with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
            _trainer(ray, given, folder).fit()
    except Exception as error:
        ended.put(error)
    else:
        ended.put(None)


def _trainer(ray: Any, given: dict[str, Any], folder: str) -> Any:
    from ray.train import FailureConfig, RunConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.config import ScalingConfig  # the one that takes fewer processes as well

    processes, gpus = given["job"].settings.devices, ray.cluster_resources().get("GPU", 0) >= 1
    return TorchTrainer(
        _train,
        train_loop_config=given,
        scaling_config=ScalingConfig(num_workers=(1, processes) if processes > 1 else 1, use_gpu=gpus),
        run_config=RunConfig(storage_path=folder, failure_config=FailureConfig(max_failures=_LOSSES)),
    )


def _train(given: dict[str, Any]) -> None:
    """One of the processes."""
    _as_torchrun_does()
    job, output, told = given["job"], given["output"], given["told"]
    resume = given["resume"] or RunFolder(output).checkpoint.is_file()
    try:
        for report in job.run(output, resume=resume):
            if not report.silent:
                told.put(report)
    except PartedError:
        raise  # another process was lost: all begin again from the checkpoint
    except ImpastoError as error:
        told.put(error)


def _as_torchrun_does() -> None:
    """Let the loop find itself in a process that others have begun, on a device of its own."""
    visible, local = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","), int(os.environ["LOCAL_RANK"])
    if len(visible) > local:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[local]
    own = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "GROUP_RANK": os.environ["RANK"], "TORCHELASTIC_RUN_ID": "ray"}
    os.environ.update(own)
