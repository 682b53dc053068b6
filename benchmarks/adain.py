"""The instant network against plain AdaIN (Huang and Belongie, 2017), trained for as many steps on the same crops.

    python benchmarks/adain.py SHARED OUTPUT [--steps 400]

SHARED holds `data/photos`, `data/paintings`, `data/dev` and `judge/judge.py`. Both have the same encoder, loss and
widths; pictures go to OUTPUT.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder
from impasto.losses.terms import Targets
from impasto.media.geometry import resample
from impasto.media.image import Picture, read
from impasto.media.writing import write
from impasto.models.instant import STYLE_LAYERS, Instant
from impasto.models.stages import Stage, Style
from impasto.training.eyes import Eyes, channels_of
from impasto.training.instant import InstantTask
from impasto.training.loop import learn
from impasto.training.pictures import Crops, find_pictures, split
from impasto.training.processes import launch
from impasto.training.settings import InstantTraining
from impasto.training.styles import STYLE, Book, describe_styles

ADAIN_RATE = 1e-3
WIDTHS = (128, 96, 96, 64, 48, 48, 16)


class AdaIN(Instant):
    """Mean and deviation of relu4_1 are the style's; a decoder without normalisation draws."""

    def __init__(self, channels: Mapping[str, int]) -> None:
        nn.Module.__init__(self)
        inputs = [channels["relu4_1"], *WIDTHS[:-1]]
        self.stages = nn.ModuleList(
            [Stage(*pair, enlarge=number in (2, 4, 6)) for number, pair in enumerate(zip(inputs, WIDTHS))]
        )
        self.output = nn.Conv2d(WIDTHS[-1], 3, 3)
        for stage in self.stages:
            nn.init.kaiming_normal_(
                stage.convolution.weight
            )  # nothing else keeps the signal alive without normalisation

    def style(self, description: Mapping[str, Mapping[str, Tensor]]) -> Style:
        mean, moment = description["relu4_1"]["mean"], description["relu4_1"]["moment"]
        deviation = (moment.diagonal(dim1=1, dim2=2) - mean.square()).clamp_min(1e-8).sqrt()
        return Style([deviation[:, :, None, None]], [mean[:, :, None, None]])

    def forward(self, content: Mapping[str, Tensor], style: Style) -> Tensor:
        x = F.instance_norm(content["relu4_1"]) * style.scales[0] + style.shifts[0]
        for stage in self.stages:
            x = F.relu(stage(x))
        return torch.sigmoid(self.output(F.pad(x, (1, 1, 1, 1), "reflect")))


def main() -> None:
    """Train both, paint the development pairs with both, and print the judge's means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    settings = InstantTraining(steps=arguments.steps, validate_every=10**9, device="cpu")
    data, fabric = arguments.shared / "data", launch(settings)
    eyes = Eyes.of(fabric)
    photos, paintings = (split(paths) for paths in find_pictures([data / "photos", data / "paintings"]))
    book = Book.joined([page for _, page in describe_styles(eyes, paintings.training[::4], [1.0, 0.66], set())])
    channels = channels_of(eyes.own)
    print("| network | style | content |\n|---|---|---|")
    for name, make, rate in (("AdaIN", AdaIN, ADAIN_RATE), ("instant", Instant, settings.learning_rate)):
        settings = settings.model_copy(update={"learning_rate": rate})
        torch.manual_seed(0)
        network = make(channels)
        crops = Crops([photos.training], settings.crop_size, disturbed=0.0)
        task = InstantTask(network, eyes, book, (torch.empty(0), book, None), settings)  # type: ignore[arg-type]
        for progress in learn(task, crops, settings, fabric):
            if progress.step % 50 == 0:
                print(name, progress.step, progress.losses, file=sys.stderr)
        network.load_state_dict(progress.network())
        style, content = judged(arguments.shared, arguments.output / name, network, eyes.own)
        print(f"| {name} | {style:.3f} | {content:.3f} |", flush=True)


@torch.inference_mode()
def judged(shared: Path, folder: Path, network: Instant, encoder: Encoder) -> tuple[float, float]:
    """Means of the judge's distances over the development pairs at 512 px."""
    folder.mkdir(parents=True, exist_ok=True)
    dev, rows = shared / "data" / "dev", []
    for content, style in zip(sorted((dev / "content").iterdir()), sorted((dev / "style").iterdir())):
        photo, painting = read(content, 512).pixels, read(style, 512).pixels
        height, width = (side // 8 * 8 for side in photo.shape[-2:])
        seen = encoder(resample(photo, (height, width)), network.content_layers)
        described: Targets = {layer: STYLE.describe(f) for layer, f in encoder(painting, STYLE_LAYERS).items()}
        result = folder / f"{content.stem}_{style.stem}.png"
        write(Picture(network(seen, network.style(described)).clamp(0, 1).contiguous()), result, force=True)
        judge = [sys.executable, shared / "judge" / "judge.py", content, style, result]
        told = json.loads(subprocess.run(judge, check=True, capture_output=True, text=True).stdout)
        rows.append((told["style"], told["content"]))
    style_mean, content_mean = (sum(column) / len(rows) for column in zip(*rows))
    return style_mean, content_mean


if __name__ == "__main__":
    main()
