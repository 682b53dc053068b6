"""What a picture is judged by: losses over named layers, weighted and added up, each part reported.

A loss describes features and compares descriptions. Descriptions are tensors that may be averaged: several styles are
a weighted mean of theirs, and a weaker style is a mean of the style's with the photo's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from impasto.errors import SettingsError
from impasto.masks import Masks

Statistics = dict[str, Tensor]
Targets = dict[str, Statistics]


class Loss(Protocol):
    """One formula. Settings are fields of a frozen dataclass."""

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        """Statistics (N, ...) of `features` (N, C, H, W), which may be averaged with those of other pictures.

        With `mask` (1, R, H, W), of one picture and its R parts, in which each place counts so much: (R, ...).
        """
        ...

    def prepare(self, statistics: Statistics) -> Statistics:
        """A target for `compare`, with what need not be computed at every step."""
        ...

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        """Distance (N,) of descriptions from prepared targets, 0 for a picture's own."""
        ...


@runtime_checkable
class PlaceLoss(Protocol):
    """One formula that holds each place of a picture against the same place of the photo."""

    def photo(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """What is kept of the photo's `features` (N, C, H, W), in the same shape; `mask` as below."""
        ...

    def describe(self, features: Tensor, photo: Tensor, mask: Tensor | None = None) -> Statistics:
        """Means over places (N, ...) of `features` beside the `photo`'s; of all its tiles they may be averaged.

        `mask` (1, R, H, W), whose R parts sum to 1 at each place: regions of one picture.
        """
        ...

    def compare(self, statistics: Statistics) -> Tensor:
        """Distance (N,)."""
        ...


@dataclass(frozen=True)
class Term:
    """A loss over several layers, each with its weight; `image` names the picture itself.

    `areas` are the weights of the picture's regions, where each is judged on its own.
    """

    name: str
    loss: Loss | PlaceLoss
    layers: Mapping[str, float]
    weight: float
    areas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for layer, weight in [("the whole", self.weight), *self.layers.items()]:
            if not weight >= 0:
                raise SettingsError(f"The {self.name} weight of {layer} must be 0 or more, not {weight}.")

    def prepare(self, descriptions: Targets) -> Targets:
        """Targets for `total`."""
        if isinstance(self.loss, PlaceLoss):
            return descriptions
        return {layer: self.loss.prepare(statistics) for layer, statistics in descriptions.items()}

    def mask_of(self, masks: Masks | None) -> Tensor | None:
        """The part of `masks` that its loss is to see."""
        if masks is None:
            return None
        return masks.inside if self.areas else masks.shares


def describe(
    terms: Sequence[Term],
    features: Iterable[tuple[str, Tensor]],
    masks: Masks | None = None,
    photo: Mapping[str, Targets] | None = None,
) -> dict[str, Targets]:
    """{term: {layer: statistics}} of (layer, features (N, C, H, W)) as they come; `masks` of the picture's regions.

    Without `photo`, these are the photo's own: of terms that compare places, its features are kept, {"photo": (N, C, H,
    W)}, as `photo` for what is to be described beside it.
    """
    described: dict[str, Targets] = {term.name: {} for term in terms}
    for layer, seen in features:
        own = masks and masks.at(*seen.shape[2:])
        for term in (term for term in terms if layer in term.layers):
            mask = term.mask_of(own)
            if not isinstance(term.loss, PlaceLoss):
                statistics = term.loss.describe(seen, mask)
            elif photo is None:
                statistics = {"photo": term.loss.photo(seen, mask)}
            else:
                statistics = term.loss.describe(seen, photo[term.name][layer]["photo"], mask)
            described[term.name][layer] = statistics
    return described


def weights_of(mask: Tensor) -> Tensor:
    """`mask` (1, R, H, W) scaled so that each part sums to 1."""
    return mask / mask.sum((2, 3), keepdim=True).clamp_min(1e-9)


def mean_of(features: Tensor, mask: Tensor | None) -> Tensor:
    """Mean (N, C) over the places of `features` (N, C, H, W); over each part of one picture (R, C) with `mask`."""
    if mask is None:
        return features.mean((2, 3))
    return weights_of(mask)[0].flatten(1) @ features[0].permute(1, 2, 0).flatten(0, 1)


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


def joined(descriptions: Sequence[Targets]) -> Targets:
    """Descriptions (1, ...) of several styles, or of the parts of a picture, as one (R, ...)."""
    return {
        layer: {name: torch.cat([one[layer][name] for one in descriptions]) for name in named}
        for layer, named in descriptions[0].items()
    }


def part_of(descriptions: Targets, number: int) -> Targets:
    """The description (1, ...) of one part out of those of several."""
    return {
        layer: {name: value[number : number + 1] for name, value in named.items()}
        for layer, named in descriptions.items()
    }


def total(
    terms: Sequence[Term], descriptions: Mapping[str, Targets], targets: Mapping[str, Targets]
) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum () of all terms, and {name: weighted value} of each."""
    values = {}
    for term in terms:
        own, wanted = descriptions[term.name], targets[term.name]
        parts = [weight * _compared(term.loss, own[layer], wanted[layer]) for layer, weight in term.layers.items()]
        value = sum(parts[1:], start=parts[0])
        whole = (value * value.new_tensor(term.areas)).sum() if term.areas else value.mean()
        values[term.name] = term.weight * whole
    summed = sum(list(values.values())[1:], start=next(iter(values.values())))
    return summed, {name: float(value.detach()) for name, value in values.items()}


def _compared(loss: Loss | PlaceLoss, statistics: Statistics, target: Statistics) -> Tensor:
    return loss.compare(statistics) if isinstance(loss, PlaceLoss) else loss.compare(statistics, target)
