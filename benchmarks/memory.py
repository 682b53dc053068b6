"""Predicted against measured peak memory: sizes x engines x precisions, and tiles of the slow road.

python benchmarks/memory.py PHOTO STYLE OUTPUT [--size N ...]
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

from measure import IMPASTO, run

WAYS = {
    "optimize": ["--preset", "draft"],
    "optimize --memory 1.2GB": ["--preset", "draft", "--memory", "1.2GB"],
    "instant": ["--engine", "instant"],
}


def main() -> None:
    """Estimate and paint each, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, action="append")
    own = parser.parse_args()
    print("| way | precision | size | predicted MB | measured MB | ratio |\n|---|---|---|---|---|---|")
    for name, options in WAYS.items():
        for precision in ("float32", "bfloat16"):
            for size in own.size or (512, 1024, 2048, 4032):
                command = ["paint", own.photo, own.style, "-o", own.output, "--force", "--size", size]
                command += ["--precision", precision, *options]
                said = subprocess.run([IMPASTO, *map(str, command), "--estimate"], capture_output=True, text=True)
                found = re.search(r"([\d.]+) GB", said.stdout + said.stderr)
                if said.returncode or not found:
                    print(f"| {name} | {precision} | {size} | refused: {said.stderr.strip()} | | |", flush=True)
                    continue
                predicted, measured = 1000 * float(found[1]), run(*command).megabytes * 1.048576
                row = name, precision, size, f"{predicted:.0f}", f"{measured:.0f}", f"{predicted / measured:.2f}"
                print("|", " | ".join(map(str, row)), "|", flush=True)


if __name__ == "__main__":
    main()
