"""What a picture is judged by: losses over named layers, weighted and added up, each part reported.

A loss describes features and compares descriptions. Descriptions are tensors that may be averaged: several styles are
a weighted mean of theirs, and a weaker style is a mean of the style's with the photo's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from impasto.errors import SettingsError

Statistics = dict[str, Tensor]
Targets = dict[str, Statistics]


class Loss(Protocol):
    """One formula. Settings are fields of a frozen dataclass."""

    def describe(self, features: Tensor) -> Statistics:
        """Statistics of `features` (N, C, H, W), which may be averaged with those of other pictures."""
        ...

    def prepare(self, statistics: Statistics) -> Statistics:
        """A target for `compare`, with what need not be computed at every step."""
        ...

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        """Distance () of a description from a prepared target; 0 for a picture's own."""
        ...


@dataclass(frozen=True)
class Term:
    """A loss over several layers, each with its weight; `image` names the picture itself."""

    name: str
    loss: Loss
    layers: Mapping[str, float]
    weight: float

    def __post_init__(self) -> None:
        for layer, weight in [("the whole", self.weight), *self.layers.items()]:
            if not weight >= 0:
                raise SettingsError(f"The {self.name} weight of {layer} must be 0 or more, not {weight}.")

    def prepare(self, descriptions: Targets) -> Targets:
        """Targets for `value`."""
        return {layer: self.loss.prepare(statistics) for layer, statistics in descriptions.items()}

    def value(self, descriptions: Targets, targets: Targets) -> Tensor:
        """Weighted sum () over the layers, before this term's own weight."""
        parts = [
            weight * self.loss.compare(descriptions[layer], targets[layer]) for layer, weight in self.layers.items()
        ]
        return sum(parts[1:], start=parts[0])


def describe(terms: Sequence[Term], features: Iterable[tuple[str, Tensor]]) -> dict[str, Targets]:
    """{term: {layer: statistics}} of (layer, features (N, C, H, W)) as they come."""
    described: dict[str, Targets] = {term.name: {} for term in terms}
    for layer, seen in features:
        for term in terms:
            if layer in term.layers:
                described[term.name][layer] = term.loss.describe(seen)
    return described


def mix(descriptions: Sequence[Targets], weights: Sequence[float]) -> Targets:
    """The weighted mean of several descriptions; the weights are scaled to sum to 1.

    Raises:
        SettingsError: a negative weight, or none above 0.
    """
    total = sum(weights)
    if len(weights) != len(descriptions) or min(weights) < 0 or not total > 0:
        raise SettingsError(
            f"Expected {len(descriptions)} weights of 0 or more, one for each style, with one above 0; "
            f"got {':'.join(f'{weight:g}' for weight in weights)}."
        )
    shares = [weight / total for weight in weights]
    return {
        layer: {
            name: sum((share * d[layer][name] for share, d in zip(shares, descriptions)), start=0 * value)
            for name, value in statistics.items()
        }
        for layer, statistics in descriptions[0].items()
    }


def total(
    terms: Sequence[Term], descriptions: Mapping[str, Targets], targets: Mapping[str, Targets]
) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum () of all terms, and {name: weighted value} of each."""
    values = {term.name: term.weight * term.value(descriptions[term.name], targets[term.name]) for term in terms}
    summed = sum(list(values.values())[1:], start=next(iter(values.values())))
    return summed, {name: float(value.detach()) for name, value in values.items()}
