"""`impasto weights`: published weights, listed and fetched."""

from __future__ import annotations

from cyclopts import App

weights = App(name="weights", help="List and fetch the published weights of VGG-16 and VGG-19.")


@weights.command(name="list")
def list_() -> None:
    """List encoders, and where their weights are."""
    from impasto.encoders.compact import shipped_weights
    from impasto.weights.fetch import PUBLISHED, cached

    for name, path in shipped_weights().items():
        print(f"{name:8}  in the package  {path.stat().st_size / 1e6:.1f} MB  MIT")
    for name, published in PUBLISHED.items():
        where = cached(name) or f"not here: impasto weights get {name}"
        print(f"{name:8}  {where}  {published.megabytes} MB  {published.licence}")


@weights.command
def get(name: str, /) -> None:
    """Fetch published weights once; an interrupted download is continued.

    Args:
        name: vgg19, vgg16, resnet18, resnet34 or resnet50.
    """
    from impasto.cli.progress import progress_line
    from impasto.weights.fetch import cached, fetch

    with progress_line() as progress:
        task = progress.add_task(name, total=None, note="")
        for have, whole in fetch(name):
            progress.update(task, completed=have, total=whole, note=f"{have / 1e6:.0f} of {whole / 1e6:.0f} MB")
    print(cached(name))
