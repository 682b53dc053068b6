"""One trained model in one file: safetensors whose metadata hold its card. Loading it runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from impasto.errors import WeightsError
from impasto.media.files import replacing
from impasto.models import MODELS, ModelKind
from impasto.provenance import Source
from impasto.weights.files import read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".impasto"
_KEY = "impasto"


class Card(BaseModel):
    """What a model is, and how it came about.

    `architecture` holds the arguments of the model's class; `styles`, the names of a painter's styles in order;
    `encoder`, the weights that it sees with and needs; `training`, settings, sources and figures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: ModelKind
    description: str
    architecture: dict[str, Any]
    styles: tuple[str, ...] = ()
    encoder: Source
    licence: str
    training: dict[str, Any]


def write_model(path: Path, card: Card, state: Mapping[str, Tensor], *, force: bool = True) -> None:
    """Write a model as float16, completely or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    from safetensors.torch import save_file

    with replacing(path, force=force) as temporary:
        save_file(
            {key: value.half().contiguous() for key, value in state.items()},
            temporary,
            metadata={_KEY: card.model_dump_json()},
        )


def read_card(path: Path) -> Card:
    """The card of a model's file.

    Raises:
        WeightsError: the file is missing, damaged, or no model.
    """
    return _card(path, read_weights(path)[1])


def load_model(path: Path) -> tuple[Card, nn.Module]:
    """A model for painting, with its card.

    Raises:
        WeightsError: the file is missing, damaged, no model, or its weights do not match its card.
    """
    import torch

    state, metadata = read_weights(path)
    card = _card(path, metadata)
    try:
        with torch.device("meta"):
            model = MODELS[card.kind](**card.architecture)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"The card of {path} describes no {card.kind} that can be built ({error}).") from error
    expected = model.state_dict()
    wrong = [key for key in expected if key not in state or state[key].shape != expected[key].shape]
    wrong += [key for key in state if key not in expected]
    if wrong:
        raise WeightsError(f"The weights in {path} do not match its card ({wrong[0]}); fetch or train it again.")
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise WeightsError(f"The weights in {path} have NaN or infinity; fetch or train it again.")
    if card.styles and card.kind != "instant" and len(card.styles) != getattr(model, "styles", 1):
        raise WeightsError(
            f"The card of {path} names {len(card.styles)} styles, but its weights know {getattr(model, 'styles', 1)}; "
            "fetch or train it again."
        )
    model.load_state_dict(state, assign=True)
    return card, model.eval().requires_grad_(False)


def _card(path: Path, metadata: Mapping[str, str]) -> Card:
    if _KEY not in metadata:
        raise WeightsError(f"{path} is no model of impasto; expected a file made by 'impasto train'.")
    try:
        return Card.model_validate_json(metadata[_KEY])
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "its form"
        raise WeightsError(
            f"The card of {path} is damaged or of another version ({where}: {problem['msg']}); train it again."
        ) from error
