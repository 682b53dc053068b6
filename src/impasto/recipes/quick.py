"""From files to a picture in one pass: styles are read once, for as many photos as you like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from impasto.controls.color import keep_palette, match_palette
from impasto.device import choose_device, free_memory, telling_when_memory_ends
from impasto.encoders import weights_path
from impasto.errors import PictureError, SettingsError, TooLargeError
from impasto.losses.terms import Targets
from impasto.media.geometry import fit
from impasto.media.image import MAX_PIXELS, Picture, dimensions, read
from impasto.provenance import Record, Source, versions
from impasto.recipes.estimate import Estimate, seconds_of, trial_size
from impasto.recipes.style_code import SUFFIX as CODE
from impasto.recipes.style_code import read_code
from impasto.settings import Look, style_size
from impasto.shelf.card import Card
from impasto.weights.files import sha256

_LARGEST_RESULT = 1024
_BASE_BYTES, _BYTES, _KEPT_BYTES = 700_000_000, 24, 40  # measured at 4K and 8K, a fifth more at most
_SMALLEST_SIDE = 32


class Model(Protocol):
    """A trained network, whatever runs it; what it makes of styles is its own affair."""

    @property
    def path(self) -> Path: ...
    @property
    def card(self) -> Card: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def bfloat16(self) -> bool:
        """Whether it computes in bfloat16."""
        ...

    def describe(self, painting: Tensor) -> Targets:
        """What it knows of a style, from `painting` (1, 3, H, W)."""
        ...

    def style_of(self, descriptions: Sequence[Targets], blend: Sequence[float]) -> Any:
        """One style, or several blended."""
        ...

    def learned_style(self, names: Sequence[str], blend: Sequence[float]) -> Any:
        """A style that a painter has learned, or several blended."""
        ...

    def draw(self, photo: Tensor, style: Any, *, seed: int = 0, in_place: bool = False) -> Tensor:
        """`photo` (1, 3, H, W) painted in the variation `seed`; `in_place`: perhaps in its own memory."""
        ...


@dataclass(frozen=True)
class Manner:
    """A network and the styles that it is to paint in.

    `paintings`, for the instant network, are pictures (1, 3, H, W) or saved descriptions; `names`, for a painter, are
    styles that it has learned.
    """

    model: Model
    look: Look
    paintings: Sequence[Tensor | Targets]
    names: Sequence[str]
    blend: Sequence[float]
    sources: Sequence[Source]

    def paint(
        self, photo: str | Path, *, max_pixels: int = MAX_PIXELS, output: dict[str, object] | None = None
    ) -> Picture:
        """The photo painted, its record inside; `output` is what the record says of the file.

        Raises:
            PictureError: a photo that cannot be used.
            TooLargeError: memory, or the disk for the strips of a large picture, has no room for it.
        """
        shape = dimensions(photo, max_pixels=max_pixels)
        size = self.look.size if self.look.size != "max" else max(shape)
        self._check_memory(fit(*shape, size))
        with telling_when_memory_ends(fit(*shape, size)):
            return self._paint(Path(photo), size, max_pixels, output)

    def _paint(self, photo: Path, size: int, max_pixels: int, output: dict[str, object] | None) -> Picture:
        content = read(photo, size, max_pixels=max_pixels)
        if min(content.size) < _SMALLEST_SIDE:
            height, width = content.size
            raise PictureError(
                f"At a size of {size} the photo would be {width}x{height} pixels; its short side needs "
                f"{_SMALLEST_SIDE}, so give a larger --size, or crop the photo."
            )
        record = Record(
            method=self.model.card.kind,
            content=Source(name=photo.name, sha256=sha256(photo)),
            styles=tuple(self.sources),
            names=tuple(self.names),
            blend=tuple(self.blend),
            recipe={**self.look.model_dump(mode="json"), "size": size},
            encoder=Source(name=weights_path("compact").name, sha256=self.model.card.encoder.sha256),
            model=Source(name=self.model.path.name, sha256=sha256(self.model.path)),
            output=output or {},
            done=1.0,
            versions=versions(self.model.device, bfloat16=self.model.bfloat16),
        )
        return replace(content, pixels=self._painted(content.pixels), metadata=record.to_xmp())

    def estimate(self, photo: str | Path, max_pixels: int = MAX_PIXELS) -> Estimate:
        """About what time and memory a photo takes.

        Raises:
            PictureError: a photo that cannot be used.
        """
        shape = dimensions(photo, max_pixels=max_pixels)
        size = fit(*shape, max(shape) if self.look.size == "max" else self.look.size)
        small = trial_size(size)
        pixels = read(photo, max(small), max_pixels=max_pixels).pixels
        style = self.style(pixels)
        seconds = seconds_of(lambda: self.model.draw(pixels, style)) * size[0] * size[1] / (small[0] * small[1])
        return Estimate(size, seconds, self._bytes(size))

    def _bytes(self, shape: tuple[int, int]) -> int:
        return _BASE_BYTES + shape[0] * shape[1] * (_KEPT_BYTES if self._photo_is_kept else _BYTES)

    def _check_memory(self, shape: tuple[int, int]) -> None:
        """Refuse what would not fit; the pixels stay in this machine's memory, whatever device paints."""
        free, needed = free_memory(choose_device("cpu")), self._bytes(shape)
        if needed > free:
            fitting = (max(0, free - _BASE_BYTES) / (needed - _BASE_BYTES)) ** 0.5 * max(shape)
            advice = f"give --size {int(fitting)} or less" if fitting > 64 else "close other programs"
            raise TooLargeError(
                f"Painting {shape[1]}x{shape[0]} pixels in one pass takes about {needed / 1e9:.1f} GB, and "
                f"{free / 1e9:.1f} GB are free; {advice}."
            )

    @property
    def _photo_is_kept(self) -> bool:
        """Whether the photo is needed when the picture is painted."""
        return self.look.strength < 0.5 or self.look.color != "style"

    def _painted(self, photo: Tensor) -> Tensor:
        strength = self.look.strength
        if strength == 0:
            return photo
        painted = self.model.draw(photo, self.style(photo), seed=self.look.seed, in_place=not self._photo_is_kept)
        if self.look.color == "match" and not self.paintings:
            painted = match_palette(painted, photo)
        if strength < 0.5:
            painted = photo.lerp(painted, 2 * strength)
        return keep_palette(painted, photo) if self.look.color == "content" else painted

    def style(self, photo: Tensor) -> Any:
        """The code of the styles; a weaker one lies between theirs and the photo's own."""
        if not self.paintings:
            return self.model.learned_style(self.names, self.blend)
        descriptions = [self._described(painting, photo) for painting in self.paintings]
        total, strength = sum(self.blend), self.look.strength
        shares = [strength * share / total for share in self.blend]
        if strength == 1:
            return self.model.style_of(descriptions, shares)
        return self.model.style_of([self.model.describe(photo), *descriptions], [1 - strength, *shares])

    def descriptions(self) -> list[Targets]:
        """Those of the paintings, where they do not depend on the photo."""
        return [painting for painting in self.paintings if not isinstance(painting, Tensor)]

    def _described(self, painting: Tensor | Targets, photo: Tensor) -> Targets:
        if not isinstance(painting, Tensor):
            return painting
        return self.model.describe(match_palette(painting, photo))


def prepare_manner(
    model: Model,
    look: Look,
    styles: Sequence[str | Path] = (),
    *,
    names: Sequence[str] = (),
    blend: Sequence[float] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Manner:
    """Read the styles, and describe them once: `styles` for an instant network, `names` for a painter.

    Raises:
        InputError: a picture, code or setting that cannot be used.
    """
    count = len(styles) or len(names) or 1
    shares = tuple(blend) if blend is not None else (1.0,) * count
    if len(shares) != count or min(shares) < 0 or max(shares) <= 0:
        raise SettingsError(
            f"Expected a blend of {count} weights of 0 or more, one for each style, with one above 0; "
            f"got {':'.join(f'{share:g}' for share in shares)}."
        )
    if model.card.kind != "instant":
        if styles:
            raise SettingsError(
                f"{model.path.name} paints in its own styles and looks at no painting; give it in place of "
                f"{Path(styles[0]).name}, or paint with --engine instant."
            )
        if look.style_scale != 1:
            raise SettingsError("A painter has learned the size of its strokes; --style-scale needs another engine.")
        chosen = tuple(names) or model.card.styles[:1]
        model.learned_style(chosen, shares)
        return Manner(model, look, (), chosen, shares, ())
    if not styles:
        raise SettingsError("Expected at least one painting for the instant network; give one to take the manner from.")
    paintings = [_read_style(Path(style), model, look, max_pixels) for style in styles]
    sources = [Source(name=Path(style).name, sha256=sha256(Path(style))) for style in styles]
    return Manner(model, look, paintings, (), shares, sources)


def _read_style(path: Path, model: Model, look: Look, max_pixels: int) -> Tensor | Targets:
    """A description, or the picture where its colours still depend on the photo."""
    if path.suffix == CODE:
        if look.color == "match":
            raise SettingsError("A saved style has its colours fixed; --color match needs the painting itself.")
        return read_code(path)
    picture = read(path, sized(look, dimensions(path, max_pixels=max_pixels)), max_pixels=max_pixels).pixels
    if float(picture.amax((2, 3)).sub(picture.amin((2, 3))).max()) < 2 / 255:
        raise PictureError(f"{path} is all one colour, so there is no manner in it to take; give another painting.")
    return picture if look.color == "match" else model.describe(picture)


def sized(look: Look, shape: tuple[int, int]) -> int:
    """The long side at which a painting of `shape` is looked at: the result's, so that strokes are in proportion.

    Raises:
        SettingsError: it would be enlarged beyond all measure.
    """
    size = min(_LARGEST_RESULT, _LARGEST_RESULT if look.size == "max" else look.size)
    wanted = style_size(size, look.style_scale)
    height, width = fit(*shape, wanted)
    return wanted if min(height, width) >= _SMALLEST_SIDE else -(-wanted * _SMALLEST_SIDE // min(height, width))
