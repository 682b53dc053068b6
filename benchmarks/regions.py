"""Regions: how near each comes to its part of the painting, what stays outside of masks, edges, strips, what they cost.

    python benchmarks/regions.py SHARED OUTPUT [ROUNDS]

SHARED holds `data/regions`: photos with paintings, both cut into regions by colour. The pictures go to OUTPUT, to be
looked at. Distances are those of `impasto evaluate`, over the places inside a region only.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import Brief, Region
from impasto.controls import select
from impasto.controls.maps import colors_of, places_of
from impasto.encoders import load_encoder
from impasto.losses.wasserstein import Wasserstein
from impasto.masks import fitted
from impasto.media.image import Picture, read
from impasto.media.writing import write
from impasto.metrics.specification import STYLE_LAYERS
from impasto.recipes import feedforward
from impasto.recipes.asked import Asked
from impasto.recipes.painting import open_brief, painted
from impasto.recipes.pictures import Pictures
from impasto.recipes.regions import find, seen_in

SIZE = 512
OBJECTS = {"glass": "000000", "tree": "ffffff", "temple": "ff0000"}
ENGINES = ("optimize", "instant")


@torch.inference_mode()
def style_distance(picture: Tensor, mask: Tensor | None, style: Tensor, style_mask: Tensor | None) -> float:
    """Relative Wasserstein-2 distance of the features inside masks (1, 1, H, W), the mean over layers."""
    encoder, loss = load_encoder("compact"), Wasserstein(root=True)
    own, theirs = encoder(picture, STYLE_LAYERS), encoder(style, STYLE_LAYERS)
    distances = []
    for layer in STYLE_LAYERS:
        masks = [
            mask if mask is None else F.adaptive_avg_pool2d(mask, features.shape[2:])
            for mask, features in ((mask, own[layer]), (style_mask, theirs[layer]))
        ]
        described = loss.describe(own[layer], masks[0])
        distances.append(float(loss.compare(described, loss.prepare(loss.describe(theirs[layer], masks[1])))))
    return sum(distances) / len(distances)


def mask_of(path: Path, color: str, size: tuple[int, int]) -> Tensor:
    """The places of a colour in a map, fitted to a picture."""
    pixels = read(path).pixels
    return fitted(places_of(pixels, colors_of(pixels), color), size)


def like_to_like(folder: Path, output: Path) -> None:
    """Each region's distance to its part of the painting, over what all of the photo reaches in that part alone, and
    over what it reaches in the whole painting."""
    print("\n| photo | engine | over the whole photo in that part | over that in all of it |\n|---|---|---|---|")
    for name in sorted(path.name for path in folder.iterdir()):
        here, painting = folder / name, str(folder / name / "style.jpg")
        style, photo = read(painting, SIZE).pixels, read(here / "photo.jpg", SIZE)
        maps = str(here / "photo_regions.png"), str(here / "style_regions.png")
        for engine in ENGINES:
            settings = {"size": SIZE}
            brief = Asked([painting], engine, changes=settings, maps=maps).brief()
            parted = finished(brief, photo, {})
            plain = finished(Brief(regions=[Region(styles=[painting])], engine=engine, settings=settings), photo, {})
            write(Picture(parted), output / f"{name}_{engine}.png", force=True)
            write(Picture(plain), output / f"{name}_{engine}_whole.png", force=True)
            whole, ratios = style_distance(plain, None, style, None), []
            for region in brief.regions:
                own = mask_of(Path(maps[0]), str(region.mask).split("#")[1], photo.size)
                part = mask_of(Path(maps[1]), region.style_masks[0].split("#")[1], style.shape[2:])
                alone = region.model_copy(update={"mask": None})
                in_part = finished(Brief(regions=[alone], engine=engine, settings=settings), photo, {})
                distance = style_distance(parted, own, style, part)
                ratios.append((distance / style_distance(in_part, None, style, part), distance / whole))
            told = (", ".join(f"{ratio:.2f}" for ratio in column) for column in zip(*ratios))
            print(f"| {name} | {engine} | {' | '.join(told)} |", flush=True)


def masked(folder: Path, output: Path) -> None:
    """Outside of a mask, and along its edge."""
    print("\n| engine | most outside the mask, of 255 | gradient along its edge, over a cross-fade's |\n|---|---|---|")
    photo, style = folder / "temple" / "photo.jpg", str(folder / "harbour" / "style.jpg")
    other = str(folder / "temple" / "style.jpg")
    content = read(photo, SIZE)
    inside = mask_of(folder / "temple" / "photo_regions.png", "ff0000", content.size)
    pictures = {"mask": Picture(inside.expand(-1, 3, -1, -1))}
    for engine in ENGINES:
        settings = {"size": SIZE}
        alone = Brief(regions=[Region(mask="mask", styles=[style])], engine=engine, settings=settings)
        both = Brief(
            regions=[Region(mask="mask", styles=[style]), Region(styles=[other])], engine=engine, settings=settings
        )
        one, two = (finished(brief, content, pictures) for brief in (alone, both))
        first, second = (
            finished(Brief(regions=[Region(styles=[name])], engine=engine, settings=settings), content, {})
            for name in (style, other)
        )
        write(Picture(one), output / f"masked_{engine}.png", force=True)
        write(Picture(two), output / f"two_{engine}.png", force=True)
        outside = ((one - content.pixels).abs() * (inside == 0)).max() * 255
        edge = ((inside > 0) & (inside < 1)).float()
        edge = F.max_pool2d(edge, 3, 1, 1)
        fade = second.lerp(first, inside)
        print(f"| {engine} | {outside:.2f} | {gradient(two, edge) / gradient(fade, edge):.2f} |", flush=True)


def gradient(picture: Tensor, where: Tensor) -> float:
    """Mean length of the gradient of lightness at places (1, 1, H, W)."""
    light = picture.mean(1, keepdim=True)
    across, down = F.pad(light.diff(dim=3), (0, 1)), F.pad(light.diff(dim=2), (0, 0, 0, 1))
    return float(((across.square() + down.square()).sqrt() * where).sum() / where.sum())


def finished(brief: Brief, content: Picture, pictures: dict[str, Picture]) -> Tensor:
    """The picture of a brief."""
    return painted(open_brief(brief, Pictures(pictures)).on(content)).pixels


def strips(folder: Path) -> None:
    """Regions in strips against the same in one piece."""
    photo, name = read(folder / "temple" / "photo.jpg", 1024), str(folder / "temple" / "style.jpg")
    inside = mask_of(folder / "temple" / "photo_regions.png", "ff0000", photo.size)
    pictures = {"mask": Picture(inside.expand(-1, 3, -1, -1))}
    swirls = Brief(
        regions=[Region(mask="mask", styles=["looks:swirls"]), Region(styles=["looks:irises"])],
        settings={"size": 1024, "precision": "float32"},
    )
    regions = [Region(mask="mask", styles=[name]), Region(styles=[str(folder / "glass" / "style.jpg")])]
    instant = Brief(regions=regions, engine="instant", settings={"size": 1024, "precision": "float32"})
    print()
    for what, brief in (("instant", instant), ("looks", swirls)):
        feedforward.IN_STRIPS_BEYOND = 1 << 40
        whole = finished(brief, photo, pictures)
        feedforward.IN_STRIPS_BEYOND = 1
        print(
            f"strips against whole, {what}: {(finished(brief, photo, pictures) - whole).abs().mean() * 255:.3f} of 255"
        )
    feedforward.IN_STRIPS_BEYOND = 3 << 19


def cost(folder: Path, rounds: int) -> None:
    """Two regions against one, in turn, styles and photo open already."""
    print("\n| engine | one, s | two, s | ratio |\n|---|---|---|---|")
    photo, style = read(folder / "temple" / "photo.jpg", SIZE), str(folder / "temple" / "style.jpg")
    inside = mask_of(folder / "temple" / "photo_regions.png", "ff0000", photo.size)
    pictures = {"mask": Picture(inside.expand(-1, 3, -1, -1))}
    other = str(folder / "harbour" / "style.jpg")
    for engine, styles in (
        ("optimize", (style, other)),
        ("instant", (style, other)),
        ("looks", ("looks:swirls", "looks:irises")),
    ):
        regions = [Region(mask="mask", styles=[styles[0]]), Region(styles=[styles[1]])]
        jobs: list[Callable[[], object]] = []
        for parts in (regions[1:], regions):
            brief = Brief(regions=parts, engine=engine, settings={"size": SIZE})
            painting = open_brief(brief, Pictures(pictures)).on(photo)
            jobs.append(lambda painting=painting: painted(painting))  # type: ignore[misc]
        seconds: list[list[float]] = [[], []]
        for number in range(rounds + 1):
            for job, taken in zip(jobs, seconds):
                began = time.perf_counter()
                job()
                if number:
                    taken.append(time.perf_counter() - began)
        one, two = (statistics.median(taken) for taken in seconds)
        print(f"| {engine} | {one:.2f} | {two:.2f} | {two / one:.2f} |", flush=True)


def masks(folder: Path) -> None:
    """Boxes and subjects against the maps: intersection over union; and a box at 12 megapixels."""
    print("\n| photo | box | box, 10 px wider | subject | box at 12 MP, s |\n|---|---|---|---|---|")
    for name, color in OBJECTS.items():
        picture = read(folder / name / "photo.jpg").pixels
        truth = mask_of(folder / name / "photo_regions.png", color, (picture.shape[2], picture.shape[3])) > 0.5
        rows, columns = torch.where(truth[0, 0])
        box = [float(side) for side in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
        wide = [side + by for side, by in zip(box, (-10, -10, 10, 10))]
        large = read(
            folder / name / "photo.jpg", round((12e6 * max(truth.shape[2:]) / min(truth.shape[2:])) ** 0.5)
        ).pixels
        scale = large.shape[3] / picture.shape[3]
        began = time.perf_counter()
        select.from_box(large, tuple(side * scale for side in box), seen_in(large))  # type: ignore[arg-type]
        seconds = time.perf_counter() - began
        found = [select.from_box(picture, tuple(b), seen_in(picture)) for b in (box, wide)]  # type: ignore[arg-type]
        ious = []
        for mask in (*found, find("subject", picture)):
            own = mask > 0.5
            ious.append(float((own & truth).sum() / (own | truth).sum()))
        print(f"| {name} | {ious[0]:.3f} | {ious[1]:.3f} | {ious[2]:.3f} | {seconds:.2f} |", flush=True)


def main() -> None:
    """Print the tables."""
    folder, output = Path(sys.argv[1]) / "data" / "regions", Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    masks(folder)
    strips(folder)
    cost(folder, int(sys.argv[3]) if len(sys.argv) > 3 else 5)
    masked(folder, output)
    like_to_like(folder, output)


if __name__ == "__main__":
    main()
