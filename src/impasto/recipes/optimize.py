"""Paint by optimisation: the photo's pixels move until their features have the style's statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.controls.color import keep_palette, match_palette
from impasto.device import autocast, choose_device, deterministic, in_bfloat16, telling_when_memory_ends
from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.engine.optimize import Objective, State, Step, enlarge, optimize
from impasto.engine.scales import SMALLEST_SIDE, Scale, plan_scales
from impasto.engine.start import first_image
from impasto.errors import PictureError, SettingsError
from impasto.losses.content import Content
from impasto.losses.cosine import Cosine
from impasto.losses.gram import Gram
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Loss, Targets, Term, describe, mix, total
from impasto.losses.wasserstein import Wasserstein
from impasto.media.geometry import fit, resample, shift
from impasto.media.image import Picture
from impasto.models.grain import varied
from impasto.recipes.estimate import seconds_of, trial_size
from impasto.recipes.feedforward import FeedForward
from impasto.settings import ContentLoss, Look, Recipe, StyleLoss

PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))

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
class Painter:
    """A photo, styles and all that is needed to paint; `recipe.size` is a number."""

    content: Picture
    styles: Sequence[Picture]
    blend: Sequence[float]
    recipe: Recipe
    encoder: Encoder

    def paint(self, resume: State | None = None) -> Iterator[Step]:
        """Paint, yielding after every step; `finish` makes a picture of any of them.

        Raises:
            PictureError: the photo is too narrow at this size, or a picture is all one colour.
            SettingsError: nothing has a weight.
            TooLargeError: memory ran out.
            DivergedError: the loss is no longer a finite number.
        """
        self._check()
        scales = self.scales()
        if self.recipe.strength > 0:
            with deterministic(), telling_when_memory_ends((scales[-1].height, scales[-1].width)):
                yield from optimize(scales, _Canvas(self), self.recipe, resume)

    def _check(self) -> None:
        if not self.recipe.style_weight + self.recipe.content_weight + self.recipe.smoothness_weight:
            raise SettingsError("The weights of style, content and smoothness are all 0; raise one of them.")
        _check_not_flat(self.content, "photo")
        for style in self.styles:
            _check_not_flat(style, "style")

    def scales(self) -> list[Scale]:
        """The sizes to paint at.

        Raises:
            PictureError: the photo is too narrow at this size.
        """
        assert isinstance(self.recipe.size, int)
        height, width = self.size()
        if min(height, width) < SMALLEST_SIDE:
            needed = -(-self.recipe.size * SMALLEST_SIDE // min(height, width))
            raise PictureError(
                f"At a size of {self.recipe.size} the photo would be {width}x{height} pixels; its short side needs "
                f"{SMALLEST_SIDE}, so give --size {needed} or more, or crop the photo."
            )
        return plan_scales(height, width, self.recipe.steps, pyramid=self.recipe.pyramid)

    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return fit(*self.content.size, int(self.recipe.size))

    def seconds(self) -> float:
        """About how long it takes, from one step on a small copy."""
        self._check()
        scales, small = self.scales(), trial_size(self.size())
        scale, canvas = Scale(*small, 1, 1.0), _Canvas(self)
        objective, image = canvas.objective(scale), canvas.content_at(scale).clone().requires_grad_()

        def step() -> None:
            with torch.enable_grad():
                loss, _ = objective(image, step=0, exact=False)
            torch.autograd.grad(loss, image)

        return seconds_of(step) * sum(scale.cost for scale in scales) / (small[0] * small[1])

    def finish(self, step: Step | None) -> Picture:
        """The picture as it was after `step`, or the photo itself before the first: colours chosen, alpha put back."""
        content, (height, width) = self.content, self.size()
        photo = resample(content.pixels, (height, width)).clamp(0, 1)
        alpha = None if content.alpha is None else resample(content.alpha, (height, width)).clamp(0, 1)
        pixels = photo if step is None else resample(step.picture.float().cpu(), (height, width)).clamp(0, 1)
        if self.recipe.color == "content" and step is not None:
            pixels = keep_palette(pixels, photo)
        return Picture(pixels.contiguous(), alpha, content.profile, content.depth)


class _Canvas:
    """A painter's pictures at each size, on the device, and what they are judged by there."""

    def __init__(self, painter: Painter) -> None:
        self.recipe, self.blend = painter.recipe, painter.blend
        self.device = choose_device(self.recipe.device)
        self.bfloat16 = in_bfloat16(self.device, self.recipe.precision)
        self.encoder = painter.encoder.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.encoder.check(self.recipe.layers())
        self.content = painter.content.pixels.to(self.device)
        recolored = self.recipe.color != "style"
        self.styles = [
            match_palette(style.pixels, painter.content.pixels).to(self.device)
            if recolored
            else style.pixels.to(self.device)
            for style in painter.styles
        ]

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        """The picture to start from at `scale`."""
        content = self.content_at(scale)
        if coarser is None:
            first = self._first_image(content, scale)
            return content.lerp(first, self.recipe.strength)
        detail = 1 - self.recipe.strength * (1 - self.recipe.detail)
        coarse_content = resample(self.content, (coarser.shape[-2], coarser.shape[-1]))
        return enlarge(coarser, content, coarse_content, detail)

    def _first_image(self, content: Tensor, scale: Scale) -> Tensor:
        if self.recipe.start != "instant":
            varied_content = varied(content, self.recipe.seed)
            return first_image(self.recipe.start, varied_content, self.styles[0], self.recipe.seed)
        instant = FeedForward.open("instant", Look(device=self.recipe.device, precision=self.recipe.precision))
        style = instant.style_of([instant.describe(sized) for sized in self._sized_styles(scale)], self.blend)
        return instant.draw(content, style, seed=self.recipe.seed).to(self.device)

    def objective(self, scale: Scale) -> Objective:
        """The weighted losses at `scale`, their targets computed once."""
        recipe = self.recipe
        style = Term("style", STYLE_LOSSES[recipe.style_loss], recipe.style_layers, recipe.style_weight)
        content = Term("content", CONTENT_LOSSES[recipe.content_loss], recipe.content_layers, recipe.content_weight)
        smoothness = Term("smoothness", TotalVariation(recipe.smoothness), {"image": 1.0}, recipe.smoothness_weight)
        terms = [term for term in (style, content, smoothness) if term.weight]
        with torch.no_grad():
            of_photo = terms if recipe.strength < 1 else [term for term in terms if term is not style]
            targets = describe(of_photo, self._see(self.content_at(scale), of_photo, exact=True))
            if style in terms:
                painted = self._style_description(style, scale)
                shares = [1 - recipe.strength, recipe.strength]
                targets["style"] = mix([targets["style"], painted], shares) if recipe.strength < 1 else painted
            prepared = {term.name: term.prepare(targets[term.name]) for term in terms}

        def objective(image: Tensor, *, step: int, exact: bool) -> tuple[Tensor, dict[str, float]]:
            shifted = shift(image, *PHASES[step % len(PHASES)]) if recipe.jitter else image
            return total(terms, describe(terms, self._see(shifted, terms, exact=exact)), prepared)

        return objective

    def content_at(self, scale: Scale) -> Tensor:
        """The photo at `scale`."""
        return resample(self.content, (scale.height, scale.width)).clamp(0, 1)

    def _style_description(self, style: Term, scale: Scale) -> Targets:
        """The styles' statistics, blended."""

        def see(part: Tensor) -> Iterator[tuple[str, Tensor]]:
            return self._see(part, [style], exact=True)

        descriptions = [described(sized, self.encoder, style.loss.describe, see) for sized in self._sized_styles(scale)]
        return mix(descriptions, self.blend)

    def _sized_styles(self, scale: Scale) -> Iterator[Tensor]:
        long_side = max(scale.height, scale.width) * self.recipe.style_scale
        for picture in self.styles:
            height, width = picture.shape[-2:]
            factor = max(long_side / max(height, width), SMALLEST_SIDE / min(height, width))
            yield resample(picture, (round(height * factor), round(width * factor))).clamp(0, 1)

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


def _check_not_flat(picture: Picture, what: str) -> None:
    if float(picture.pixels.amax((2, 3)).sub(picture.pixels.amin((2, 3))).max()) < 2 / 255:
        raise PictureError(f"The {what} is all one colour, so there is nothing to see in it; give another picture.")
