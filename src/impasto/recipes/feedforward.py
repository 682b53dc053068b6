"""Paint in one pass: a trained network draws what it sees, for any style or for those that it has learned."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.device import autocast, choose_device, deterministic, exactly, in_bfloat16
from impasto.encoders import weights_path
from impasto.encoders.encoder import Encoder
from impasto.engine.describe import described
from impasto.errors import SettingsError, TooLargeError, UnknownName, WeightsError
from impasto.losses.terms import Targets, joined
from impasto.losses.wasserstein import Wasserstein
from impasto.masks import Masks
from impasto.models.grain import grained, varied
from impasto.models.instant import ADAPTATION, STYLE_LAYERS, Instant
from impasto.models.painter import Painter
from impasto.models.stages import Style, Whole
from impasto.models.strips import Rows, Stored, Strips
from impasto.models.translator import Translator
from impasto.recipes.adapted import adapted
from impasto.recipes.networks import encoder_for, model_for
from impasto.settings import Look
from impasto.shelf.card import Card
from impasto.shelf.models import find
from impasto.training.eyes import JUDGE
from impasto.weights.files import sha256

IN_STRIPS_BEYOND = 3 << 19
_TILE = 512, 1024
_REACH = 48
_MULTIPLE = 8
_STRIP_BYTES = 130  # a pixel, of all that the widest network keeps as float16, as if none of it were let go


@dataclass(frozen=True)
class FeedForward:
    """A trained network and the encoder that it sees with, ready to paint.

    `path` is the file of the network. For `adapt` steps it adapts to a style, as the `judge` sees it.
    """

    path: Path
    card: Card
    network: Instant | Painter | Translator
    encoder: Encoder
    device: torch.device
    bfloat16: bool
    adapt: int = 0
    judge: Encoder | None = None
    knows_strips: ClassVar[bool] = True

    @staticmethod
    def open(name: str, look: Look) -> FeedForward:
        """The model in a file, or of that name on the shelf.

        Raises:
            UnknownName: nothing of that name is on the shelf.
            WeightsError: damaged weights, or a model that was trained with another encoder.
        """
        path, device = find(name), choose_device(look.device)
        card, network = model_for(path, device)
        compact = weights_path("compact")
        if card.encoder.sha256 != sha256(compact):
            raise WeightsError(
                f"{path} was trained with other weights of the encoder ({card.encoder.name}) than this version has; "
                "train it again, or go on from it with --from."
            )
        assert isinstance(network, Instant | Painter | Translator)
        encoder = encoder_for("compact", None, "max", device)
        if look.adapt and not isinstance(network, Instant):
            raise SettingsError(f"{name} has learned its styles for longer than --adapt would take; leave that out.")
        judge = encoder_for(JUDGE, None, "max", device) if look.adapt else None
        bfloat16 = in_bfloat16(device, look.precision)
        return FeedForward(path, card, network, encoder, device, bfloat16, look.adapt, judge)

    @torch.inference_mode()
    def describe(self, painting: Tensor, mask: Tensor | None = None, side: int = 0) -> Targets:
        """The statistics by which the instant network knows a picture.

        Of `painting` (1, 3, H, W), in each part of `mask` (1, R, H, W); in tiles of `side` pixels, if memory is scarce.
        """
        known = self.seen_by(self.encoder, painting, mask, side)
        if self.judge is None:
            return known
        assert isinstance(self.network, Instant)
        nothing = torch.zeros(1 if mask is None else mask.shape[1], 1, device=self.device)
        lengths = {"code": self.network.code_length, "weights": self.network.drawing_length}
        return known | {ADAPTATION: {name: nothing.expand(-1, length) for name, length in lengths.items()}}

    @torch.inference_mode()
    def describe_style(self, painting: Tensor, mask: Tensor | None = None) -> Targets:
        """The same of a style, to which it adapts if that is asked for."""
        if self.judge is None:
            return self.describe(painting, mask)
        return adapted(self, painting, mask)

    @torch.inference_mode()
    def seen_by(self, encoder: Encoder, painting: Tensor, mask: Tensor | None, side: int = 0) -> Targets:
        """The same as one of its encoders sees it."""

        def see(part: Tensor) -> Iterator[tuple[str, Tensor]]:
            return encoder.walk(part.to(self.device).contiguous(memory_format=torch.channels_last), STYLE_LAYERS)

        return described(painting, encoder.reach, Wasserstein().describe, see, mask, side)

    @torch.inference_mode()
    def style_of(self, descriptions: Sequence[Targets]) -> Style:
        """The code of the style of each region, for the instant network."""
        assert isinstance(self.network, Instant)
        return self.network.style(joined(descriptions))

    @torch.inference_mode()
    def learned_style(self, shares: Sequence[dict[str, float]], size: int = 512) -> Style:
        """For each region, the code of styles that a painter has learned, each with its weight.

        `size` is the long side of the picture in pixels.

        Raises:
            UnknownName: it has not learned a style of that name.
        """
        assert isinstance(self.network, Painter | Translator)
        weights = torch.zeros(len(shares), len(self.card.styles), device=self.device)
        for row, named in enumerate(shares):
            for name, share in named.items():
                if name not in self.card.styles:
                    raise UnknownName(f"style in {self.path.name}", name, self.card.styles)
                weights[row, self.card.styles.index(name)] += share
        weights = weights / weights.sum(1, keepdim=True)
        return self.network.style(weights, size) if isinstance(self.network, Painter) else self.network.style(weights)

    @torch.inference_mode()
    def draw(
        self,
        photo: Tensor,
        style: Style,
        masks: Masks | None = None,
        *,
        seed: int = 0,
        in_place: bool = False,
        in_strips: bool = False,
    ) -> Tensor:
        """`photo` (1, 3, H, W) in [0, 1] painted, of the same size; a large one in strips, with the same result.

        `masks` of regions of the photo, for a style of each; `seed` names a variation; `in_place` lets it take the
        memory of the photo, which is lost then; `in_strips`, even if it is not large: where memory is scarce.

        Raises:
            TooLargeError: the folder for temporary files has no room for the strips.
        """
        height, width = photo.shape[-2:]
        with deterministic(), autocast(self.device, bfloat16=self.bfloat16):
            if in_strips or height * width > IN_STRIPS_BEYOND:
                with _room_for_strips(height, width):
                    painted = photo if in_place else torch.empty_like(photo)
                    return self._draw_large(photo, style, painted, seed, masks)
            return self._draw_whole(varied(photo, seed), style, masks)

    def differentiable(self, style: Style) -> Callable[[Tensor], Tensor]:
        """`draw` as a function of the photo through which gradients pass, in one piece and in float32."""
        fixed = Style(
            [scale.clone() for scale in style.scales],
            [shift.clone() for shift in style.shifts],
            style.gaussian and (style.gaussian[0].clone(), style.gaussian[1].clone()),
            None if style.change is None else style.change.clone(),
        )
        return partial(self._draw_whole, style=fixed)

    def _draw_whole(self, photo: Tensor, style: Style, masks: Masks | None = None) -> Tensor:
        height, width = photo.shape[-2:]
        photo = grained(photo) if self._grained else photo
        padded = F.pad(photo, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), "reflect").to(self.device)
        seen = self.encoder(padded.contiguous(memory_format=torch.channels_last), self._layers)
        canvas = Whole(masks=masks and masks.changed(lambda mask: _padded(mask).to(self.device)))
        painted: Tensor = self.network.draw(seen, style, canvas)
        return painted[..., :height, :width].float().cpu()

    def _draw_large(self, photo: Tensor, style: Style, painted: Tensor, seed: int, masks: Masks | None) -> Tensor:
        rows = self.network.draw(self._see_large(photo, seed), style, Strips(masks and masks.changed(_padded)))
        for top, bottom in rows.strips():
            end = min(bottom, photo.shape[2])
            painted[:, :, top:end] = rows.rows(top, bottom)[:, :, : end - top, : photo.shape[3]].float().cpu()
        return painted

    def _see_large(self, photo: Tensor, seed: int) -> Mapping[str, Rows]:
        """What the network sees of a large photo, as rows in files."""
        height, width = (side + -side % _MULTIPLE for side in photo.shape[-2:])
        seen: dict[str, Stored] = {}
        for top in range(0, height, _TILE[0]):
            tiles: dict[str, list[Tensor]] = {layer: [] for layer in self._layers}
            for left in range(0, width, _TILE[1]):
                for layer, part in self._see_tile(photo, seed, (top, left), (height, width)).items():
                    tiles[layer].append(part)
            for layer, parts in tiles.items():
                with exactly(self.device):
                    strip = torch.cat(parts, 3)
                if layer not in seen:
                    step = width // strip.shape[3]
                    seen[layer] = Stored(strip.shape[1], height // step, width // step, self.device)
                seen[layer].append(strip)
        return seen

    def _see_tile(self, photo: Tensor, seed: int, place: tuple[int, int], size: tuple[int, int]) -> dict[str, Tensor]:
        """Features of a tile, computed with as much around it as they depend on; the photo is padded to a size."""
        window, inner = [], []
        for start, length, side in zip(place, _TILE, size):
            first, last = max(0, start - _REACH), min(side, start + length + _REACH)
            window.append((first, last))
            inner.append((start - first, min(side, start + length) - first))
        tile = _window(photo, *window, seed=seed, grain=self._grained).to(self.device)
        tile = tile.contiguous(memory_format=torch.channels_last)
        parts = {}
        for layer, features in self.encoder(tile, self._layers).items():
            step = tile.shape[2] // features.shape[2]
            rows, columns = (slice(begin // step, end // step) for begin, end in inner)
            parts[layer] = features[:, :, rows, columns].half()
        return parts

    @property
    def _grained(self) -> bool:
        """Whether the photo gets grain: a painter fills flat areas in its one way, with it or without."""
        return isinstance(self.network, Instant)

    @property
    def _layers(self) -> tuple[str, ...]:
        return self.network.content_layers


def _padded(mask: Tensor) -> Tensor:
    """A mask (1, R, H, W) whose sides are multiples of 8, as those of a padded photo."""
    height, width = mask.shape[2:]
    return F.pad(mask, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), "replicate")


@contextmanager
def _room_for_strips(height: int, width: int) -> Iterator[None]:
    """A full folder for temporary files becomes one sentence, before the work where that can be known."""
    needed, folder = height * width * _STRIP_BYTES, tempfile.gettempdir()

    def too_large(room: str) -> TooLargeError:
        return TooLargeError(
            f"Painting {width}x{height} pixels in one pass takes about {needed / 1e9:.1f} GB for temporary files, and "
            f"{folder} {room}; make room, set TMPDIR to another folder, or give a smaller --size."
        )

    free = shutil.disk_usage(folder).free
    if free < needed:
        raise too_large(f"has {free / 1e9:.1f} GB")
    try:
        yield
    except OSError as error:
        raise too_large(f"is full ({error.strerror})") from error


def _window(photo: Tensor, rows: tuple[int, int], columns: tuple[int, int], *, seed: int, grain: bool) -> Tensor:
    """A part of the photo, mirrored where it reaches beyond the right or lower edge."""
    height, width = photo.shape[-2:]
    below, right = max(0, rows[1] - height), max(0, columns[1] - width)
    top, left = min(rows[0], height - below - 1), min(columns[0], width - right - 1)
    part = varied(photo[:, :, top : rows[1], left : columns[1]], seed, top, left)
    part = F.pad(grained(part, top, left) if grain else part, (0, right, 0, below), "reflect")
    return part[:, :, rows[0] - top :, columns[0] - left :]
