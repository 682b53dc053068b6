"""What a painting by optimisation is judged by: style in each region, content, smoothness; and where it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from impasto.controls.color import recolored
from impasto.device import choose_device, each_in_autocast, in_bfloat16
from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.engine.judgement import JITTER, STILL, Judgement
from impasto.engine.optimize import Objective, enlarge
from impasto.engine.scales import SMALLEST_SIDE, Scale, style_side
from impasto.engine.start import first_image
from impasto.engine.tiles import overhead, window_pixels
from impasto.losses.carried import Carried
from impasto.losses.content import Content
from impasto.losses.cosine import Cosine
from impasto.losses.gram import Gram
from impasto.losses.moments import Moments
from impasto.losses.sliced import SlicedWasserstein
from impasto.losses.smoothness import TotalVariation
from impasto.losses.terms import Loss, PlaceLoss, Targets, Term, joined, mix, part_of
from impasto.losses.wasserstein import Wasserstein
from impasto.masks import Masks, fitted
from impasto.media.geometry import resample
from impasto.media.image import Picture
from impasto.models.grain import varied
from impasto.models.instant import STYLE_LAYERS
from impasto.recipes.feedforward import FeedForward
from impasto.recipes.regions import Layout
from impasto.settings import ContentLoss, Look, Recipe, StyleLoss

Paintings: TypeAlias = Sequence[Sequence[tuple[Picture, Tensor | None]]]
Known: TypeAlias = tuple[int, Scale, int]
"""The size of a result, the size at which it is judged, and a region of the brief: what a description belongs to."""

_GROWS_FROM, _GROWS_TO = 512, 1792
_LARGE_BEYOND = 1024
# A coarser size has seen to the deepest layer. In larger pictures its pull meets in a few places and paints patches of
# grain there: in golden_gate after tahiti at 2048 px with all of it, not with 0.3 of it nor without (style 0.080,
# 0.085, 0.104; over four pairs 0.106 with all of it, 0.104 with 0.3).
_DEEPEST = 0.3
_STEADINESS = 30.0

STYLE_LOSSES: dict[StyleLoss, Loss] = {
    "wasserstein": Wasserstein(root=True),
    "gram": Gram("gatys"),
    "gram-size": Gram("size", mean_weight=1.0),
    "moments": Moments("relative"),
    "sliced": SlicedWasserstein(),
}
CONTENT_LOSSES: dict[ContentLoss, PlaceLoss] = {
    "instance": Content("instance"),
    "mean": Content("mean"),
    "gatys": Content("gatys"),
    "cosine": Cosine(),
}


@dataclass(frozen=True)
class Before:
    """The frame painted before, carried along (1, 3, H, W), and how sure each place of it is (1, 1, H, W)."""

    painted: Tensor
    trust: Tensor

    def at(self, scale: Scale, device: torch.device) -> Before:
        """At the size of `scale`."""
        size = (scale.height, scale.width)
        return Before(*(resample(part, size).clamp(0, 1).to(device) for part in (self.painted, self.trust)))


class StyleTransfer:
    """A painting's pictures at each size, on the device, and what they are judged by there."""

    def __init__(
        self,
        photo: Picture,
        layout: Layout,
        paintings: Paintings,
        recipe: Recipe,
        encoder: Encoder,
        side: int = 0,
        before: Before | None = None,
        known: dict[Known, Targets] | None = None,
    ) -> None:
        self.side, self.before = side, before
        lasting = known is not None and all(region.color in ("style", "harmony") for region in layout.regions)
        self._descriptions = known if lasting and known is not None else {}
        self._owners = layout.origin if lasting else range(len(layout.regions))
        self.recipe, self.layout, self.encoder = recipe, layout, encoder
        self.device = choose_device(self.recipe.device)
        self.bfloat16 = in_bfloat16(self.device, self.recipe.precision)
        self.content = photo.pixels.to(self.device)
        self.masks = self.layout.masks and self.layout.masks.changed(lambda mask: mask.to(self.device))
        self.styles = [
            [(self._recolored(picture, photo, number).to(self.device), mask) for picture, mask in pictures]
            for number, pictures in enumerate(paintings)
        ]

    def _recolored(self, style: Picture, photo: Picture, number: int) -> Tensor:
        color, masks = self.layout.regions[number].color or "style", self.layout.masks
        inside = None if masks is None else masks.inside[:, number : number + 1]
        return recolored(style.pixels, color if color != "content" else "match", photo.pixels, inside)

    def tile_at(self, scale: Scale) -> int:
        """The side of the tiles in which a picture of this size is judged; 0 for in one piece."""
        return self.side if scale.height * scale.width > window_pixels(self.side, self._reach or 0) else 0

    def pixels_seen(self, scale: Scale) -> float:
        """At how many pixels a step looks, as far as that takes time: more than there are, in tiles."""
        side, pixels = self.tile_at(scale), scale.height * scale.width
        return pixels * (overhead(scale.height, scale.width, side, self._reach or 0) if side else 1.0)

    @property
    def _reach(self) -> int | None:
        """How far around it a pixel matters; None where features are put in order all over the picture."""
        return None if self.recipe.orders_features else self.encoder.reach

    def masks_at(self, scale: Scale) -> Masks | None:
        """The masks of the regions at `scale`."""
        return self.masks and self.masks.at(scale.height, scale.width)

    def place(self, scale: Scale, coarser: Tensor | None) -> Tensor:
        """The picture to start from at `scale`."""
        content, strengths, masks = self.content_at(scale), self.layout.strengths, self.masks_at(scale)
        if coarser is not None and self.recipe.start == "noise":
            first = content
        else:
            first = content.lerp(self._first_image(content, scale), masks.spread(strengths) if masks else strengths[0])
        if coarser is not None:
            return enlarge(coarser, first, self.recipe.detail)
        before = self.before and self.before.at(scale, self.device)
        return first.lerp(before.painted, before.trust) if before else first

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
        same = self.encoder is instant.encoder and self.recipe.style_loss == "wasserstein"
        if same and {*self.recipe.style_layers} == {*STYLE_LAYERS}:
            descriptions = [self._style_description(scale, number) for number in range(len(self.styles))]
        else:
            descriptions = [
                mix([instant.describe(*sized, self.side) for sized in self._sized_styles(number, scale)], region.shares)
                for number, region in enumerate(self.layout.regions)
            ]
        style, masks = instant.style_of(descriptions), self.masks_at(scale)
        in_strips = self.tile_at(scale) > 0
        return instant.draw(content, style, masks, seed=self.recipe.seed, in_strips=in_strips).to(self.device)

    def objective(self, scale: Scale) -> Objective:
        """The weighted losses at `scale`, their targets computed once."""
        masks = self.masks_at(scale)
        style, others = self._style_term(scale, masks), self._other_terms()
        if self.before is not None:
            before = self.before.at(scale, self.device)
            others.append(Term("steadiness", Carried(before.painted, before.trust), {"image": 1.0}, _STEADINESS))
        terms = [style, *others] if style.weight else others
        judgement = Judgement(
            terms,
            self._see,
            (scale.height, scale.width),
            self.tile_at(scale),
            self._reach,
            masks,
            JITTER if self._moves(scale) else STILL,
        )
        with torch.no_grad():
            weaker = bool(style.weight) and min(self.layout.strengths) < 1
            of_photo = [term for term in terms if "image" not in term.layers and (weaker or term is not style)]
            targets = judgement.photo(self.content_at(scale), of_photo)
            if style.weight:
                targets["style"] = self._style_targets(scale, targets.get("style"))
            judgement.prepare(targets)
        return judgement

    def _large(self, scale: Scale) -> bool:
        """Whether coarser sizes have seen to the whole, and this one to what is fine."""
        return self.recipe.pyramid and max(scale.height, scale.width) > _LARGE_BEYOND

    def _moves(self, scale: Scale) -> bool:
        """Whether the picture is moved by a pixel between steps.

        Pooling always on the same grid weaves one into flat places: golden_gate after tahiti by `balanced` at 2048 px
        has a grid of 0.083, moved one of 0.027, at the same style and content. At 512 and 1024 px there is little to
        mend, and content is 0.300 in place of 0.292, 0.308 in place of 0.303.
        """
        return self.before is None and (self.recipe.jitter or self._large(scale))

    def _style_term(self, scale: Scale, masks: Masks | None) -> Term:
        """Style, of which each region counts by the root of what it covers of the picture.

        By the area itself, small regions come less near to their styles (`benchmarks/regions.py`, a region of 7 %: 2.6
        times the distance of the whole, by the root 2.2), and large ones hardly nearer.
        """
        recipe = self.recipe
        areas = tuple(area**0.5 for area in masks.areas) if masks else ()
        layers = dict(recipe.style_layers)
        if len(layers) > 1 and self._large(scale):
            layers[max(layers, key=self.encoder.layers.index)] *= _DEEPEST
        return Term("style", STYLE_LOSSES[recipe.style_loss], layers, recipe.style_weight, areas)

    def _style_targets(self, scale: Scale, of_photo: Targets | None) -> Targets:
        """What each region is to reach: its styles blended, and with the photo's own where it is weaker."""
        rows = []
        for number, strength in enumerate(self.layout.strengths):
            row = self._style_description(scale, number)
            if strength < 1:
                assert of_photo is not None
                row = mix([part_of(of_photo, number), row], [1 - strength, strength])
            rows.append(row)
        return joined(rows)

    def _other_terms(self) -> list[Term]:
        """Content and smoothness, as far as they count.

        In a pyramid, content counts more in larger pictures, whose finest shapes the coarse sizes do not see: at
        1024 px with twice the weight, content 0.327 in place of 0.360 and style 0.104 in place of 0.103 (two pairs).
        More steps at the full size do the same, and need less growth.
        """
        recipe = self.recipe
        larger = min(_GROWS_TO, max(_GROWS_FROM, int(recipe.size))) / _GROWS_FROM
        growth = larger**recipe.content_growth if recipe.pyramid else 1.0
        loss, weight = CONTENT_LOSSES[recipe.content_loss], growth * recipe.content_weight
        content = Term("content", loss, recipe.content_layers, weight)
        smoothness = Term("smoothness", TotalVariation(recipe.smoothness), {"image": 1.0}, recipe.smoothness_weight)
        return [term for term in (content, smoothness) if term.weight]

    def content_at(self, scale: Scale) -> Tensor:
        """The photo at `scale`."""
        size = (scale.height, scale.width)
        return self.content if self.content.shape[2:] == size else resample(self.content, size).clamp_(0, 1)

    def _style_description(self, scale: Scale, number: int) -> Targets:
        """The statistics of a region's styles, blended; computed once for each size."""
        key = (int(self.recipe.size), scale, self._owners[number])
        if key not in self._descriptions:
            loss = STYLE_LOSSES[self.recipe.style_loss]

            def see(part: Tensor) -> Iterator[tuple[str, Tensor]]:
                return self._walk(part, self.recipe.style_layers)

            with torch.no_grad():
                own = [
                    described(sized, self._reach, loss.describe, see, mask, self.side)
                    for sized, mask in self._sized_styles(number, scale)
                ]
            for other in [other for other in self._descriptions if other[:2] != key[:2]]:
                del self._descriptions[other]
            self._descriptions[key] = mix(own, self.layout.regions[number].shares)
        return self._descriptions[key]

    def _sized_styles(self, number: int, scale: Scale) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A region's paintings and the masks of their parts, for this size."""
        long_side = style_side(scale.height, scale.width) * (self.layout.regions[number].style_scale or 1.0)
        for picture, mask in self.styles[number]:
            height, width = picture.shape[-2:]
            factor = max(long_side / max(height, width), SMALLEST_SIDE / min(height, width))
            size = round(height * factor), round(width * factor)
            yield resample(picture, size).clamp(0, 1), None if mask is None else fitted(mask, size).to(self.device)

    def _see(self, image: Tensor, terms: Sequence[Term]) -> Iterator[tuple[str, Tensor]]:
        """(layer, features) for every layer that `terms` look at."""
        return self._walk(image, {layer for term in terms for layer in term.layers})

    def _walk(self, image: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        walk = self.encoder.walk(image.contiguous(memory_format=torch.channels_last), layers)
        return each_in_autocast(walk, self.device, bfloat16=self.bfloat16)
