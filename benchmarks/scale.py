"""Runs over manifests: their speed, what they survive, how they grow.

python benchmarks/scale.py manifest [--rows 1000000]
python benchmarks/scale.py driver [--rows 10000 1000000]
python benchmarks/scale.py speed PHOTOS [--count 192]
python benchmarks/scale.py faults PHOTOS [--kills 10] [--of "node on Ray"]
python benchmarks/scale.py storage PHOTOS [--failing 0.05] [--delay 0.05]
python benchmarks/scale.py grow
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from nodes import Nodes
from runs import contents, in_background, outcomes
from s3 import bucket

SHAPES = ((3024, 4032), (4032, 3024), (2000, 3000), (768, 1024), (1080, 1920))
KINDS = ["painter here", "driver here", "painter on Ray", "node on Ray", "driver on Ray"]
_SHARD = 8
STYLE = Path(__file__).parent.parent / "examples" / "styles" / "swirls.jpg"


def made_up(path: Path, rows: int) -> None:
    """A manifest of photos that are nowhere."""
    import pyarrow

    from impasto.cluster.manifest import parquet, schema

    chance = random.Random(1)
    with parquet().ParquetWriter(path, schema()) as writer:
        for first in range(0, rows, 10_000):
            table = []
            for number in range(first, min(rows, first + 10_000)):
                height, width = (
                    SHAPES[number % 5] if number % 3 else (chance.randint(300, 4000), chance.randint(300, 4000))
                )
                digest = hashlib.sha256(str(number).encode()).hexdigest()
                uri = f"photos/{number // 1000:05}/IMG_{number:09}.jpg"
                table.append({"uri": uri, "sha256": digest, "height": height, "width": width})
            writer.write_table(pyarrow.Table.from_pylist(table, schema=schema()))


def manifest(rows: int) -> None:
    """Written, sorted and planned."""
    from impasto.cluster.shards import write_shards

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        made_up(Path(folder) / "m.parquet", rows)
        written = time.monotonic()
        cut = write_shards(Path(folder) / "m.parquet", Path(folder) / "shards", 512, 1000)
        planned = time.monotonic()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{rows:,} rows written {written - began:.1f} s, {cut.shards:,} shards {planned - written:.1f} s, {most:.0f} MB"
    )


def driver(counts: list[int]) -> None:
    """The most memory of the command itself, where every photo of a run is missing: all its work but the painting."""
    with tempfile.TemporaryDirectory() as folder:
        for rows in counts:
            path, out = Path(folder) / f"{rows}.parquet", Path(folder) / f"out{rows}"
            made_up(path, rows)
            began = time.monotonic()
            process = in_background("batch", path, "--style", "looks:swirls", "--size", 64, "-o", out, "--shards", 1000)
            most = 0
            while process.poll() is None:
                try:
                    most = max(most, psutil.Process(process.pid).memory_info().rss)
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.1)
            process.communicate()
            print(f"{rows:,} rows: driver {most / 1e6:.0f} MB, {time.monotonic() - began:.0f} s, "
                  f"{len([*out.glob('ledger/*')])} shards")  # fmt: skip


def timed(arguments: list[Any], out: Path, env: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of a whole run, and results in a second from when the second shard was done to the end."""
    began = time.monotonic()
    process = in_background(*arguments, "-o", out, **({"env": env} if env else {}))
    process.communicate()
    seconds = time.monotonic() - began
    done = sorted(path.stat().st_mtime for path in out.glob("ledger/*"))
    return seconds, _SHARD * (len(done) - 2) / (done[-1] - done[1])


def speed(photos: Path, count: int) -> None:
    """One painter and two, here and on Ray, in turn, at 512 px by the instant network."""
    with tempfile.TemporaryDirectory() as name, Nodes(2) as nodes:
        folder = Path(name)
        chosen = sorted(photos.iterdir())[:count]
        (folder / "list.txt").write_text("".join(f"{path.absolute()}\n" for path in chosen))
        path = folder / "m.parquet"
        in_background("manifest", folder / "list.txt", "-o", path).communicate()
        rates: dict[str, list[float]] = {}
        for turn in range(2):
            for what, more, env in (
                ("1 here", ["--workers", 1], None),
                ("2 here", ["--workers", 2], None),
                ("1 on Ray", ["--workers", 1, "--on", nodes.address], nodes.own),
                ("2 on Ray", ["--workers", 2, "--on", nodes.address], nodes.own),
            ):
                command = ["batch", path, "--style", STYLE, "--size", 512, "--shards", _SHARD, *more]
                seconds, rate = timed(command, folder / f"{what} {turn}", env)
                rates.setdefault(what, []).append(rate)
                print(f"{what}: {seconds:.1f} s whole, {rate:.2f} results/s", flush=True)
        best = {what: max(found) for what, found in rates.items()}
        same = contents(folder / "1 here 0") == contents(folder / "2 on Ray 1")
        print(
            f"2 against 1 here {best['2 here'] / best['1 here']:.2f}, on Ray {best['2 on Ray'] / best['1 on Ray']:.2f}"
        )
        print(f"Ray's share of the time {100 * (1 - best['2 on Ray'] / best['2 here']):.0f} %; same bytes: {same}")


def faults(photos: Path, kills: int, kinds: list[str]) -> None:
    """Painters, nodes and drivers killed at random moments; each time a whole run of 48 photos in tars of four."""
    with tempfile.TemporaryDirectory() as name:
        folder, chance = Path(name), random.Random(7)
        (folder / "list.txt").write_text("".join(f"{p.absolute()}\n" for p in sorted(photos.iterdir())[:48]))
        path = folder / "m.parquet"
        in_background("manifest", folder / "list.txt", "-o", path).communicate()
        command = ["batch", path, "--style", STYLE, "--size", 128, "--shards", 4]
        whole = folder / "whole"
        in_background(*command, "-o", whole).communicate()
        for what in kinds:
            tally: Counter[str] = Counter()
            for number in range(kills):
                out = folder / f"{what} {number}"
                with Nodes(2) as nodes:
                    on = ["--on", nodes.address] if what.endswith("Ray") else []
                    _run_and_kill([*command, "-o", out, *on], out, what, nodes, chance)
                tally["complete"] += contents(whole) == contents(out)
                found = [one.key for one in outcomes(out)]
                tally["each once"] += len(found) == len(set(found)) == 48
                tally["half files"] += len([path for path in out.rglob("*") if "#" in path.name])
            print(f"{what}, {kills} kills: {dict(tally)}", flush=True)


def _run_and_kill(command: list[Any], out: Path, what: str, nodes: Nodes, chance: random.Random) -> None:
    process = in_background(*command, env=nodes.own)
    while not [*out.glob("ledger/*")] and process.poll() is None:
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 2))
    if what.startswith("driver"):
        process.kill()
        process.communicate()
        process = in_background(*command, env=nodes.own)
    elif what == "node on Ray":
        nodes.replace_one()
    else:
        mark = "MapWorker" if what.endswith("Ray") else "spawn_main"
        alive = [one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])]
        for one in alive[:1]:
            one.kill()
    process.communicate(timeout=300)


def storage(photos: Path, failing: float, delay: float) -> None:
    """Photos and results in a bucket that fails and is slow, beside one that is not."""
    with tempfile.TemporaryDirectory() as name:
        rates: dict[str, tuple[float, Counter[str], int]] = {}
        for what, troubles in (("well", (0.0, 0.0)), ("ill", (failing, delay))):
            with bucket(*troubles) as address:
                from impasto.storage import Storage

                there = Storage(f"{address}/photos")
                for path in sorted(photos.iterdir())[:48]:
                    there.put(path.name, path.read_bytes())
                path = Path(name) / f"{what}.parquet"
                in_background("manifest", f"{address}/photos", "-o", path, env=dict(os.environ)).communicate()
                began, out = time.monotonic(), f"{address}/out"
                in_background(
                    "batch", path, "--style", STYLE, "--size", 512, "-o", out, env=dict(os.environ)
                ).communicate()
                found = outcomes(out)
                rates[what] = time.monotonic() - began, Counter(one.state for one in found), len({o.key for o in found})
        for what, (seconds, states, keys) in rates.items():
            print(f"{what}: {seconds:.1f} s, {dict(states)}, {keys} keys")


def grow() -> None:
    """The simulation, for 10^6 photos at 512 px (0.3 s each) and 10^8, in tars of a thousand."""
    from impasto.cluster.simulation import Pace, Troubles, simulate

    print("photos       painters   hours  efficiency  painted again (spot: 5 % of machines lost an hour)")
    for photos in (10**6, 10**8):
        for painters in (1, 10, 100, 1000):
            calm = simulate(photos // 1000, painters, Pace(300), Troubles())
            spot = simulate(photos // 1000, painters, Pace(300), Troubles(losses_an_hour=0.05))
            print(
                f"{photos:>11,} {painters:>9,} {calm.seconds / 3600:>7.1f} {100 * calm.efficiency:>9.0f} %"
                f"   spot {spot.seconds / 3600:.1f} h, {100 * spot.efficiency:.0f} %, {spot.repainted} shards"
            )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("manifest", "driver", "speed", "faults", "storage", "grow"))
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--count", type=int, default=192)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--of", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--failing", type=float, default=0.05)
    parser.add_argument("--delay", type=float, default=0.05)
    given = parser.parse_args()
    ways: dict[str, Callable[[], None]] = {
        "manifest": lambda: manifest(given.rows[0]),
        "driver": lambda: driver(given.rows),
        "speed": lambda: speed(given.photos, given.count),
        "faults": lambda: faults(given.photos, given.kills, given.of),
        "storage": lambda: storage(given.photos, given.failing, given.delay),
        "grow": grow,
    }
    ways[given.what]()


if __name__ == "__main__":
    main()
