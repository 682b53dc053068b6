"""Files written completely or not at all, and never over what is read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import OutputError

_BESIDE = len(".unfinished")


def check_writable(path: Path, *, force: bool) -> None:
    """Raise `OutputError` where `replacing(path)` would, as far as that can be known before."""
    check_name(path)
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file.")
        if path.exists() and not force:
            raise OutputError(f"{path} exists; choose another name, or replace it with --force.")
        if not path.parent.is_dir():
            raise OutputError(f"There is no folder {path.parent}; make it first.")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"The folder {path.parent} cannot be written to ({error.strerror}); choose another."
        ) from error


def check_name(path: Path) -> None:
    """Raise `OutputError` where a name is too long for its folder, with what may be put beside it."""
    longest = _longest_name(path.parent) - _BESIDE
    if len(os.fsencode(path.name)) > longest:
        raise OutputError(f"The name {path.name[:40]}... is too long; give one of at most {longest} bytes.")


def is_text(name: str) -> bool:
    """Whether a name is text, which on some systems it need not be."""
    return name == name.encode(errors="replace").decode()


def is_file(path: str | Path) -> bool:
    """Whether there is a file of that name; of names that no file can have, there is none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def check_apart(outputs: Iterable[Path | None], inputs: Iterable[str | Path | None]) -> None:
    """See to it that no file to write is one that is read, or one that is to be written besides.

    Raises:
        OutputError: one is; no flag allows it.
    """
    read = {_identity(Path(path)) for path in inputs if path is not None and is_file(path)}
    written: set[object] = set()
    for path in outputs:
        if path is None:
            continue
        if _identity(path) in read:
            raise OutputError(f"{path} is one of the inputs, and no input is ever replaced; choose another name.")
        if _identity(path) in written:
            raise OutputError(f"{path} is to be written twice; give each output a name of its own.")
        written.add(_identity(path))


def make_folder(folder: Path) -> None:
    """Make a folder for results, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made ({error.strerror}); choose another.") from error


@contextmanager
def replacing(path: Path, *, force: bool = True) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place if the block succeeds, and vanishes if not."""
    check_writable(path, force=force)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=".impasto-", suffix=path.suffix[:16], dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} could not be written ({error.strerror or error}); nothing was changed.") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def _identity(path: Path) -> object:
    """What tells files apart, whatever they are called."""
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, AttributeError, ValueError):
        return 255


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
