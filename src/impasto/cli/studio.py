"""`impasto studio` and `impasto serve`: a page to paint in, and an API."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from impasto.errors import SettingsError

_RATE = re.compile(r"[1-9][0-9]{0,6}/(second|minute|hour)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}")


def studio(
    *,
    port: int = 8787,
    folder: Path | None = None,
    workers: int = 2,
    sign: Annotated[bool, Parameter(negative="")] = False,
    no_browser: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Open the studio: a page on this machine to paint in.

    Jobs and pictures are kept; after a crash they go on.

    Examples:

    - `impasto studio`
    - `impasto studio --port 9000 --no-browser`

    Args:
        port: Where the page is; 0: any that is free.
        folder: Where jobs and pictures lie; by default in your data folder.
        workers: Processes that paint. Of two or more, the first takes what is quick.
        sign: Sign what is painted, as `impasto sign` does by your own key.
        no_browser: Only say where the page is.
    """
    import webbrowser

    def opened(address: str) -> None:
        print(f"The studio is open at {address}; Ctrl-C closes it.", flush=True)
        if not no_browser:
            webbrowser.open(address)

    _serve(folder, "127.0.0.1", port, workers, opened, signs=sign)


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    token_file: Path | None = None,
    folder: Path | None = None,
    database: str | None = None,
    storage: str | None = None,
    workers: int = 2,
    pool: str = "",
    rate: str = "600/minute",
    trusted_proxy: str = "",
    sign: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Serve the studio and its API to others, who must know a token.

    Examples:

    - `impasto serve --host 0.0.0.0 --token-file token.txt --workers 2`, and in the browser http://HOST:8787/?token=TOKEN
    - `impasto serve --database postgresql://studio@host/studio --storage s3://bucket/studio`, on each of many machines
    - `impasto serve --pool ray --database postgresql://studio@host/studio --storage s3://bucket/studio`

    Args:
        host: The address to listen at.
        port: The port; 0: any that is free.
        token_file: A file with the token, of 16 letters or more; needed beyond this machine.
        folder: Where jobs and pictures lie, unless --database and --storage say otherwise.
        database: The queue of jobs: postgresql://user@host/name, for many machines. The password is PGPASSWORD's.
        storage: Where pictures lie: a folder, or s3://, gs:// or az://.
        workers: Processes that paint. Of two or more, the first takes what is quick. On a cluster: at most so many.
        pool: Paint on a Ray cluster, with more painters while jobs wait: ray, or its address. --database and --storage
            are what all its machines reach.
        rate: Requests that change something, of one address, like 600/minute or 10/second.
        trusted_proxy: The address of a proxy before it, whose X-Forwarded-For is believed.
        sign: Sign what is painted, as `impasto sign` does by your own key.
    """
    token = None
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{token_file} cannot be read ({error}); give a file with the token.") from error
        if not _TOKEN.fullmatch(token):
            raise SettingsError(f"Expected {token_file} to hold a token of 16 letters and digits or more.")
    if not _RATE.fullmatch(rate):
        raise SettingsError(f"Expected --rate like 600/minute, not {rate}.")
    painters: Any = None
    if pool:
        from impasto.cluster.pool import RayCrew

        painters = partial(RayCrew, on=pool)
    opened = lambda address: print(f"Serving at {address}", flush=True)  # noqa: E731
    _serve(
        folder, host, port, workers, opened, token=token, database=database, storage=storage, rate=rate,
        proxy=trusted_proxy, signs=sign, painters=painters,
    )  # fmt: skip


def _serve(folder: Path | None, host: str, port: int, workers: int, opened: Callable[[str], None], **more: Any) -> None:
    from platformdirs import user_data_path

    from impasto.serving.studio import serve_studio

    if not 1 <= workers <= 64:
        raise SettingsError(f"Expected 1 to 64 --workers, not {workers}.")
    if not 0 <= port <= 65535:
        raise SettingsError(f"Expected a --port from 0 to 65535, not {port}.")
    place = folder or user_data_path("impasto") / "studio"
    serve_studio(place, host=host, port=port, workers=workers, opened=opened, **more)
