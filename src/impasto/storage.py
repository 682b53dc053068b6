"""Files by name in a folder or a bucket."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from impasto.errors import OutputError, SettingsError, StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PATIENCE = 120.0
_ADVICE = {
    "PermissionDeniedError": "these credentials may not do it",
    "UnauthenticatedError": "the credentials are missing or wrong",
}


class Storage:
    """Bytes by name; a name that is put as new is put once, whoever tries, and never half.

    Args:
        place: a folder, or s3://, gs://, az://, https:// or memory:/// ; credentials are taken from the environment.
        patience: how long to try again, in seconds, where a storage does not answer or is busy.

    Raises:
        SettingsError: an extra is missing, or the place cannot be used.
        StorageError: from every method: it cannot be reached, or does not allow it.
        OutputError: from those that write: the disk is full or gone.
    """

    def __init__(self, place: str | Path, patience: float = _PATIENCE) -> None:
        try:
            from obstore.exceptions import BaseError
            from obstore.store import LocalStore, from_url
        except ImportError as error:
            raise SettingsError(
                "Storage needs an extra; install it with: pip install 'impasto[studio]' or 'impasto[cluster]'."
            ) from error
        self.place = str(place)
        self._folder = None if is_remote(self.place) else Path(place).resolve()
        try:
            self._store: ObjectStore = (
                LocalStore(self._folder, mkdir=True)
                if self._folder
                else from_url(
                    self.place, retry_config={"max_retries": 20, "retry_timeout": timedelta(seconds=patience)}
                )
            )
        except (BaseError, ValueError) as error:
            raise SettingsError(f"{place} cannot be used as a storage ({_first_line(error)}).") from error
        except OSError as error:
            raise OutputError(f"The folder {place} cannot be made ({error.strerror or error}).") from error

    def put_new(self, name: str, data: bytes | Path) -> bool:
        """Put bytes, or those of a file, if nothing is there; False if something is."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._telling(writing=True):
                obstore.put(self._store, name, data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def put(self, name: str, data: bytes | Path) -> None:
        """Put bytes, or those of a file, in place of what is there."""
        import obstore

        with self._telling(writing=True):
            obstore.put(self._store, name, data)

    def get(self, name: str) -> bytes | None:
        """What is there under a name."""
        import obstore

        try:
            with self._telling():
                return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def part(self, name: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` of what is there under a name."""
        import obstore

        with self._telling():
            return bytes(obstore.get_range(self._store, name, start=start, length=length))

    def size(self, name: str) -> int | None:
        """How many bytes are there under a name, None where there is nothing."""
        import obstore

        try:
            with self._telling():
                return obstore.head(self._store, name)["size"]
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is anything under a name."""
        return self.size(name) is not None

    def names(self, prefix: str) -> Iterator[str]:
        """All names in a folder, with it, in no order."""
        import obstore

        with self._telling():
            for chunk in obstore.list(self._store, prefix):
                yield from (meta["path"] for meta in chunk)

    def older(self, prefix: str, before: float) -> list[str]:
        """Names in a folder, without it, of what was last put before a time."""
        import obstore

        with self._telling():
            found = [meta for chunk in obstore.list(self._store, prefix) for meta in chunk]
        return [meta["path"].removeprefix(prefix) for meta in found if meta["last_modified"].timestamp() < before]

    def free(self) -> float:
        """Bytes that there is room for; beyond all measure in a bucket."""
        return shutil.disk_usage(self._folder).free if self._folder else float("inf")

    def delete(self, name: str) -> None:
        """Remove what is there, if there is anything."""
        import obstore

        with suppress(FileNotFoundError), self._telling():
            obstore.delete(self._store, name)

    @contextmanager
    def _telling(self, *, writing: bool = False) -> Iterator[None]:
        """Let through that something is there or is not; all else becomes one sentence, without credentials."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:
            if not writing:
                raise
            raise StorageError(f"{self.place} cannot be used (there is no such bucket).") from error
        except BaseError as error:
            why = _ADVICE.get(type(error).__name__, _first_line(error))
            if "latest/api/token" in why or "latest/meta-data" in why:  # where a machine of AWS would ask for its own
                why = "no credentials were found; give them in the environment"
            raise StorageError(f"{self.place} cannot be used ({why}).") from error
        except OSError as error:
            if writing:
                raise OutputError(f"The storage is full or gone ({error}).") from error
            raise StorageError(f"{self.place} cannot be read ({error.strerror or error}).") from error


class StoredFile(io.RawIOBase):
    """What is there under a name as a file to read; no more of it is fetched than is read.

    Raises:
        FileNotFoundError: nothing is there.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name, self._at = storage, name, 0
        size = storage.size(name)
        if size is None:
            raise FileNotFoundError(name)
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._size - self._at))
        if length:
            buffer[:length] = self._storage.part(self._name, self._at, length)
            self._at += length
        return length


def is_remote(place: str) -> bool:
    """Whether a place is no folder or file of this machine."""
    return "://" in place


def split(uri: str) -> tuple[str, str]:
    """The storage of a remote file, and its name there."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
