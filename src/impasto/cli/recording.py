"""A film that is written while a camera is shown."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.media.encoding import PieceWriter
    from impasto.media.image import Picture

_TICK = Fraction(1, 1000)


class Recording:
    """A film that is written while it is shown."""

    def __init__(self, path: Path) -> None:
        self.path, self.stack = path, ExitStack()

    def begin(self, picture: Picture, stack: ExitStack) -> PieceWriter:
        """Begin with the size of a picture."""
        from tempfile import TemporaryDirectory

        from impasto.media.encoding import Encoding, piece_writer

        folder = Path(stack.enter_context(TemporaryDirectory(prefix="impasto-")))
        self.encoding, _ = Encoding(picture.size, _TICK, Fraction(25)).tried()
        self.writer = self.stack.enter_context(piece_writer(folder / "camera.nut", self.encoding))
        return self.writer

    def end(self) -> None:
        """Write the film."""
        from impasto.media.files import replacing
        from impasto.media.joining import join

        self.stack.close()
        with replacing(self.path) as temporary:
            join([self.writer.piece], self.encoding, temporary, None, (Fraction(0), None))
