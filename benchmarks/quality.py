"""Style and content distances and weave of presets and engines, by an independent judge, at the results' own size.

    python benchmarks/quality.py SHARED OUTPUT [--preset NAME ...] [--engine NAME ...] [--size N]
        [-- OPTIONS OF impasto paint]

SHARED holds `judge/judge.py`, `data/dev/content` and `data/dev/style`; the folders are paired by name, first with
first. The pictures go to OUTPUT/NAME, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from measure import run


def main() -> None:
    """Paint all pairs in each way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--preset", action="append", default=[])
    parser.add_argument("--engine", action="append", default=[])
    parser.add_argument("--size", default="512")
    own, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    arguments = parser.parse_args(own.split())
    dev = arguments.shared / "data" / "dev"
    pairs = list(zip(sorted((dev / "content").iterdir()), sorted((dev / "style").iterdir())))
    ways = [("--preset", name) for name in arguments.preset] + [("--engine", name) for name in arguments.engine]
    every = [("--preset", "draft"), ("--preset", "balanced"), ("--preset", "best"), ("--engine", "instant")]
    print("| preset or engine | style | content | grid | seconds |\n|---|---|---|---|---|")
    for option, name in ways or every:
        folder = arguments.output / Path(name).stem
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for content, style in pairs:
            result = folder / f"{content.stem}_{style.stem}.png"
            cost = run(
                "paint",
                content,
                style,
                "-o",
                result,
                option,
                name,
                "--force",
                "--size",
                arguments.size,
                *options.split(),
            )
            judge = [sys.executable, arguments.shared / "judge" / "judge.py", "--size", arguments.size]
            judge += [content, style, result]
            judged = json.loads(subprocess.run(judge, check=True, capture_output=True, text=True).stdout)
            rows.append((judged["style"], judged["content"], judged["grid"], cost.seconds))
            print(f"{result.stem}: {rows[-1]}", file=sys.stderr)
        means = [sum(column) / len(rows) for column in zip(*rows)]
        print(f"| {name} | {means[0]:.3f} | {means[1]:.3f} | {means[2]:.3f} | {means[3]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
