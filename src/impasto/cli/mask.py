"""`impasto mask`: where a photo is to be painted, as a picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from impasto.errors import SettingsError
from impasto.media.image import MAX_PIXELS

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.media.image import Picture
    from impasto.recipes.regions import MaskReader

_WHAT = Group("What is meant (one of these)", sort_key=1)
_EDGES = Group("What becomes of the mask", sort_key=2)


@dataclass(frozen=True)
class WhatOptions:
    """How the mask is found.

    Args:
        box: Left, top, right and bottom in pixels around the whole of a thing, like 120,80,400,600.
        points: x,y in pixels on what is meant; repeat it.
        outside: x,y on what is not meant, for --points; repeat it.
        scribble: A grey picture of the photo's shape: white strokes on what is meant, black ones on what is not.
        subject: What the photo is of.
        face: Faces with hair and neck.
        color: Places of a colour like '#3a6ea5'.
        tolerance: How far colours may be from it, in Oklab.
        alpha: Where the photo is opaque.
        place: A mask, or a colour of a map like map.png#ff0000, fitted to the photo.
    """

    box: Annotated[str | None, Parameter(group=_WHAT)] = None
    points: Annotated[list[str] | None, Parameter(group=_WHAT, negative="")] = None
    outside: Annotated[list[str] | None, Parameter(group=_WHAT, negative="")] = None
    scribble: Annotated[Path | None, Parameter(group=_WHAT)] = None
    subject: Annotated[bool, Parameter(group=_WHAT, negative="")] = False
    face: Annotated[bool, Parameter(group=_WHAT, negative="")] = False
    color: Annotated[str | None, Parameter(group=_WHAT)] = None
    tolerance: Annotated[float, Parameter(group=_WHAT)] = 0.12
    alpha: Annotated[bool, Parameter(group=_WHAT, negative="")] = False
    place: Annotated[str | None, Parameter(name="--from", group=_WHAT)] = None


@dataclass(frozen=True)
class EdgeOptions:
    """What is done with the mask, in this order.

    Args:
        grow: Pixels by which it grows.
        shrink: Pixels by which it shrinks.
        add: A mask to add; repeat it.
        subtract: A mask to take away; repeat it.
        within: A mask that it is to stay within; repeat it.
        invert: What was meant is not, and the other way round.
        feather: Pixels over which its edges fade.
    """

    grow: Annotated[int, Parameter(group=_EDGES)] = 0
    shrink: Annotated[int, Parameter(group=_EDGES)] = 0
    add: Annotated[list[str] | None, Parameter(group=_EDGES, negative="")] = None
    subtract: Annotated[list[str] | None, Parameter(group=_EDGES, negative="")] = None
    within: Annotated[list[str] | None, Parameter(group=_EDGES, negative="")] = None
    invert: Annotated[bool, Parameter(group=_EDGES, negative="")] = False
    feather: Annotated[float, Parameter(group=_EDGES)] = 0.0


def mask(
    photo: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    what: Annotated[WhatOptions, Parameter(name="*")] = WhatOptions(),
    edges: Annotated[EdgeOptions, Parameter(name="*")] = EdgeOptions(),
    force: Annotated[bool, Parameter(negative="")] = False,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Make a mask of a part of a photo, in which white is in and grey is partly in.

    Boxes, points, strokes, faces and subjects need an extra: pip install 'impasto[masks]'.

    Examples:

    - `impasto mask photo.jpg --box 120,80,400,600 -o subject.png`
    - `impasto mask photo.jpg --face --feather 12 -o face.png`
    - `impasto mask photo.jpg --color '#3a6ea5' --invert -o not_the_sky.png`
    - `impasto paint photo.jpg starry.jpg --keep face.png -o out.png`

    Args:
        photo: The photo.
        output: The picture to write; .png keeps it as it is.
        force: Replace it if it exists.
        max_pixels: Largest picture to read.
    """
    from impasto.brief import of_map
    from impasto.masks import feathered, grown
    from impasto.media.image import Picture
    from impasto.recipes.output import Output
    from impasto.recipes.pictures import Pictures
    from impasto.recipes.regions import MaskReader

    began, others = time.monotonic(), [*(edges.add or []), *(edges.subtract or []), *(edges.within or [])]
    if edges.grow < 0 or edges.shrink < 0 or not 0 <= edges.feather <= 1000:
        raise SettingsError("Expected 0 or more pixels for --grow, --shrink and --feather.")
    target = Output(output)
    inputs = [what.place or "", *others]
    inputs += [part[0] for part in map(of_map, inputs) if part]
    target.check([photo, what.scribble, *inputs], force=force)
    pictures = Pictures(max_pixels=max_pixels)
    picture = pictures.read(photo)
    reader = MaskReader(picture, pictures)
    found = grown(grown(_found(picture, what, reader), edges.grow), -edges.shrink)
    for name in edges.add or []:
        found = found.maximum(reader.read(name))
    for name in edges.subtract or []:
        found = found * (1 - reader.read(name))
    for name in edges.within or []:
        found = found * reader.read(name)
    found = feathered(1 - found if edges.invert else found, edges.feather)
    target.write(Picture(found.expand(-1, 3, -1, -1)))
    height, width = picture.size
    print(f"{output}  {width}x{height}  {float(found.mean()):.0%} of the photo  {time.monotonic() - began:.1f} s")


def _found(picture: Picture, what: WhatOptions, reader: MaskReader) -> Tensor:
    """The mask by the one way that was given."""
    from impasto.controls import select
    from impasto.recipes.regions import find, mask_of, seen_in

    pixels = picture.pixels
    given = {
        "--box": what.box, "--points": what.points, "--scribble": what.scribble, "--subject": what.subject,
        "--face": what.face, "--color": what.color, "--alpha": what.alpha, "--from": what.place,
    }  # fmt: skip
    chosen = [name for name, value in given.items() if value]
    if len(chosen) != 1:
        raise SettingsError(f"Expected one of {', '.join(given)}; got {', '.join(chosen) or 'none'}.")
    if what.box:
        left, top, right, bottom = _numbers(what.box, 4)
        return select.from_box(pixels, (left, top, right, bottom), seen_in(pixels))
    if what.points:
        return select.from_points(pixels, _points(what.points), _points(what.outside))
    if what.scribble:
        return select.from_strokes(pixels, reader.read(str(what.scribble)))
    if what.color:
        return select.from_color(pixels, what.color, what.tolerance)
    if what.alpha:
        return mask_of(_with_alpha(picture))
    return reader.read(what.place) if what.place else find("face" if what.face else "subject", pixels)


def _with_alpha(picture: Picture) -> Picture:
    if picture.alpha is None:
        raise SettingsError("The photo is opaque all over, so --alpha says nothing; choose another way.")
    return picture


def _points(texts: list[str] | None) -> list[tuple[float, float]]:
    pairs = (_numbers(text, 2) for text in texts or [])
    return [(x, y) for x, y in pairs]


def _numbers(text: str | None, count: int) -> tuple[float, ...]:
    """So many numbers, separated by commas."""
    try:
        numbers = tuple(float(part) for part in (text or "").split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(abs(number) < 1e6 for number in numbers):
        raise SettingsError(f"Expected {count} numbers separated by commas; got {text!r}.")
    return numbers
