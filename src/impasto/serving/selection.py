"""What is meant in a picture, and how large pictures of strangers may be."""

from __future__ import annotations

from typing import NamedTuple

MOST_PIXELS = 50_000_000
SHOWN_SIZE = 1600
"""Long side of what the page shows, in pixels."""


class Selection(NamedTuple):
    """What is meant: a thing by name, in a box, or at points; in shares of width and height."""

    name: str = ""
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    outside: tuple[tuple[float, float], ...] = ()
