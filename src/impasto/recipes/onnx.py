"""Paint in one pass by a network that was exported to ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from impasto.device import in_bfloat16
from impasto.encoders import load_encoder
from impasto.errors import SettingsError, TooLargeError, UnknownName, WeightsError
from impasto.losses.terms import Targets
from impasto.masks import Masks
from impasto.media.files import make_folder
from impasto.models.grain import grained, varied
from impasto.models.painter import mixture_at
from impasto.settings import Look
from impasto.shelf.card import Card, load_model
from impasto.shelf.onnx import OnnxSession, card_of, open_session
from impasto.shelf.openvino import OpenVinoSession
from impasto.weights.fetch import cache_folder
from impasto.weights.files import sha256

_LARGEST = 1 << 23
_FORMAT = 2  # of what is exported, in the names of those that are kept


class Session(Protocol):
    """A network that runs."""

    names: list[str]

    def run(self, given: Mapping[str, Any]) -> Any:
        """The output (NumPy) for inputs by name."""
        ...


@dataclass(frozen=True)
class OnnxModel:
    """An exported network; like `FeedForward`, but on the CPU, and not for very large pictures.

    `path` is the network as it was asked for, `file` what runs; `sizes` those of pictures for which it has learned each
    style, where it tells them apart.
    """

    path: Path
    card: Card
    file: Path
    session: Session
    bfloat16: bool = False
    sizes: tuple[int, ...] = (512,)
    knows_strips: ClassVar[bool] = False

    @staticmethod
    def open(path: Path, look: Look) -> OnnxModel:
        """The network in a file: exported, or to be exported for the runtime that is asked for.

        Raises:
            SettingsError: ONNX Runtime or OpenVINO is missing.
            WeightsError: the file is missing, damaged, or not made by `impasto export`.
        """
        file = path if path.suffix == ".onnx" else _exported(path)
        session = open_session(file)
        card = card_of(session, path)
        inputs = session.get_inputs()
        if [given.name for given in inputs][:1] != ["content"]:
            raise WeightsError(f"{path} reads styles and paints nothing; give the file that it was exported beside.")
        several = card.kind == "painter" and inputs[1].shape[1] > len(card.styles)
        sizes = tuple(card.architecture["sizes"]) if several else (512,)
        if look.runtime != "openvino":
            return OnnxModel(path, card, file, OnnxSession(session), sizes=sizes)
        exact = card.kind == "instant"  # its transport of covariances is noise in bfloat16
        bfloat16 = not exact and in_bfloat16(torch.device("cpu"), look.precision)
        return OnnxModel(path, card, file, OpenVinoSession(file, bfloat16=bfloat16), bfloat16, sizes)

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
        reader = open_session(self.file.with_name(f"{self.file.stem}.style{self.file.suffix}"))
        (code,) = reader.run(None, {"painting": painting.numpy()})
        return {"style": {"code": torch.from_numpy(code)}}

    describe_style = describe

    def style_of(self, descriptions: Sequence[Targets]) -> Tensor:
        """The code of a style."""
        return descriptions[0]["style"]["code"]

    def learned_style(self, shares: Sequence[dict[str, float]], size: int = 512) -> Tensor:
        """The shares of a painter's styles, for a picture whose long side is `size`.

        Raises:
            UnknownName: it has not learned a style of that name.
        """
        weights = torch.zeros(1, len(self.card.styles))
        for name, share in shares[0].items():
            if name not in self.card.styles:
                raise UnknownName(f"style in {self.path.name}", name, self.card.styles)
            weights[0, self.card.styles.index(name)] += share
        return mixture_at(size, self.sizes, weights / weights.sum())

    def draw(
        self,
        photo: Tensor,
        style: Tensor,
        masks: Masks | None = None,
        *,
        seed: int = 0,
        in_place: bool = False,
        in_strips: bool = False,
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
        given = dict(zip(self.session.names, (photo.numpy(), style.numpy())))
        return torch.from_numpy(self.session.run(given).copy())


def _exported(path: Path) -> Path:
    """A network of ours as ONNX, made once."""
    from impasto.export import export

    folder = cache_folder() / "exported"
    file = folder / f"{path.stem}_{sha256(path)[:16]}_{version('impasto')}_{_FORMAT}.onnx"
    if not file.is_file():
        make_folder(folder)
        card, network = load_model(path)
        export(card, network, load_encoder("compact"), file, force=True)
    return file
