"""Paint in one pass by a network that was exported to ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impasto.errors import SettingsError, TooLargeError, UnknownName, WeightsError
from impasto.losses.terms import Targets
from impasto.masks import Masks
from impasto.models.grain import grained, varied
from impasto.shelf.card import Card
from impasto.shelf.onnx import card_of, open_session

if TYPE_CHECKING:
    import onnxruntime

_LARGEST = 1 << 23


@dataclass(frozen=True)
class OnnxModel:
    """An exported network; like `FeedForward`, but on the CPU, and not for very large pictures."""

    path: Path
    card: Card
    session: onnxruntime.InferenceSession
    bfloat16: bool = False

    @staticmethod
    def open(path: Path) -> OnnxModel:
        """The network in a file.

        Raises:
            SettingsError: ONNX Runtime is missing.
            WeightsError: the file is missing, damaged, or not made by `impasto export`.
        """
        session = open_session(path)
        card = card_of(session, path)
        if [given.name for given in session.get_inputs()][:1] != ["content"]:
            raise WeightsError(f"{path} reads styles and paints nothing; give the file that it was exported beside.")
        return OnnxModel(path, card, session)

    @property
    def device(self) -> torch.device:
        """The CPU, whatever the settings say."""
        return torch.device("cpu")

    def describe(self, painting: Tensor, mask: Tensor | None = None) -> Targets:
        """The code of a style, read by NAME.style.onnx.

        Raises:
            SettingsError: only a part of the painting is the style.
        """
        if mask is not None:
            raise SettingsError("An exported network reads whole paintings; paint with the .impasto file.")
        reader = open_session(self.path.with_name(f"{self.path.stem}.style{self.path.suffix}"))
        (code,) = reader.run(None, {"painting": painting.numpy()})
        return {"style": {"code": torch.from_numpy(code)}}

    def style_of(self, descriptions: Sequence[Targets]) -> Tensor:
        """The code of a style."""
        return descriptions[0]["style"]["code"]

    def learned_style(self, shares: Sequence[dict[str, float]], size: int = 512) -> Tensor:
        """The shares of a painter's styles.

        Raises:
            UnknownName: it has not learned a style of that name.
        """
        weights = torch.zeros(1, len(self.card.styles))
        for name, share in shares[0].items():
            if name not in self.card.styles:
                raise UnknownName(f"style in {self.path.name}", name, self.card.styles)
            weights[0, self.card.styles.index(name)] += share
        return weights / weights.sum()

    def draw(
        self, photo: Tensor, style: Tensor, masks: Masks | None = None, *, seed: int = 0, in_place: bool = False
    ) -> Tensor:
        """`photo` (1, 3, H, W) in [0, 1] painted, of the same size; `seed` names a variation; there are no `masks`.

        Raises:
            TooLargeError: it has more than eight million pixels.
        """
        height, width = photo.shape[-2:]
        if height * width > _LARGEST:
            raise TooLargeError(
                f"An exported network paints up to {_LARGEST / 1e6:.0f} million pixels, not {width}x{height}; give a "
                "smaller --size, or paint with the .impasto file."
            )
        photo = varied(photo, seed)
        photo = grained(photo) if self.card.kind == "instant" else photo
        given = dict(zip((one.name for one in self.session.get_inputs()), (photo.numpy(), style.numpy())))
        (painted,) = self.session.run(None, given)
        return torch.from_numpy(painted)
