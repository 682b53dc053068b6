"""A brief opened: the one place that chooses an engine, and what both ways of painting give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from impasto.brief import Brief
from impasto.recipes.pictures import Given, Pictures

if TYPE_CHECKING:
    from impasto.engine.optimize import State
    from impasto.media.image import Picture
    from impasto.provenance import Record
    from impasto.recipes.estimate import Estimate
    from impasto.recipes.grown import Growing
    from impasto.recipes.one_pass import OnePass
    from impasto.recipes.optimize import Optimization


@dataclass(frozen=True)
class Step:
    """How far a painting has come: the share of the work that is done, what the losses are, and the picture.

    `picture` makes the picture as it is now, its record inside; `preview` the same no larger than it is painted.
    `state` gives what is needed to go on from here, where that can be; it holds until the next step, so copy it to keep
    it.
    """

    done: float
    message: str
    losses: Mapping[str, float]
    picture: Callable[[], Picture]
    state: Callable[[], State | None]
    preview: Callable[[], Picture]


class Painting(Protocol):
    """A brief on one photo."""

    @property
    def record(self) -> Record:
        """What is known of it before it is begun."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        ...

    def estimate(self) -> Estimate:
        """About what time and memory it takes."""
        ...

    def steps(self, resume: State | None = None) -> Iterator[Step]:
        """Paint; breaking off the loop stops the work."""
        ...

    def unpainted(self) -> Picture:
        """The picture before the first step: the photo, its record inside."""
        ...


def open_brief(brief: Brief, pictures: Pictures | None = None) -> Growing:
    """The engine of a brief with its network and styles.

    Raises:
        InputError: a picture, setting or file of weights that cannot be used.
    """
    from impasto.recipes.grown import Growing

    pictures = pictures or Pictures()
    largest = brief.settings.painted_size
    painted = brief.sized(largest) if brief.settings.size != "max" and brief.settings.size > largest else brief
    return Growing(brief, pictures, _engine(painted, pictures))


def _engine(brief: Brief, pictures: Pictures) -> OnePass | Optimization:
    if brief.engine == "optimize":
        from impasto.recipes.optimize import Optimization

        return Optimization.open(brief, pictures)
    from impasto.recipes.one_pass import OnePass

    return OnePass.open(brief, pictures)


def paint(photo: Given, brief: Brief, pictures: Mapping[str, Given] | Pictures | None = None) -> Iterator[Step]:
    """Paint a photo as a brief says, yielding after every step; in one pass there is one.

    Args:
        photo: a file, or a picture in memory.
        brief: what to paint and how.
        pictures: pictures in memory, or other files, by the names that the brief calls them.

    Raises:
        InputError: a picture, setting or file of weights that cannot be used.
        TooLargeError: it would not fit into memory.
        DivergedError: the loss is no longer a finite number.
    """
    where = pictures if isinstance(pictures, Pictures) else Pictures(pictures or {})
    yield from open_brief(brief, where).on(photo).steps()


def painted(painting: Painting) -> Picture:
    """The finished picture."""
    step = None
    for step in painting.steps():
        pass
    return step.picture() if step else painting.unpainted()
