"""Whether training with disturbed photos helps: the same short training with and without, then attacked.

    python benchmarks/steady.py PHOTOS COLLECTION CONTENTS OUTPUT [--steps N] [--weight W] [--start MODEL]

Both go on from the same network for as many steps. `impasto evaluate --adversarial` then attacks each with what it
knows of it. Results that move less count only if manner and content on test photos are as good.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from impasto.shelf.card import read_card

from measure import run


def main() -> None:
    """Train, attack, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photos", "collection", "contents", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", default=150)
    parser.add_argument("--weight", default=1.0)
    parser.add_argument("--start", default="pointillist")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    names = {"plain": 0.0, "steady": given.weight}
    for name, weight in names.items():
        run(
            "train", "collection", "--from", given.photos, "--to", given.collection, "--start", given.start,
            "--method", "fastcut", "--learning-rate", 5e-4, "--steps", given.steps, "--validate-every", 50,
            "--steady-weight", weight, "--force", "-o", given.output / f"{name}.impasto",
        )  # fmt: skip
    engines = [part for name in names for part in ("--engine", given.output / f"{name}.impasto")]
    report = given.output / "report"
    run("evaluate", "--contents", given.contents, "--collection", given.collection, *engines, "--adversarial",
        "--report", report)  # fmt: skip
    moved: dict[str, dict[str, float]] = {}
    for one in json.loads((report / "results.json").read_text())["specification"]["movements"]:
        moved.setdefault(one["disturbance"], {})[one["method"]] = one["result"]
    print("| disturbance | plain: result moves, of 255 | steady | ratio |\n|---|---|---|---|")
    for disturbance, by in moved.items():
        print(f"| {disturbance} | {by['plain']:.2f} | {by['steady']:.2f} | {by['steady'] / by['plain']:.2f} |")
    for name in names:
        print(f"{name}: {read_card(given.output / f'{name}.impasto').training['test']} on test photos")


if __name__ == "__main__":
    main()
