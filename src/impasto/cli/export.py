"""`impasto export`: a trained network as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def export(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    float16: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a trained network as ONNX, after comparing its pictures with the original's.

    Pictures of any size go in and come out as (1, 3, H, W), RGB from 0 to 1. A painter also takes `style`, the share of
    each of its styles, at each of the sizes of pictures for which it has learned them; the instant network takes
    `code`, which NAME.style.onnx, written beside, reads off a painting.

    Examples:

    - `impasto export starry.impasto -o starry.onnx`
    - `impasto export instant --float16 -o instant.onnx`

    Args:
        model: A .impasto file, or a name on the shelf.
        output: The .onnx file to write.
        float16: Store the weights in half the space; pictures differ by a little more.
        force: Replace files that exist.
    """
    from impasto.encoders import load_encoder
    from impasto.errors import SettingsError
    from impasto.export import export as write
    from impasto.media.files import check_apart, check_writable
    from impasto.shelf.card import load_model
    from impasto.shelf.models import find

    if output.suffix != ".onnx":
        raise SettingsError(f"Expected a name that ends in .onnx; got {output}.")
    check_writable(output, force=force)
    source = find(model)
    check_apart([output], [source])
    card, network = load_model(source)
    for written in write(card, network, load_encoder("compact"), output, float16=float16, force=force):
        size = written.path.stat().st_size / 1e6
        print(f"{written.path}  {size:.1f} MB  largest difference {written.difference:.1e}")
