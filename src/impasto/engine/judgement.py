"""What a picture of one size is judged by, in one piece or in tiles where memory asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.device import memory_ended
from impasto.engine.memory import LARGEST_TILE, SMALLEST_TILE
from impasto.engine.tiles import STEP, Sight, Slope, photo_in_tiles, slope_in_tiles
from impasto.losses.terms import Targets, Term, describe, total
from impasto.masks import Masks
from impasto.media.geometry import shift

See = Callable[[Tensor, Sequence[Term]], Iterator[tuple[str, Tensor]]]
"""(layer, features) of pixels (1, 3, H, W) for every layer of the terms."""

STILL = ((0, 0),)
JITTER = ((0, 0), (1, 1), (0, -1), (-1, 0))  # pooling falls on all four kinds of places; together no way


@dataclass
class Judgement:
    """The weighted `terms` of a picture of `size` (height, width), with their targets, once `prepare` has set them.

    `side` of the tiles, which become smaller when memory runs out; `reach`, how far around it a pixel matters, None
    where the picture can only be judged as a whole; `phases`, by how many pixels the picture is moved, in turn.
    """

    terms: Sequence[Term]
    see: See
    size: tuple[int, int]
    side: int
    reach: int | None
    masks: Masks | None = None
    phases: Sequence[tuple[int, int]] = STILL

    def photo(self, content: Tensor, terms: Sequence[Term]) -> dict[str, Targets]:
        """What `terms` keep of the photo (1, 3, H, W)."""
        if self.side:
            return photo_in_tiles(content, self._sight(terms, self.masks, {}))
        return describe(terms, self.see(content, terms), self.masks)

    def prepare(self, targets: Mapping[str, Targets]) -> None:
        """Set what is to be reached by each term."""
        self.targets = {term.name: term.prepare(targets.get(term.name, {"image": {}})) for term in self.terms}
        self.moved = [self.masks and self.masks.changed(lambda mask, by=by: shift(mask, *by)) for by in self.phases]

    def __call__(self, image: Tensor, step: int) -> Slope:
        """How `image` (1, 3, H, W) is judged; where memory runs out, again in smaller tiles."""
        while True:
            try:
                return self._slope(image, step % len(self.phases))
            except (MemoryError, RuntimeError) as error:
                smaller = (self.side or min(LARGEST_TILE, max(self.size))) // 2 // STEP * STEP
                if not memory_ended(error) or self.reach is None or smaller < SMALLEST_TILE:
                    raise
            self.side = smaller

    def _slope(self, image: Tensor, phase: int) -> Slope:
        leaf, masks = image.detach().requires_grad_(), self.moved[phase]
        with torch.enable_grad():
            shifted = shift(leaf, *self.phases[phase]) if any(self.phases[phase]) else leaf
            if self.side and any("image" not in term.layers for term in self.terms):
                slope = self._slope_in_tiles(shifted, masks)
                return slope._replace(gradient=torch.autograd.grad(shifted, leaf, slope.gradient)[0])
            seen = self.see(shifted, self.terms)
            loss, parts = total(self.terms, describe(self.terms, seen, masks, self.targets), self.targets)
        return Slope(float(loss.detach()), parts, torch.autograd.grad(loss, leaf)[0].contiguous())

    def _slope_in_tiles(self, image: Tensor, masks: Masks | None) -> Slope:
        of_pixels = [term for term in self.terms if "image" in term.layers]
        seen = [term for term in self.terms if term not in of_pixels]
        sight = self._sight(seen, masks, self.targets)
        slope = slope_in_tiles(image.detach(), sight, lambda means: total(seen, means, self.targets))
        if not of_pixels:
            return slope
        value, parts = total(of_pixels, describe(of_pixels, [("image", image)]), self.targets)
        gradient = slope.gradient + torch.autograd.grad(value, image, retain_graph=True)[0]
        return Slope(slope.loss + float(value.detach()), slope.parts | parts, gradient)

    def _sight(self, terms: Sequence[Term], masks: Masks | None, photo: Mapping[str, Targets]) -> Sight:
        def see(pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
            return self.see(pixels, terms)

        assert self.reach is not None
        return Sight(terms, see, self.size, self.side, self.reach, masks, photo)
