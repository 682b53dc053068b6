"""Published weights, fetched once to a cache folder, resumed when cut off, and checked by their SHA-256."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from impasto.errors import UnknownName, WeightsError
from impasto.weights.files import sha256

_CHUNK = 1 << 20
_TIMEOUT = 30


@dataclass(frozen=True)
class Published:
    """Weights that their authors publish; `digest` is the SHA-256, or as much of it as they state."""

    url: str
    digest: str
    megabytes: int
    licence: str

    @property
    def filename(self) -> str:
        return self.url.rsplit("/", 1)[1]


PUBLISHED = {
    "vgg19": Published(
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d", 548, "BSD-3-Clause (torchvision)"
    ),
    "vgg16": Published(
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        528,
        "BSD-3-Clause (torchvision)",
    ),
    "resnet18": Published(
        "https://download.pytorch.org/models/resnet18-f37072fd.pth", "f37072fd", 45, "BSD-3-Clause (torchvision)"
    ),
    "resnet34": Published(
        "https://download.pytorch.org/models/resnet34-b627a593.pth", "b627a593", 83, "BSD-3-Clause (torchvision)"
    ),
    "resnet50": Published(
        "https://download.pytorch.org/models/resnet50-0676ba61.pth", "0676ba61", 98, "BSD-3-Clause (torchvision)"
    ),
}


def cache_folder() -> Path:
    """Where fetched weights lie: `IMPASTO_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("IMPASTO_CACHE") or platformdirs.user_cache_dir("impasto", appauthor=False))


def cached(name: str) -> Path | None:
    """The fetched file of the weights called `name`, or None."""
    path = cache_folder() / _published(name).filename
    return path if path.is_file() else None


def require(name: str) -> Path:
    """The fetched file of the weights called `name`.

    Raises:
        WeightsError: they have not been fetched.
    """
    path = cached(name)
    if path is None:
        published = _published(name)
        raise WeightsError(
            f"The weights of {name} are not here; fetch them once with 'impasto weights get {name}' "
            f"({published.megabytes} MB), or give a file you have with --weights."
        )
    return path


def fetch(name: str) -> Iterator[tuple[int, int]]:
    """Fetch the weights called `name`, yielding (bytes here, bytes in all); an earlier part is continued.

    Raises:
        UnknownName: nothing of that name is published.
        WeightsError: there is no network, the disk is full, or what came is not what was published.
    """
    published = _published(name)
    target = cache_folder() / published.filename
    if target.is_file():
        size = target.stat().st_size
        yield size, size
        return
    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield from _download(published.url, part)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"{name} could not be fetched ({reason}); what came so far is kept. Run the command again with a network, "
            f"or copy {published.filename} from another machine to {target.parent}."
        ) from error
    if not sha256(part).startswith(published.digest):
        part.unlink()
        raise WeightsError(f"What came for {name} has another SHA-256 than published and was removed; fetch it again.")
    part.replace(target)


def _published(name: str) -> Published:
    if name not in PUBLISHED:
        raise UnknownName("published weights", name, PUBLISHED)
    return PUBLISHED[name]


def _download(url: str, part: Path) -> Iterator[tuple[int, int]]:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        yield have, have
        return
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        have = file.tell()
        whole = have + int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            yield have, max(have, whole)
    if have < whole:
        raise OSError("the connection closed early")
