"""The regions of a brief laid on a photo: which pixels are painted how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.brief import SELECTORS, Brief, Region, of_map
from impasto.controls.color import finished
from impasto.controls.maps import alike, colors_of, places_of
from impasto.encoders import load_encoder
from impasto.errors import PictureError
from impasto.masks import Masks, fitted
from impasto.media.geometry import fit
from impasto.media.image import Picture
from impasto.recipes.pictures import Given, Pictures

_ASPECT = 0.03
_SEEN = 1 / 512
FOUND_AT = 512
_SEEN_AT, _SEEN_LAYERS = 480, ("relu3_1", "relu4_1")


@dataclass(frozen=True)
class Layout:
    """What is painted: regions whose strength is a number, and their masks; None where one region is everywhere.

    `origin` holds, for each, the number of the brief's region that it comes from. Unless it `composes`, what is
    painted stays as it is, for a larger layout to compose.
    """

    regions: tuple[Region, ...]
    origin: tuple[int, ...]
    masks: Masks | None
    composes: bool = True

    @property
    def strengths(self) -> list[float]:
        """From the photo (0) to the full style (1), of each region."""
        return [cast(float, region.strength) for region in self.regions]

    @property
    def empty(self) -> bool:
        """Whether nothing is painted at all."""
        return not any(self.strengths)

    def composed(self, painted: Tensor, photo: Tensor) -> Tensor:
        """`painted` in the colours that its regions ask for, the photo around it: all (1, 3, H, W) in [0, 1]."""
        if not self.composes:
            return painted
        if self.masks is None:
            return finished(painted, self.regions[0].color or "style", photo)
        result = painted
        for color in dict.fromkeys(region.color or "style" for region in self.regions):
            chosen = [float(region.color == color) for region in self.regions]
            toned = finished(painted, color, photo)
            if toned is not painted:
                result = result.lerp(toned, self.masks.spread(chosen))
        coverage = self.masks.coverage
        return torch.where(coverage > 0, photo.lerp(result, coverage), photo)


def lay_out(brief: Brief, photo: Picture, pictures: Pictures, given: Given) -> Layout:
    """The regions of `brief`, whose strength is no longer `auto`, on a photo (`given`) at the size of the result.

    A region whose strength is a picture becomes two, of full and of half strength, with masks that add up to it.

    Raises:
        PictureError: a mask that cannot be used.
    """
    regions = [brief.look_of(region) for region in brief.regions]
    if not brief.parted:
        return Layout((regions[0],), (0,), None)
    sought = max(photo.size) < FOUND_AT and any(mask in SELECTORS for mask in (brief.keep, *(r.mask for r in regions)))
    masks = MaskReader(photo, pictures, pictures.read(given, FOUND_AT) if sought else None)
    keep = None if brief.keep is None else masks.read(brief.keep)
    drawn = [None if region.mask is None else masks.read(region.mask) for region in regions]
    whole = Masks.of(_everywhere(drawn, photo), keep)
    parts: list[tuple[Region, int, Tensor]] = []
    for number, region in enumerate(regions):
        inside = whole.inside[:, number : number + 1]
        if not isinstance(region.strength, str):
            parts.append((region, number, inside))
            continue
        grade = masks.read(region.strength)
        parts.append((region.model_copy(update={"strength": 1.0}), number, inside * (2 * grade - 1).clamp_min(0)))
        half = 1 - (2 * grade - 1).abs()
        parts.append((region.model_copy(update={"strength": 0.5}), number, inside * half))
    parts = [part for part in parts if part[0].strength and float(part[2].max()) > _SEEN]
    if not parts:
        return Layout((regions[0].model_copy(update={"strength": 0.0}),), (0,), None)
    final = Masks.of([mask for _, _, mask in parts])
    alone = len(parts) == 1 and bool((final.inside > 1 - _SEEN).all())
    return Layout(tuple(part[0] for part in parts), tuple(part[1] for part in parts), None if alone else final)


class MaskReader:
    """Masks by the references of a brief, fitted to a picture; a map is read once for all of its colours.

    `closer` is the same picture at a size at which faces and subjects are found in it.
    """

    def __init__(self, picture: Picture, pictures: Pictures, closer: Picture | None = None) -> None:
        self.picture, self.pictures, self.closer = picture, pictures, closer or picture
        self._maps: dict[str, tuple[Tensor, list[str]]] = {}

    def read(self, reference: str) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1].

        Raises:
            PictureError: it cannot be read, has another shape than the picture, or covers nothing.
        """
        parted = of_map(reference)
        if reference in SELECTORS:
            mask = fitted(find(reference, self.closer.pixels), self.picture.size)
        elif parted and not isinstance(self.pictures.place(reference), Picture):
            mask = fitted(self._part(*parted), self.picture.size)
        else:
            picture = self.pictures.read(reference)
            self._check_shape(reference, picture)
            mask = fitted(mask_of(picture), self.picture.size)
        if not self.pictures.may_be_empty and float(mask.max()) <= _SEEN:
            raise PictureError(f"The mask {reference} covers nothing: it is black all over; paint what is meant white.")
        return mask

    def _part(self, name: str, color: str) -> Tensor:
        """The places of one colour in a map."""
        if name not in self._maps:
            picture = self.pictures.read(name)
            self._check_shape(name, picture)
            self._maps[name] = picture.pixels, colors_of(picture.pixels, name)
        pixels, known = self._maps[name]
        near = alike(color, known)
        if near is None:
            raise PictureError(f"The map {name} has no region of the colour #{color}; it has #{', #'.join(known)}.")
        return places_of(pixels, known, near)

    def _check_shape(self, name: str, mask: Picture) -> None:
        (height, width), (own_height, own_width) = self.picture.size, mask.size
        tolerance = _ASPECT + 1 / min(own_height, own_width, height, width)
        if abs(own_width * height / (own_height * width) - 1) > tolerance:
            raise PictureError(
                f"The mask {name} has {own_width}x{own_height} pixels, another shape than its picture at "
                f"{width}x{height}; give a mask of the same shape."
            )


def find(what: str, picture: Tensor) -> Tensor:
    """The mask (1, 1, H, W) of `face` or `subject` in a picture (1, 3, H, W).

    Raises:
        PictureError: there is none.
        SettingsError: an extra is missing.
    """
    from impasto.controls import select

    if what == "face":
        return select.face(picture)
    return select.subject(picture, seen_in(picture))


def seen_in(picture: Tensor) -> Tensor:
    """What tells things apart in a picture (1, 3, H, W): features (1, C, h, w) of a small copy, all of one length."""
    encoder, size = load_encoder("compact"), fit(picture.shape[2], picture.shape[3], _SEEN_AT)
    with torch.inference_mode():
        seen = [
            features - features.mean((2, 3), keepdim=True)
            for _, features in encoder.walk(fitted(picture, size), _SEEN_LAYERS)
        ]
        parts = [F.normalize(F.interpolate(one, seen[0].shape[2:], mode="bilinear"), dim=1) for one in seen]
    return torch.cat(parts, 1).clone()


def mask_of(picture: Picture) -> Tensor:
    """How far each place is meant (1, 1, H, W): where there is transparency, what is opaque; else what is light."""
    return picture.pixels.mean(1, keepdim=True) if picture.alpha is None else picture.alpha


def colors_in(name: str, pictures: Pictures) -> list[str]:
    """The colours of a map.

    Raises:
        PictureError: it cannot be read, or has too many.
    """
    return colors_of(pictures.read(name).pixels, name)


def _everywhere(masks: Sequence[Tensor | None], photo: Picture) -> list[Tensor | None]:
    """The same, where no mask has a size: one that covers the photo."""
    if any(mask is not None for mask in masks):
        return list(masks)
    return [photo.pixels.new_ones(1, 1, *photo.size)]
