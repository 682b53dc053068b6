"""`impasto style`: a whole way of painting as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from impasto.cli.options import RecipeOptions, RegionOptions, StyleOptions, explicit

style = App(name="style", help="Keep a way of painting (styles, colours, strength, strokes) as one small file.")


@style.command
def save(
    output: Path,
    /,
    *paintings: str,
    force: Annotated[bool, Parameter(negative="")] = False,
    how: Annotated[StyleOptions, Parameter(name="*")] = StyleOptions(),
    where: Annotated[RegionOptions, Parameter(name="*")] = RegionOptions(),
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Save styles with all that is to be done with them; `impasto paint` and `batch` take the file like a painting.

    The paintings are not needed any more. For the instant network, which it is for unless --engine says otherwise, some
    statistics are kept; for optimisation, and with --adapt, small copies of the paintings.

    Examples:

    - `impasto style save starry.style starry.jpg`
    - `impasto style save between.style a.jpg b.jpg --blend 2:1`
    - `impasto style save calm.style starry.jpg --color harmony --strength 0.6 --keep subject`

    Args:
        output: The .style file to write.
        paintings: Paintings, styles saved before, or a trained painter.
        force: Replace a file that exists.
    """
    from impasto.errors import SettingsError
    from impasto.media.files import check_apart, check_writable
    from impasto.recipes.asked import Asked, parse_blend
    from impasto.recipes.pictures import Pictures
    from impasto.recipes.styles import save_style
    from impasto.shelf.engines import STYLE_SUFFIX

    if output.suffix != STYLE_SUFFIX:
        raise SettingsError(f"Expected a name that ends in {STYLE_SUFFIX} for the style; got {output}.")
    check_writable(output, force=force)
    check_apart([output], paintings)
    brief = Asked(
        paintings, how.engine, how.preset, explicit(recipe), parse_blend(how.blend), how.weights, where.region or [],
        where.mask, where.keep, (where.regions, where.style_regions), usual="instant",
    ).brief()  # fmt: skip
    check_apart([output], brief.files())
    save_style(brief, output, Pictures(), force=force)
    print(output)
