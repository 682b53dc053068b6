"""Everything that can go wrong for a user, drawn as a tree."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ImpastoError(Exception):
    """A problem the user can act on; the message is one sentence: what was expected, what came, what to do."""


class InputError(ImpastoError, ValueError):
    """A picture, file or setting that cannot be used."""


class PictureError(InputError):
    """A picture that cannot be read, or has nothing in it to work with."""


class FilmError(InputError):
    """A film that cannot be read, or has nothing in it to work with."""


class CameraError(InputError):
    """A camera that is not there, or no longer."""


class SettingsError(InputError):
    """A setting outside of its range, or settings that contradict each other."""


class UnknownName(SettingsError):
    """A name that is not in a closed list; the nearest known one is suggested."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}."
        super().__init__(f"There is no {what} called {name!r}; {hint}")


class WeightsError(InputError):
    """Weights that are missing, damaged, of another architecture or unsafe to load."""


class RecordError(InputError):
    """A picture without a record of its making, or one that cannot be followed."""


class OutputError(ImpastoError, OSError):
    """A result that cannot be written where it was asked for."""


class StorageError(ImpastoError):
    """A storage that cannot be reached, or does not allow what is asked of it."""


class TooLargeError(ImpastoError):
    """A job that would not fit into memory."""


class PartedError(ImpastoError):
    """Work that several processes did together, and that one of them has left."""


class DivergedError(ImpastoError):
    """An optimisation that ran into NaN or infinity."""
