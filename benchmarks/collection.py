"""A translator against the photos as they are and the instant network, on what no training has seen.

    python benchmarks/collection.py MODEL PHOTOS COLLECTION OUTPUT [--size N] [--encoder NAME FILE]

PHOTOS and COLLECTION are what MODEL was trained on: the same split leaves the same part for testing. Up to a hundred
photos are painted at their own size, or those of N pixels or more at N; the instant network takes a random painting of
the collection for each. Fréchet and kernel distances are to the collection's held-out part. Pictures go to OUTPUT.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch

from impasto.brief import of_painting
from impasto.encoders import load_encoder
from impasto.media.image import dimensions, read
from impasto.media.writing import write
from impasto.metrics.measures import content_distance
from impasto.metrics.sets import cells, frechet_distance, kernel_distance
from impasto.metrics.specification import CONTENT_LAYERS, SIZE
from impasto.recipes.painting import open_brief, painted
from impasto.training.pictures import find_pictures, split

PHOTOS_TESTED = 100
HELD_OUT = 0.2


def main() -> None:
    """Paint, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("collection", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--encoder", nargs=2, metavar=("NAME", "FILE"), default=None)
    arguments = parser.parse_args()
    found = find_pictures([arguments.photos, arguments.collection])
    photos, paintings = (split(paths, 0, held_out=HELD_OUT) for paths in found)
    large = [photo for photo in photos.test if max(dimensions(photo)) >= arguments.size]
    chosen, chance = large[:PHOTOS_TESTED], random.Random(0)
    every_painting = [*paintings.training, *paintings.validation, *paintings.test]
    sets = {"untouched photos": chosen}
    for name, model in (("translator", arguments.model), ("instant", "instant")):
        folder = arguments.output / name
        folder.mkdir(parents=True, exist_ok=True)
        sets[name] = []
        for photo in chosen:
            size, target = {"size": arguments.size or max(dimensions(photo))}, folder / f"{photo.stem}.png"
            styles = [str(chance.choice(every_painting))] if name == "instant" else [model]
            brief = of_painting(styles, "instant" if name == "instant" else None, size)
            write(painted(open_brief(brief).on(photo)), target, force=True)
            sets[name].append(target)
    encoder = load_encoder("compact")
    judge = load_encoder(arguments.encoder[0], Path(arguments.encoder[1])) if arguments.encoder else encoder
    seen_at = arguments.size or SIZE
    wanted = torch.cat([features for _, features in cells(judge, paintings.test, seen_at)])
    print(f"{len(chosen)} photos, {len(paintings.test)} held-out paintings, seen by {judge.architecture.name}")
    print("| what | Fréchet | of untouched | kernel | content |\n|---|---|---|---|---|")
    usual = 0.0
    for name, pictures in sets.items():
        features = torch.cat([seen for _, seen in cells(judge, pictures, seen_at)])
        distance = frechet_distance(features, wanted)
        usual = usual or distance
        lost = [content_lost(encoder, *pair) for pair in zip(pictures, chosen)]
        kernel, content = kernel_distance(features, wanted), sum(lost) / len(lost)
        print(f"| {name} | {distance:.3f} | {distance / usual:.0%} | {kernel:.4f} | {content:.3f} |", flush=True)


@torch.inference_mode()
def content_lost(encoder: torch.nn.Module, result: Path, photo: Path) -> float:
    """Content distance between two pictures of one size."""
    size = max(dimensions(result))
    return content_distance(*(encoder(read(path, size).pixels, CONTENT_LAYERS) for path in (result, photo)))


if __name__ == "__main__":
    main()
