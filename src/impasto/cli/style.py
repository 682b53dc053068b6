"""`impasto style`: what the instant network knows of a style, as a small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli.options import parse_blend


def style(
    *paintings: Path,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    blend: str | None = None,
    size: int = 512,
    style_scale: float = 1.0,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Describe one painting, or several blended, once: then `impasto paint` and `batch` need not read them again.

    Examples:

    - `impasto style starry.jpg -o starry.style`
    - `impasto style a.jpg b.jpg --blend 2:1 -o between.style`

    Args:
        paintings: Paintings, or styles saved before.
        output: The .style file to write.
        blend: Weights of several, like 2:1; equal by default.
        size: Long side of the pictures that it is for, in pixels.
        style_scale: Size at which the painting is seen: finer marks below 1, softer ones above.
        force: Replace a file that exists.
    """
    from impasto.errors import SettingsError
    from impasto.losses.terms import mix
    from impasto.media.files import check_apart, check_writable
    from impasto.recipes.engines import look_of
    from impasto.recipes.feedforward import FeedForward
    from impasto.recipes.quick import prepare_manner
    from impasto.recipes.style_code import SUFFIX, write_code

    if output.suffix != SUFFIX:
        raise SettingsError(f"Expected a name that ends in {SUFFIX} for the style; got {output}.")
    check_writable(output, force=force)
    check_apart([output], paintings)
    look = look_of({"size": size, "style_scale": style_scale})
    manner = prepare_manner(FeedForward.open("instant", look), look, paintings, blend=parse_blend(blend))
    write_code(mix(manner.descriptions(), manner.blend), output, force=force)
    print(output)
