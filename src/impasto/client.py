"""A studio on another machine, or on this one, asked from Python."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from impasto.errors import InputError, SettingsError

_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 1.0


class Client:
    """Asks a studio (`impasto studio`, `impasto serve`) to paint.

    Args:
        address: of the studio.
        token: what `impasto serve --token-file` holds.

    Raises:
        SettingsError: an extra is missing.
    """

    def __init__(self, address: str = "http://127.0.0.1:8787", token: str | None = None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise SettingsError("A client needs an extra; install it with: pip install 'impasto[studio]'.") from error
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=120)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections; as a context manager it does so by itself."""
        self._http.close()

    def upload(self, picture: str | Path | bytes) -> str:
        """The id by which jobs name a picture: a file, or its bytes.

        Raises:
            InputError: the studio does not take it.
        """
        data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        id: str = self._ask("POST", "/v1/uploads", content=data)["id"]
        return id

    def enter(
        self, photo: str | Path | bytes, *styles: str | Path | bytes, preset: str | None = None, **brief: Any
    ) -> str:
        """Enter a job, and give its id. Styles are files, bytes, or names like "looks:swirls"; `brief` are its parts.

        Raises:
            InputError: the studio does not take it.
        """
        known = {style["id"] for style in self._ask("GET", "/v1/styles")}
        named = [style if style in known else self.upload(style) for style in styles]
        regions = {"regions": [{"styles": named}]} if named else {}
        job = {"photo": self.upload(photo), "brief": {**regions, **brief}, **({"preset": preset} if preset else {})}
        id: str = self._ask("POST", "/v1/jobs", content=json.dumps(job))["id"]
        return id

    def follow(self, id: str) -> Iterator[Mapping[str, Any]]:
        """A job whenever it has changed, until it has ended."""
        news = -1
        while True:
            job = self.job(id)
            if job["news"] != news:
                news = job["news"]
                yield job
            if job["state"] not in ("waiting", "running"):
                return
            time.sleep(_LOOK_SECONDS)

    def paint(
        self, photo: str | Path | bytes, *styles: str | Path | bytes, preset: str | None = None, **brief: Any
    ) -> bytes:
        """The painted picture as a PNG, when it is done.

        Raises:
            InputError: the studio does not take it, or could not paint it.
        """
        *_, job = self.follow(self.enter(photo, *styles, preset=preset, **brief))
        if job["state"] != "done":
            raise InputError(job["message"] or f"The job was {job['state']}.")
        return self.result(job["id"])

    def job(self, id: str) -> Mapping[str, Any]:
        """A job as it stands."""
        job: Mapping[str, Any] = self._ask("GET", f"/v1/jobs/{id}")
        return job

    def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Your jobs, the newest first."""
        jobs: Sequence[Mapping[str, Any]] = self._ask("GET", "/v1/jobs")
        return jobs

    def result(self, id: str) -> bytes:
        """The picture of a job, also of a stopped one, as a PNG."""
        return self._answer("GET", f"/v1/jobs/{id}/result")

    def stop(self, id: str) -> None:
        """End a job soon, and keep its picture."""
        self._ask("POST", f"/v1/jobs/{id}/stop")

    def resume(self, id: str) -> None:
        """Go on with a stopped job."""
        self._ask("POST", f"/v1/jobs/{id}/resume")

    def delete(self, id: str) -> None:
        """End a job, and let it be removed with its pictures."""
        self._ask("DELETE", f"/v1/jobs/{id}")

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return json.loads(self._answer(method, path, **options))

    def _answer(self, method: str, path: str, **options: Any) -> bytes:
        import httpx

        try:
            answer = self._http.request(method, path, **options)
            while answer.status_code == 429:
                time.sleep(float(answer.headers.get("Retry-After", _AGAIN_SECONDS)))
                answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise InputError(
                f"The studio at {self._http.base_url} does not answer ({error}); is it running?"
            ) from error
        if answer.is_error:
            told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            raise InputError(told.get("detail", f"The studio answered with {answer.status_code}."))
        return answer.content
