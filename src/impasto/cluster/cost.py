"""What a run will take, said before it is begun: hours, memory, requests, money."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from impasto.brief import Brief
from impasto.cluster.manifest import chunks
from impasto.cluster.run import RunOptions, rows_of_a_shard
from impasto.cluster.simulation import Course, Pace, Troubles, simulate
from impasto.errors import SettingsError, UnknownName

GET, PUT, STORED = 0.4e-6, 5e-6, 0.023
"""USD for a read, for a write or a listing, and for a GB in a month: S3, standard class, us-east-1, 2025."""
_TRIALS = 3


@dataclass(frozen=True)
class Machine:
    """A kind of machine: physical cores, memory in GB, GPUs, and USD an hour (EC2 on demand, us-east-1, 2025)."""

    cores: int
    memory: float
    gpus: int
    price: float


MACHINES = {
    "c7i.xlarge": Machine(2, 8, 0, 0.1785),
    "c7i.4xlarge": Machine(8, 32, 0, 0.714),
    "c7i.16xlarge": Machine(32, 128, 0, 2.856),
    "m7i.xlarge": Machine(2, 16, 0, 0.2016),
    "m7i.4xlarge": Machine(8, 64, 0, 0.8064),
    "g5.xlarge": Machine(2, 16, 1, 1.006),
    "g6.xlarge": Machine(2, 16, 1, 0.8048),
}


@dataclass(frozen=True)
class Fleet:
    """So many machines of a kind; `rate`: results that one paints in a second, if that is known."""

    kind: str
    count: int
    machine: Machine
    rate: float | None = None

    @staticmethod
    def of(text: str, rate: float | None = None, price: float | None = None) -> Fleet:
        """`c7i.4xlarge:8`.

        Raises:
            SettingsError: it is not written so, or its speed is not known.
            UnknownName: no such machine.
        """
        kind, _, count = text.partition(":")
        if not (count or "1").isdecimal() or int(count or 1) < 1:
            raise SettingsError(f"Expected machines as c7i.4xlarge:8; got {text}.")
        if kind not in MACHINES:
            raise UnknownName("kind of machine", kind, MACHINES)
        known = MACHINES[kind]
        if known.gpus and rate is None:
            raise SettingsError(
                f"How fast a {kind} paints was not measured; give the results of one machine in a second with --rate."
            )
        machine = Machine(known.cores, known.memory, known.gpus, known.price if price is None else price)
        return Fleet(kind, int(count or 1), machine, rate)


@dataclass(frozen=True)
class Trial:
    """A result of a usual photo of the manifest, painted here by one core: its seconds, memory, and size as a file."""

    seconds: float
    memory: float
    bytes: float


@dataclass(frozen=True)
class RunCost:
    """What a run will take.

    `course` is how it goes on the machines, `hours` of each; `gets` and `puts` are requests of a bucket.
    """

    photos: int
    results: int
    shards: int
    painters: int
    trial: Trial
    course: Course
    hours: float
    machines: float
    gets: int
    puts: int
    stored: float

    @property
    def requests(self) -> float:
        """USD for all requests."""
        return self.gets * GET + self.puts * PUT


def cost_of(asked: RunOptions, fleet: Fleet, troubles: Troubles) -> RunCost:
    """What a run will take on machines; their cores are taken to be as fast as those of this machine.

    Raises:
        InputError: the run cannot be painted.
        SettingsError: a painter does not fit into the machines' memory.
    """
    brief = next(iter(asked.briefs.values()))
    photos, pixels, shape = _photos(asked.manifest, brief)
    trial = try_one(brief, shape, asked.suffix, asked.quality)
    trial = Trial(trial.seconds * pixels / (shape[0] * shape[1]), trial.memory, trial.bytes)
    styles = len(asked.briefs)
    fitting = int(0.8 * fleet.machine.memory * 1e9 // trial.memory)
    if fitting < 1:
        raise SettingsError(
            f"A painter takes {trial.memory / 1e9:.1f} GB, and a {fleet.kind} has {fleet.machine.memory:g}; give "
            "larger machines, or a smaller --size."
        )
    painters = fleet.count * min(fitting, fleet.machine.gpus or fleet.machine.cores)
    each = (painters / fleet.count) / fleet.rate if fleet.rate else trial.seconds
    rows = rows_of_a_shard(asked, photos)
    shards = -(-photos // rows)
    course = simulate(shards, painters, Pace(each * styles * photos / shards), troubles)
    results, loose = photos * styles, asked.per_shard == 0
    gets = photos + 5 * shards + (results if loose else 0)
    puts = 2 * shards + (results if loose else shards)
    hours = course.seconds / 3600
    price = hours * fleet.count * fleet.machine.price
    return RunCost(
        photos, results, shards, painters, trial, course, hours, price, gets, puts, results * trial.bytes / 1e9
    )


def try_one(brief: Brief, shape: tuple[int, int], suffix: str, quality: int | None) -> Trial:
    """Paint a picture of noise of `shape` (height, width) by one core, as a painter of a run does."""
    import psutil
    import torch

    from impasto.media.image import Picture
    from impasto.recipes.output import Output
    from impasto.recipes.painting import open_brief, painted

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        noise = torch.rand(1, 3, max(2, shape[0] // 16), max(2, shape[1] // 16))
        photo = Picture(torch.nn.functional.interpolate(noise, shape, mode="bicubic").clamp(0, 1))
        opened, seconds = open_brief(brief), []
        with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
            path = Path(folder) / f"trial{suffix}"
            for _ in range(_TRIALS):
                began = time.perf_counter()
                Output(path, quality).write(painted(opened.on(photo)))
                seconds.append(time.perf_counter() - began)
            needed = max(opened.on(photo).estimate().bytes, psutil.Process().memory_info().rss)
            return Trial(min(seconds), float(needed), float(path.stat().st_size))
    finally:
        torch.set_num_threads(before)


def _photos(manifest: Path, brief: Brief) -> tuple[int, float, tuple[int, int]]:
    """How many there are, the pixels of a result on average, and the shape (height, width) of the most usual result."""
    import numpy

    size, count, pixels, shapes = brief.settings.size, 0, 0.0, dict[tuple[int, int], int]()
    for chunk in chunks(manifest):
        height, width = (chunk[name].to_numpy().astype(float) for name in ("height", "width"))
        scale = 1.0 if size == "max" else size / numpy.maximum(height, width)
        made = numpy.rint(numpy.stack([height * scale, width * scale], 1)).astype(int)
        pixels += float(made.prod(1).sum())
        count += len(made)
        for (tall, wide), number in zip(*numpy.unique(made, axis=0, return_counts=True)):
            shapes[tall, wide] = shapes.get((tall, wide), 0) + int(number)
    if not count:
        raise SettingsError(f"{manifest} has no rows; make a manifest of some photos.")
    tall, wide = max(shapes, key=lambda shape: shapes[shape])
    return count, pixels / count, (int(tall), int(wide))
