"""`impasto models`: the shelf of trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

models = App(name="models", help="List, show, add and remove trained models.")


@models.command(name="list")
def list_() -> None:
    """List the models on the shelf: those of the package, and your own."""
    from impasto.errors import WeightsError
    from impasto.shelf.card import read_card
    from impasto.shelf.models import models as on_shelf
    from impasto.shelf.models import shipped_folder

    for name, path in on_shelf().items():
        origin = "in the package" if path.parent == shipped_folder() else "yours"
        try:
            card = read_card(path)
        except WeightsError as error:
            print(f"{name:16}  unusable: {error}")
            continue
        styles = f"  {', '.join(card.styles)}" if card.styles else ""
        print(f"{name:16}  {card.kind:8}  {path.stat().st_size / 1e6:.1f} MB  {origin:14}  {card.description}{styles}")


@models.command
def show(name: str, /) -> None:
    """Show a model's card as JSON: what it is, its licence, and how it was trained.

    Args:
        name: A name on the shelf, or a file.
    """
    from impasto.shelf.card import read_card
    from impasto.shelf.models import find

    print(read_card(find(name)).model_dump_json(indent=2))


@models.command
def add(
    model: Path,
    /,
    *,
    name: str | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Put a copy of a trained model on the shelf, to paint with it by name.

    Args:
        model: A .impasto file.
        name: The name it shall have; that of the file by default.
        force: Replace a model of yours that has this name.
    """
    from impasto.shelf.models import add as put

    card = put(model, name, force=force)
    print(f"{name or model.stem}  {card.kind}  {card.description}")


@models.command
def remove(name: str, /) -> None:
    """Take one of your models off the shelf.

    Args:
        name: Its name.
    """
    from impasto.shelf.models import remove as take

    take(name)
