"""How many times as fast this version paints as another one: whole processes in turn, in one run.

git worktree add ../other COMMIT
python benchmarks/against.py ../other/src [--rounds N] [--way NAME ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import impasto

ROOT = Path(__file__).parent.parent
PHOTO, STYLE = ROOT / "examples" / "rocket.jpg", ROOT / "examples" / "styles" / "swirls.jpg"
WAYS = {
    "draft-512": "--preset draft --size 512",
    "balanced-512": "--preset balanced --size 512",
    "balanced-1024": "--preset balanced --size 1024",
    "best-1024": "--preset best --size 1024",
    "instant-3840": "--engine instant --size 3840",
}


def seconds(source: Path, options: str, output: Path) -> float:
    """Of one process that paints by the package in the folder `source`."""
    command = [sys.executable, "-m", "impasto", "paint", PHOTO, STYLE, "-o", output, "--force", *options.split()]
    began = time.perf_counter()
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", action="append", choices=WAYS)
    own = parser.parse_args()
    sources = own.other.resolve(), Path(impasto.__file__).parent.parent
    print("| way | the other, s | this, s | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in own.way or WAYS:
            taken = [[seconds(source, WAYS[name], Path(folder) / "out.png") for source in sources]
                     for _ in range(own.rounds)]  # fmt: skip
            other, this = (statistics.median(column) for column in zip(*taken))
            print(f"| {name} | {other:.1f} | {this:.1f} | {other / this:.2f} |", flush=True)


if __name__ == "__main__":
    main()
