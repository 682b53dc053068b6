"""Paint by optimisation: the photo's pixels move until their features have the style's statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from impasto.brief import Brief, Region
from impasto.device import (
    choose_device,
    deterministic,
    free_memory,
    in_bfloat16,
    return_freed_memory,
    telling_when_memory_ends,
    value_bytes,
)
from impasto.encoders import weights_path
from impasto.encoders.encoder import Encoder
from impasto.engine.memory import Footprint, footprint
from impasto.engine.optimize import Objective, State, Update, optimize
from impasto.engine.scales import Scale, plan_scales, style_side
from impasto.errors import SettingsError
from impasto.losses.terms import Targets
from impasto.media.geometry import fit, resample
from impasto.media.image import Picture
from impasto.provenance import Record, Source, versions
from impasto.recipes.estimate import Estimate, refused, timed, trial_size
from impasto.recipes.networks import encoder_for
from impasto.recipes.painting import Step
from impasto.recipes.pictures import Given, Pictures, recorded
from impasto.recipes.regions import Layout, lay_out
from impasto.recipes.strength import settled
from impasto.recipes.style_transfer import Before, Known, Paintings, StyleTransfer
from impasto.recipes.styles import PaintingReader, check_not_flat, check_not_narrow
from impasto.settings import SMALLEST_SIZE, Recipe, style_size
from impasto.shelf.models import find

_MEMORY_SHARE = 0.8
_FEWER_STEPS, _LEAST_STEPS, _GENTLER = 3, 2, 0.35  # of a frame that goes on from the one before


@dataclass(frozen=True)
class Optimization:
    """An encoder and the settings, for as many photos as you like."""

    brief: Brief
    pictures: Pictures
    encoder: Encoder
    before: Before | None = None
    known: dict[Known, Targets] = field(default_factory=dict)

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
        size, side = self._plan(shape)
        if side:
            return_freed_memory()
        with telling_when_memory_ends(fit(*shape, size)):
            content = self.pictures.read(photo, size)
            brief = settled(self.brief, content, self.pictures)
            settings = brief.settings.model_copy(update={"size": size, "tile": side})
            brief = brief.model_copy(update={"settings": settings})
            layout = lay_out(brief, content, self.pictures, photo)
            reader = PaintingReader(self.pictures)
            seen = style_side(*fit(*shape, size))
            paintings = [self._paintings(region, seen, reader) for region in layout.regions]
        return OptimizedPainting(replace(self, brief=brief), content, self.pictures.source(photo), layout, paintings)

    def _paintings(self, region: Region, size: int, paintings: PaintingReader) -> list[tuple[Picture, Tensor | None]]:
        """A region's paintings with the masks of the parts that are the style."""
        enlarged = style_size(size, region.style_scale or 1.0)
        parts = region.style_masks or ("",) * len(region.styles)
        return [paintings.read(style, enlarged, part) for style, part in zip(region.styles, parts)]

    def footprint(self) -> Footprint:
        """The memory that it takes."""
        recipe, encoder = self.brief.recipe, self.encoder
        device = choose_device(recipe.device)
        value = value_bytes(device, bfloat16=in_bfloat16(device, recipe.precision))
        return footprint(
            encoder, recipe.layers(), recipe.content_layers, self.brief.parts, value, ordered=recipe.orders_features
        )

    def _plan(self, shape: tuple[int, int]) -> tuple[int, int]:
        """The size of the result, and the side of the tiles in which memory holds it.

        The size is what is asked for; for `max` the photo's own, or the largest that memory holds.

        Raises:
            SettingsError: tiles, of what cannot be judged in tiles.
            TooLargeError: memory does not hold it.
        """
        recipe, footprint = self.brief.recipe, self.footprint()
        if recipe.tile > 0 and footprint.reach is None:
            raise SettingsError(
                "The sliced style loss and residual encoders see a picture as a whole; leave --tile out."
            )
        free = free_memory(choose_device(recipe.device))
        budget = recipe.memory_bytes or _MEMORY_SHARE * free
        square = max(shape) ** 2 / (shape[0] * shape[1])
        fitting = int((footprint.most_pixels(budget) * square) ** 0.5) // 64 * 64
        size = max(SMALLEST_SIZE, min(fitting, max(shape))) if recipe.size == "max" else recipe.size
        height, width = fit(*shape, size)
        side = footprint.side(height * width, budget) if recipe.tile < 0 else recipe.tile
        if side is None or footprint.peak(height * width, side) > (recipe.memory_bytes or free):
            asked = recipe.tile >= 0
            needed = footprint.peak(height * width, recipe.tile) if asked else footprint.least(height * width)
            advised = 0 if asked or fitting >= size else fitting
            raise refused(f"Painting {width}x{height} pixels", needed, free, recipe, advised)
        return size, side


@dataclass(frozen=True)
class OptimizedPainting:
    """A photo, what is to be painted where, and the paintings of each region with their masks."""

    work: Optimization
    photo: Picture
    source: Source
    layout: Layout
    paintings: Paintings

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
            encoder=Source.of(seen),
            model=instant and Source.of(instant),
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
        settings = self.recipe
        if self.work.before is not None:
            settings = settings.model_copy(update={"learning_rate": _GENTLER * settings.learning_rate})
        with deterministic(), telling_when_memory_ends((scales[-1].height, scales[-1].width)):
            for update in optimize(scales, self._problem(), settings, resume):
                finisher = _Finisher(self, update)
                yield Step(update.done, _told(update), update.losses, finisher, update.state, finisher)

    def scales(self) -> list[Scale]:
        """The sizes to paint at.

        Raises:
            PictureError: the photo is too narrow at this size, or all one colour.
        """
        check_not_flat(self.photo.pixels, "The photo")
        height, width = self.size
        check_not_narrow(self.size)
        if self.work.before is not None:
            return [Scale(height, width, max(_LEAST_STEPS, -(-max(self.recipe.steps) // _FEWER_STEPS)), 1.0)]
        return plan_scales(height, width, self.recipe.steps, pyramid=self.recipe.pyramid)

    def estimate(self) -> Estimate:
        """About what time and memory it takes, from how long a small copy takes to begin and to go one step."""
        scales, small, problem = self.scales(), trial_size(self.size), self._problem()
        others = [Scale(*small, number, 1.0) for number in (1, 2, 3)]  # what is known of one is not computed again

        def begin() -> tuple[Objective, Tensor]:
            scale = others.pop()
            return problem.objective(scale), problem.place(scale, None)

        beginning = timed(begin)
        objective, image = beginning.result
        step = timed(lambda: objective(image, 0))
        seen = [(problem.pixels_seen(scale) / (small[0] * small[1]), scale.steps) for scale in scales]
        seconds = sum(share * (beginning.seconds + steps * step.seconds) for share, steps in seen)
        seconds += beginning.warming + step.warming
        height, width = self.size
        return Estimate(self.size, seconds, self.work.footprint().peak(height * width, self.recipe.tile))

    def _problem(self) -> StyleTransfer:
        return StyleTransfer(self.photo, self.layout, self.paintings, self.recipe, self.work.encoder, self.recipe.tile,
                             self.work.before, self.work.known)  # fmt: skip

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
    update: Update

    def __call__(self) -> Picture:
        painting = self.painting
        painted, photo = painting._sized(self.update.picture.float().cpu()), painting._sized(painting.photo.pixels)
        return painting._finished(painting.layout.composed(painted, photo), self.update.done)


def _told(update: Update) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in update.losses.items())
    return f"size {update.scale}/{update.scales}  step {update.step}/{update.steps}  {losses}"
