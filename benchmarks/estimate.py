"""What `--estimate` says against what is measured, memory and time: sizes x engines x precisions, and tiles.

python benchmarks/estimate.py PHOTO STYLE OUTPUT [--size N ...]
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
    print("| way | precision | size | MB told | MB taken | ratio | s told | s taken | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, options in WAYS.items():
        for precision in ("float32", "bfloat16"):
            for size in own.size or (512, 1024, 2048, 4032):
                command = ["paint", own.photo, own.style, "-o", own.output, "--force", "--size", size]
                command += ["--precision", precision, *options]
                said = subprocess.run([IMPASTO, *map(str, command), "--estimate"], capture_output=True, text=True)
                found = re.search(r"([\d.]+) s and ([\d.]+) GB", said.stdout)
                if said.returncode or not found:
                    print(f"| {name} | {precision} | {size} | refused: {said.stderr.strip()} |", flush=True)
                    continue
                told, cost = (1000 * float(found[2]), float(found[1])), run(*command)
                taken = cost.megabytes * 1.048576, cost.seconds
                pairs = (f"{a:.0f} | {b:.0f} | {a / b:.2f}" for a, b in zip(told, taken))
                print("|", " | ".join([name, precision, str(size), *pairs]), "|", flush=True)


if __name__ == "__main__":
    main()
