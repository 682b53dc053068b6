"""Paint by optimisation: the photo's pixels move until their features have the style's statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from impasto.brief import Brief, Region
from impasto.controls.color import recolored
from impasto.device import autocast, choose_device, deterministic, free_memory, in_bfloat16, telling_when_memory_ends
from impasto.encoders import weights_path
from impasto.encoders.encoder import Encoder
from impasto.engine import optimize as engine
from impasto.engine.describe import described
from impasto.engine.memory import bytes_per_pixel
from impasto.engine.optimize import Objective, State, enlarge, optimize
from impasto.engine.scales import SMALLEST_SIDE, Scale, plan_scales
from impasto.engine.start import first_image
from impasto.errors import PictureError, SettingsError, TooLargeError
from impasto.losses.content import Content
from impasto.losses.cosine import Cosine
from impasto.losses.gram import Gram
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Loss, Targets, Term, describe, joined, mix, part_of, total
from impasto.losses.wasserstein import Wasserstein
from impasto.masks import Masks
from impasto.media.geometry import fit, resample, shift
from impasto.media.image import Picture
from impasto.models.grain import varied
from impasto.provenance import Record, Source, versions
from impasto.recipes.estimate import Estimate, seconds_of, trial_size
from impasto.recipes.feedforward import FeedForward
from impasto.recipes.networks import encoder_for
from impasto.recipes.painting import Step
from impasto.recipes.pictures import Given, Pictures, recorded
from impasto.recipes.regions import Layout, MaskReader, lay_out
from impasto.recipes.strength import settled
from impasto.recipes.styles import check_not_flat, read_painting
from impasto.settings import ContentLoss, Look, Recipe, StyleLoss, style_size
from impasto.shelf.models import find
from impasto.weights.files import sha256

PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
_MEMORY_SHARE = 0.8
_BASE_BYTES = 350e6

STYLE_LOSSES: dict[StyleLoss, Loss] = {
    "wasserstein": Wasserstein(root=True),
    "gram": Gram("gatys"),
    "gram-size": Gram("size", mean_weight=1.0),
    "moments": Moments("relative"),
    "sliced": SlicedWasserstein(),
}
CONTENT_LOSSES: dict[ContentLoss, Loss] = {
    "instance": Content("instance"),
    "mean": Content("mean"),
    "gatys": Content("gatys"),
    "cosine": Cosine(),
}


@dataclass(frozen=True)
class Optimization:
    """An encoder and the settings, for as many photos as you like."""

    brief: Brief
    pictures: Pictures
    encoder: Encoder

    @staticmethod
    def open(brief: Brief, pictures: Pictures) -> Optimization:
        """Load the encoder.

        Raises:
            InputError: weights or settings that cannot be used.
        """
        recipe = brief.recipe
        if not recipe.style_weight + recipe.content_weight + recipe.smoothness_weight:
            raise SettingsError("The weights of style, content and smoothness are all 0; raise one of them.")
        weights = pictures.path(brief.weights) if brief.weights else None
        encoder = encoder_for(recipe.encoder, weights, recipe.pooling, choose_device(recipe.device))
        encoder.check(sorted(recipe.layers()))
        return Optimization(brief, pictures, encoder)

    def on(self, photo: Given) -> OptimizedPainting:
        """The painting of a photo; the size of the result is a number then.

        Raises:
            PictureError: a photo, painting or mask that cannot be used.
            TooLargeError: it would not fit into memory.
        """
        shape = self.pictures.dimensions(photo)
        size = self._size_that_fits(shape)
        with telling_when_memory_ends(fit(*shape, size)):
            content = self.pictures.read(photo, size)
            brief = settled(self.brief, content, self.pictures)
            brief = brief.model_copy(update={"settings": brief.settings.model_copy(update={"size": size})})
            layout = lay_out(brief, content, self.pictures)
            paintings = tuple(tuple(self._paintings(region, size)) for region in layout.regions)
        return OptimizedPainting(replace(self, brief=brief), content, self.pictures.source(photo), layout, paintings)

    def _paintings(self, region: Region, size: int) -> Iterator[tuple[Picture, Tensor | None]]:
        """A region's paintings with the masks of the parts that are the style."""
        enlarged = style_size(size, region.style_scale or 1.0)
        for style, mask in zip(region.styles, region.style_masks or ("",) * len(region.styles)):
            painting = read_painting(style, enlarged, self.pictures)
            check_not_flat(painting.pixels, f"The style {Path(style).name}")
            yield painting, MaskReader(painting, self.pictures).read(mask) if mask else None

    def bytes_per_pixel(self) -> float:
        """Of the result, while it is painted."""
        count = len(self.brief.regions) if self.brief.parted else 0
        return bytes_per_pixel(self.encoder.architecture, self.brief.recipe.layers(), count)

    def _size_that_fits(self, shape: tuple[int, int]) -> int:
        """The size asked for if it fits into memory; the largest that does, up to the photo's own, for `max`."""
        recipe, per_pixel = self.brief.recipe, self.bytes_per_pixel()
        free = free_memory(choose_device(recipe.device))
        square = max(shape) ** 2 / (shape[0] * shape[1])
        fitting = int((_MEMORY_SHARE * free / per_pixel * square) ** 0.5) // 64 * 64
        if recipe.size == "max":
            return max(64, min(fitting, max(shape)))
        height, width = fit(*shape, recipe.size)
        if recipe.size > fitting:
            raise TooLargeError(
                f"Painting {width}x{height} pixels takes about {height * width * per_pixel / 1e9:.1f} GB, and "
                f"{free / 1e9:.1f} GB are free; give --size {max(64, fitting)} or less, or --size max."
            )
        return recipe.size


@dataclass(frozen=True)
class OptimizedPainting:
    """A photo, what is to be painted where, and the paintings of each region with their masks."""

    work: Optimization
    photo: Picture
    source: Source
    layout: Layout
    paintings: tuple[tuple[tuple[Picture, Tensor | None], ...], ...]

    @property
    def recipe(self) -> Recipe:
        """The settings, the size of the result a number."""
        return self.work.brief.recipe

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return fit(*self.photo.size, int(self.recipe.size))

    @cached_property
    def record(self) -> Record:
        """What it is made from."""
        work, recipe = self.work, self.recipe
        brief, sources = recorded(work.brief, work.pictures)
        weights = work.pictures.path(work.brief.weights) if work.brief.weights else None
        seen, device = weights_path(recipe.encoder, weights), choose_device(recipe.device)
        instant = find("instant") if recipe.start == "instant" else None
        return Record(
            brief=brief.model_dump(mode="json"),
            content=self.source,
            pictures=sources,
            encoder=Source(name=seen.name, sha256=sha256(seen)),
            model=instant and Source(name=instant.name, sha256=sha256(instant)),
            versions=versions(device, bfloat16=in_bfloat16(device, recipe.precision)),
        )

    def steps(self, resume: State | None = None) -> Iterator[Step]:
        """Paint, yielding after every update.

        Raises:
            PictureError: the photo is too narrow at this size, or all one colour.
            TooLargeError: memory ran out.
            DivergedError: the loss is no longer a finite number.
        """
        scales = self.scales()
        if self.layout.empty:
            return
        with deterministic(), telling_when_memory_ends((scales[-1].height, scales[-1].width)):
            for update in optimize(scales, _StyleTransfer(self), self.recipe, resume):
                yield Step(update.done, _told(update), update.losses, _Finisher(self, update), update.state)

    def scales(self) -> list[Scale]:
        """The sizes to paint at.

        Raises:
            PictureError: the photo is too narrow at this size, or all one colour.
        """
        check_not_flat(self.photo.pixels, "The photo")
        height, width = self.size
        if min(height, width) < SMALLEST_SIDE:
            needed = -(-int(self.recipe.size) * SMALLEST_SIDE // min(height, width))
            raise PictureError(
                f"At a size of {self.recipe.size} the photo would be {width}x{height} pixels; its short side needs "
                f"{SMALLEST_SIDE}, so give --size {needed} or more, or crop the photo."
            )
        return plan_scales(height, width, self.recipe.steps, pyramid=self.recipe.pyramid)

    def estimate(self) -> Estimate:
        """About what time and memory it takes, from one step on a small copy."""
        scales, small = self.scales(), trial_size(self.size)
        scale, problem = Scale(*small, 1, 1.0), _StyleTransfer(self)
        objective, image = problem.objective(scale), problem.content_at(scale).clone().requires_grad_()

        def step() -> None:
            with torch.enable_grad():
                loss, _ = objective(image, step=0, exact=False)
            torch.autograd.grad(loss, image)

        seconds = seconds_of(step) * sum(scale.cost for scale in scales) / (small[0] * small[1])
        height, width = self.size
        return Estimate(self.size, seconds, _BASE_BYTES + height * width * self.work.bytes_per_pixel())

    def unpainted(self) -> Picture:
        """The photo at the size of the result."""
        return self._finished(self._sized(self.photo.pixels), 1.0)

    def _sized(self, pixels: Tensor) -> Tensor:
        return resample(pixels, self.size).clamp(0, 1)

    def _finished(self, pixels: Tensor, done: float) -> Picture:
        alpha = None if self.photo.alpha is None else self._sized(self.photo.alpha)
        record = self.record.model_copy(update={"done": done})
        return Picture(pixels.contiguous(), alpha, self.photo.profile, self.photo.depth, record.to_xmp())


@dataclass(frozen=True)
class _Finisher:
    """Makes the picture of an update, when it is asked for: colours chosen, the photo around it, alpha put back."""

    painting: OptimizedPainting
    update: engine.Step

    def __call__(self) -> Picture:
        painting = self.painting
        painted, photo = painting._sized(self.update.picture.float().cpu()), painting._sized(painting.photo.pixels)
        return painting._finished(painting.layout.composed(painted, photo), self.update.done)


class _StyleTransfer:
    """A painting's pictures at each size, on the device, and what they are judged by there."""

    def __init__(self, painting: OptimizedPainting) -> None:
        self.recipe, self.layout = painting.recipe, painting.layout
        self.device = choose_device(self.recipe.device)
        self.bfloat16 = in_bfloat16(self.device, self.recipe.precision)
        self.encoder = painting.work.encoder
        self.content = painting.photo.pixels.to(self.device)
        self.masks = self.layout.masks and self.layout.masks.changed(lambda mask: mask.to(self.device))
        self.styles = [
            [(self._recolored(picture, painting, number).to(self.device), mask) for picture, mask in pictures]
            for number, pictures in enumerate(painting.paintings)
        ]

    def _recolored(self, style: Picture, painting: OptimizedPainting, number: int) -> Tensor:
        color, masks = painting.layout.regions[number].color or "style", painting.layout.masks
        inside = None if masks is None else masks.inside[:, number : number + 1]
        return recolored(style.pixels, color if color != "content" else "match", painting.photo.pixels, inside)

    def masks_at(self, scale: Scale) -> Masks | None:
        """The masks of the regions at `scale`."""
        return self.masks and self.masks.at(scale.height, scale.width)

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        """The picture to start from at `scale`."""
        content, strengths = self.content_at(scale), self.layout.strengths
        if coarser is None:
            first = self._first_image(content, scale)
            masks = self.masks_at(scale)
            return content.lerp(first, masks.spread(strengths) if masks else strengths[0])
        details = [1 - strength * (1 - self.recipe.detail) for strength in strengths]
        coarse_content = resample(self.content, (coarser.shape[-2], coarser.shape[-1]))
        masks = self.masks and self.masks.at(*coarser.shape[2:])
        return enlarge(coarser, content, coarse_content, masks.spread(details) if masks else details[0])

    def _first_image(self, content: Tensor, scale: Scale) -> Tensor:
        if self.recipe.start == "instant":
            return self._instant_image(content, scale)
        start, seed = self.recipe.start, self.recipe.seed
        varied_content, masks = varied(content, seed), self.masks_at(scale)
        images = [first_image(start, varied_content, styles[0][0], seed) for styles in self.styles]
        if masks is None or start != "color":
            return images[0]
        parts = [masks.shares[:, n : n + 1] * image for n, image in enumerate(images)]
        return torch.stack(parts).sum(0)

    def _instant_image(self, content: Tensor, scale: Scale) -> Tensor:
        instant = FeedForward.open("instant", Look(device=self.recipe.device, precision=self.recipe.precision))
        descriptions = [
            mix([instant.describe(sized, mask) for sized, mask in self._sized_styles(number, scale)], region.shares)
            for number, region in enumerate(self.layout.regions)
        ]
        style, masks = instant.style_of(descriptions), self.masks_at(scale)
        return instant.draw(content, style, masks, seed=self.recipe.seed).to(self.device)

    def objective(self, scale: Scale) -> Objective:
        """The weighted losses at `scale`, their targets computed once."""
        recipe, masks = self.recipe, self.masks_at(scale)
        style, others = self._style_term(masks), self._other_terms()
        terms = [style, *others] if style.weight else others
        with torch.no_grad():
            weaker = bool(style.weight) and min(self.layout.strengths) < 1
            of_photo = [style, *others] if weaker else others
            targets = describe(of_photo, self._see(self.content_at(scale), of_photo, exact=True), masks)
            if style.weight:
                targets["style"] = self._style_targets(style, scale, targets.get("style"))
            prepared = {term.name: term.prepare(targets[term.name]) for term in terms}
        phases = PHASES if recipe.jitter else PHASES[:1]
        moved = [masks and masks.changed(lambda mask, by=by: shift(mask, *by)) for by in phases]

        def objective(image: Tensor, *, step: int, exact: bool) -> tuple[Tensor, dict[str, float]]:
            phase = step % len(phases)
            shifted = shift(image, *phases[phase]) if recipe.jitter else image
            return total(terms, describe(terms, self._see(shifted, terms, exact=exact), moved[phase]), prepared)

        return objective

    def _style_term(self, masks: Masks | None) -> Term:
        """Style, of which each region counts by the root of what it covers of the picture.

        By the area itself, small regions come less near to their styles (`benchmarks/regions.py`, a region of 7 %: 2.6
        times the distance of the whole, by the root 2.2), and large ones hardly nearer.
        """
        recipe = self.recipe
        areas = tuple(area**0.5 for area in masks.areas) if masks else ()
        return Term("style", STYLE_LOSSES[recipe.style_loss], recipe.style_layers, recipe.style_weight, areas)

    def _style_targets(self, term: Term, scale: Scale, of_photo: Targets | None) -> Targets:
        """What each region is to reach: its styles blended, and with the photo's own where it is weaker."""
        rows = []
        for number, strength in enumerate(self.layout.strengths):
            row = self._style_description(term, scale, number)
            if strength < 1:
                assert of_photo is not None
                row = mix([part_of(of_photo, number), row], [1 - strength, strength])
            rows.append(row)
        return joined(rows)

    def _other_terms(self) -> list[Term]:
        recipe = self.recipe
        content = Term("content", CONTENT_LOSSES[recipe.content_loss], recipe.content_layers, recipe.content_weight)
        smoothness = Term("smoothness", TotalVariation(recipe.smoothness), {"image": 1.0}, recipe.smoothness_weight)
        return [term for term in (content, smoothness) if term.weight]

    def content_at(self, scale: Scale) -> Tensor:
        """The photo at `scale`."""
        return resample(self.content, (scale.height, scale.width)).clamp(0, 1)

    def _style_description(self, term: Term, scale: Scale, number: int) -> Targets:
        """The statistics of a region's styles, blended."""

        def see(part: Tensor) -> Iterator[tuple[str, Tensor]]:
            return self._see(part, [term], exact=True)

        descriptions = [
            described(sized, self.encoder, term.loss.describe, see, mask)
            for sized, mask in self._sized_styles(number, scale)
        ]
        return mix(descriptions, self.layout.regions[number].shares)

    def _sized_styles(self, number: int, scale: Scale) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A region's paintings and the masks of their parts, for this size."""
        long_side = max(scale.height, scale.width) * (self.layout.regions[number].style_scale or 1.0)
        for picture, mask in self.styles[number]:
            height, width = picture.shape[-2:]
            factor = max(long_side / max(height, width), SMALLEST_SIDE / min(height, width))
            yield resample(picture, (round(height * factor), round(width * factor))).clamp(0, 1), mask

    def _see(self, image: Tensor, terms: Sequence[Term], *, exact: bool) -> Iterator[tuple[str, Tensor]]:
        """(layer, features) in float32 for every layer that `terms` look at."""
        layers = {layer for term in terms for layer in term.layers}
        walk = self.encoder.walk(image.contiguous(memory_format=torch.channels_last), layers)
        while True:
            with autocast(self.device, bfloat16=self.bfloat16 and not exact):
                seen = next(walk, None)
            if seen is None:
                return
            yield seen[0], seen[1].float()


def _told(update: engine.Step) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in update.losses.items())
    return f"size {update.scale}/{update.scales}  step {update.step}/{update.steps}  {losses}"
