"""Speed, memory and start of `impasto paint`, in turn, in one run; seconds are this machine's at this hour.

    python benchmarks/paint.py [ROUNDS]

The full VGG-19 gets random weights: what it sees is nonsense, how long it takes is not.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from impasto.encoders.vgg import VGG19

from measure import Cost, run

EXAMPLES = Path(__file__).parent.parent / "examples"
PHOTO, SQUARE, STYLE = EXAMPLES / "rocket.jpg", EXAMPLES / "astronaut.jpg", EXAMPLES / "styles" / "swirls.jpg"


def random_vgg19(path: Path) -> None:
    """Weights of the right shapes that keep activations in range."""
    state, channels = {}, 3
    for key, width in VGG19.convolutions.items():
        state[f"conv{key}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
        state[f"conv{key}.bias"] = torch.zeros(width)
        channels = width
    state["conv1_1.weight"] /= 128
    save_file(state, path)


def main(rounds: int) -> None:
    """Print a table of medians."""
    with tempfile.TemporaryDirectory() as folder:
        vgg = Path(folder) / "vgg19.safetensors"
        random_vgg19(vgg)
        options = [STYLE, "-o", Path(folder) / "out.png", "--force", "--size"]
        small, square = ["paint", PHOTO, *options, "512"], ["paint", SQUARE, *options, "512"]
        jobs: dict[str, list[object]] = {
            "impasto --help": ["--help"],
            "draft, 512x342": [*small, "--preset", "draft"],
            "balanced, 512x342": small,
            "balanced, 512x342, vgg19": [*small, "--encoder", "vgg19", "--weights", vgg],
            "draft, 512x512": [*square, "--preset", "draft"],
            "balanced, 512x512": square,
            "balanced, 2048x1366": ["paint", PHOTO, *options, "2048"],
            "balanced, 2048x2048": ["paint", SQUARE, *options, "2048"],
        }
        costs: dict[str, list[Cost]] = {name: [] for name in jobs}
        for number in range(rounds):
            for name, arguments in jobs.items():
                if number == 0 or "2048" not in name:
                    costs[name].append(run(*arguments))
                    print(f"{number + 1}/{rounds} {name}: {costs[name][-1]}", file=sys.stderr)
    print("| job | seconds | core-seconds | peak MB |\n|---|---|---|---|")
    for name, runs in costs.items():
        medians = [statistics.median(getattr(cost, field) for cost in runs) for field in Cost.__dataclass_fields__]
        print(f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[2]:.0f} |")
    ratios = [
        slow.seconds / fast.seconds for slow, fast in zip(costs["balanced, 512x342, vgg19"], costs["balanced, 512x342"])
    ]
    print(f"\nvgg19 takes {statistics.median(ratios):.1f} times as long as compact2.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
