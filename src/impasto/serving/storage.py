"""Files of jobs: uploads, previews and results by name, in a folder or a bucket."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Storage:
    """Bytes by name; a name that is put as new is put once, whoever tries.

    Args:
        place: a folder, or s3://, gs://, az:// or memory:/// .

    Raises:
        SettingsError: an extra is missing, or the place cannot be used.
    """

    def __init__(self, place: str | Path) -> None:
        try:
            from obstore.exceptions import BaseError
            from obstore.store import LocalStore, from_url
        except ImportError as error:
            raise SettingsError("The studio needs an extra; install it with: pip install 'impasto[studio]'.") from error
        self._folder = None if "://" in str(place) else Path(place).resolve()
        try:
            self._store: ObjectStore = LocalStore(self._folder, mkdir=True) if self._folder else from_url(str(place))
        except BaseError as error:
            raise SettingsError(f"{place} cannot be used as a storage ({str(error).splitlines()[0]}).") from error

    def put_new(self, name: str, data: bytes) -> bool:
        """Put what is not there; False if it is."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            obstore.put(self._store, name, data, mode="create")
        except AlreadyExistsError:
            return False
        except OSError as error:
            raise OutputError(f"The storage is full or gone ({error}).") from error
        return True

    def put(self, name: str, data: bytes) -> None:
        """Put, in place of what is there."""
        import obstore

        try:
            obstore.put(self._store, name, data)
        except OSError as error:
            raise OutputError(f"The storage is full or gone ({error}).") from error

    def get(self, name: str) -> bytes | None:
        """What is there under a name."""
        import obstore

        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is anything under a name."""
        import obstore

        try:
            obstore.head(self._store, name)
        except FileNotFoundError:
            return False
        return True

    def older(self, prefix: str, before: float) -> list[str]:
        """Names under a prefix, without it, of what was last put before a time."""
        import obstore

        found = [meta for chunk in obstore.list(self._store, prefix) for meta in chunk]
        return [meta["path"].removeprefix(prefix) for meta in found if meta["last_modified"].timestamp() < before]

    def free(self) -> float:
        """Bytes that there is room for; beyond all measure in a bucket."""
        return shutil.disk_usage(self._folder).free if self._folder else float("inf")

    def delete(self, name: str) -> None:
        """Remove what is there, if there is anything."""
        import obstore

        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return
