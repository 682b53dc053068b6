"""Settings of a painting: what is searched for a photo and a style on the slow road."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel
from torch import Tensor

from impasto.brief import of_painting
from impasto.encoders import load_encoder
from impasto.media.image import dimensions
from impasto.metrics.measures import Ruler
from impasto.metrics.specification import MEASURES
from impasto.recipes.painting import open_brief
from impasto.settings import Recipe
from impasto.weights.files import sha256


@dataclass(frozen=True)
class PaintingSubject:
    """A photo in the manner of a style, by `base` and what is tried instead."""

    content: Path
    style: Path
    base: Recipe

    axes = ("content_weight=0.03:0.6", "learning_rate=0.005:0.06", "decay=0.05:0.6")
    objectives = ("style", "content")
    measures = {measure.name: measure.better for measure in MEASURES if measure.better != "neither"}

    def check(self) -> None:
        """See to it that both pictures can be read.

        Raises:
            PictureError: one cannot.
        """
        for path in (self.content, self.style):
            dimensions(path)

    def identity(self) -> list[object]:
        """What makes it another search."""
        return [sha256(self.content), sha256(self.style), self.base.model_dump(mode="json")]

    def attempt(self, settings: BaseModel, looks: Sequence[float]) -> Iterator[dict[str, float]]:
        """Measures when each of the shares `looks` of the work is done, and at the end.

        Raises:
            InputError: a picture that cannot be used.
            DivergedError: the loss became NaN.
        """
        assert isinstance(settings, Recipe)
        brief, wanted, step = of_painting([str(self.style)], "optimize", settings), list(looks), None
        painting = open_brief(brief).on(self.content)
        for step in painting.steps():
            if wanted and wanted[0] <= step.done < 1:
                wanted.pop(0)
                yield self._measured(step.picture().pixels)
        yield self._measured((step.picture() if step else painting.unpainted()).pixels)

    def _measured(self, picture: Tensor) -> dict[str, float]:
        values = self._ruler.measure_pixels(self.content, self.style, picture)
        return {name: value for name, value in values.items() if value is not None}

    @cached_property
    def _ruler(self) -> Ruler:
        return Ruler(load_encoder("compact"))
