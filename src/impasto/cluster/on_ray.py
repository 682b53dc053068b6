"""Shards painted on a Ray cluster: Ray Data finds machines, starts painters and replaces those that are lost.

What Ray passes around is the numbers of shards, a row each; pictures go from storage to storage. So a driver, an
object store or a whole cluster may vanish, and what is done is done.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from impasto.cluster.here import Running
from impasto.cluster.painting import PaintedShard, ShardPainter, check_versions
from impasto.cluster.run import read_run, versions
from impasto.errors import ImpastoError, SettingsError
from impasto.storage import Storage

_TICK_SECONDS, _ANSWER_SECONDS, _LISTEN_SECONDS = 0.2, 120.0, 10.0


def paint_on_ray(place: str, shards: Sequence[int], on: str, workers: int | None) -> Running:
    """What has become of each shard, as they are done, None now and then; leaving early gives the rest up.

    Args:
        on: `ray`: the cluster of RAY_ADDRESS, or one that is started here and ends with this; or an address.
        workers: painters at most; by default as many as the cluster has room for, also while it grows: one for a core,
            or for a GPU where there are any.

    Raises:
        SettingsError: Ray is missing, the cluster cannot be reached, or it has other versions.
    """
    if not shards:
        return
    with joined(on) as ray:
        _check_nodes(ray, place)
        told, ended = queue.SimpleQueue[Any](), threading.Event()
        thread = threading.Thread(target=_drive, args=(_data(ray, place, shards, workers), told, ended), daemon=True)
        thread.start()
        try:
            yield from _as_told(told)
        finally:
            ended.set()


def _drive(rows: Any, told: queue.SimpleQueue[Any], ended: threading.Event) -> None:
    """Run a data set, telling what is in each row."""
    try:
        for row in rows.iter_rows():
            if ended.is_set():
                break
            told.put(row["painted"])
        told.put(StopIteration())
    except Exception as error:
        told.put(error)


def _as_told(told: queue.SimpleQueue[Any]) -> Running:
    while True:
        try:
            one = told.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            yield None
            continue
        if isinstance(one, StopIteration):
            return
        if isinstance(one, Exception) and not isinstance(one, ImpastoError):
            raise one
        yield one


def _data(ray: Any, place: str, shards: Sequence[int], workers: int | None) -> Any:
    """One row a shard, so that nothing is lost or remembered in larger pieces than that."""
    most = min(workers or len(shards), len(shards))
    rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
    return rows.map_batches(
        _Painter,
        fn_constructor_kwargs={"place": place},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        **({"num_gpus": 1} if ray.cluster_resources().get("GPU", 0) >= 1 else {"num_cpus": 1}),
    )


class _Painter:
    """A painter on some machine."""

    def __init__(self, place: str) -> None:
        import torch

        torch.set_num_threads(1)
        self._painter = ShardPainter(place)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[PaintedShard | ImpastoError]]:
        return {"painted": [self._painter.try_to_paint(int(shard)) for shard in batch["shard"]]}


@contextmanager
def joined(on: str) -> Iterator[Any]:
    """Ray, connected to a cluster, with tokens required; one that was started here ends with the block."""
    address = os.environ.get("RAY_ADDRESS") if on == "ray" else on
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a thread of Ray Data that outlives the cluster would start another
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray tells its makers what it is used for
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # what Ray calls it when it keeps to the loopback
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SettingsError("A cluster needs an extra; install it with: pip install 'impasto[cluster]'.") from error
    _check_reachable(address)
    own: dict[str, Any] = {"address": "local", "include_dashboard": False} if address is None else {"address": address}
    try:
        with _muted():
            ray.init(**own, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise SettingsError(f"The Ray cluster {address or 'here'} cannot be joined ({error}).") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Raise `SettingsError` where nobody listens at an address; Ray itself would go on trying."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), _LISTEN_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            f"The Ray cluster {address} cannot be joined ({error.strerror or error}); give the address of its head, as "
            "'ray start --head' says it."
        ) from error


@contextmanager
def _muted() -> Iterator[None]:
    """Nothing that libraries write to standard error by themselves is seen; what goes wrong is raised."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def _check_nodes(ray: Any, place: str) -> None:
    """Raise `SettingsError` where a machine of the cluster has other versions than the run was begun with."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    run = read_run(Storage(place))
    assert run is not None
    ask = ray.remote(num_cpus=0)(versions)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    answers = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes
    ]
    try:
        found = ray.get(answers, timeout=_ANSWER_SECONDS)
    except ray.exceptions.GetTimeoutError as error:
        raise SettingsError(
            f"The machines of the Ray cluster have not answered within {_ANSWER_SECONDS:.0f} s; see whether they are "
            "busy, and whether they can reach this machine."
        ) from error
    for answer in found:
        check_versions(run, answer)
