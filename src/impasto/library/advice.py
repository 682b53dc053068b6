"""Which styles are like a picture, and which suit a photo, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impasto.errors import InputError
from impasto.library.catalogue import Entry
from impasto.library.traits import Traits

_WEIGHTS = {"colours": 0.4, "coarseness": 0.2, "texture": 0.4}
_WORDS = {
    "colours": ("its colours are near the photo's", "its colours are far from the photo's"),
    "coarseness": ("its marks are as broad as the photo's details", "its marks are of another breadth"),
    "texture": ("its surfaces are like the photo's", "its surfaces are unlike the photo's"),
}


@dataclass(frozen=True)
class Advice:
    """A style, how well it fits (0 to 1), and why; `fits` has each trait's share."""

    entry: Entry
    score: float
    fits: dict[str, float]

    @property
    def reasons(self) -> str:
        """What speaks for it most, and what against it if anything does."""
        best = max(self.fits, key=lambda name: _WEIGHTS[name] * self.fits[name])
        worst = min(self.fits, key=lambda name: self.fits[name])
        against = f", but {_WORDS[worst][1]}" if self.fits[worst] < 0.25 and worst != best else ""
        return _WORDS[best][0] + against


def recommend(photo: Traits, entries: Sequence[Entry]) -> list[Advice]:
    """The styles whose pictures are there, the most suitable first.

    A style fits where it need not fight the photo: where its palette is near, its marks are as broad as what is to be
    drawn with them, and its surfaces are of a similar kind. Each trait counts by its rank among the library's styles.

    Raises:
        InputError: the library has no picture that is there.
    """
    there = [entry for entry in entries if entry.here()]
    if not there:
        raise InputError("No style of the library lies where it was; add some with 'impasto styles add'.")
    distances = {
        "colours": [float(np.abs(entry.traits.colors - photo.colors).mean()) for entry in there],
        "coarseness": [abs(np.log2(entry.traits.coarseness / photo.coarseness)) for entry in there],
        "texture": [float(np.square(entry.traits.texture - photo.texture).sum()) for entry in there],
    }
    ranks = {name: _ranked(values) for name, values in distances.items()}
    advice = []
    for number, entry in enumerate(there):
        fits = {name: ranks[name][number] for name in distances}
        advice.append(Advice(entry, sum(_WEIGHTS[name] * fit for name, fit in fits.items()), fits))
    return sorted(advice, key=lambda one: (-one.score, str(one.entry.path)))


def nearest(picture: Traits, entries: Sequence[Entry]) -> list[tuple[Entry, float]]:
    """The styles whose manner is most like that of a picture, and how far away it is: 0 the same, 2 opposite."""
    distances = [(entry, float(np.square(entry.traits.texture - picture.texture).sum())) for entry in entries]
    return sorted(distances, key=lambda pair: (pair[1], str(pair[0].path)))


def _ranked(distances: Sequence[float]) -> list[float]:
    """1 for the smallest, 0 for the largest, evenly between."""
    if len(distances) == 1:
        return [1.0]
    order = np.argsort(np.argsort(distances))
    return [float(1 - place / (len(distances) - 1)) for place in order]
