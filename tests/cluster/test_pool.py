"""A studio whose painters are on a Ray cluster."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from runs import wait_until
from server import Studio, encoded

pytestmark = pytest.mark.once_in("bfloat16")


def painters() -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if "::_Painter" in " ".join(one.info["cmdline"] or [])]


@pytest.mark.timeout(900)
def test_jobs_outlive_their_painters_and_more_come_while_jobs_wait(tmp_path: Path) -> None:
    with Studio(tmp_path, "serve", "--pool", "ray", "--workers", "2") as studio:
        photo, painting = studio.upload(encoded(0)), studio.upload(encoded(3))
        ids = []
        for number in range(3):
            settings = {"size": 128 + 8 * number, "steps": [100]}
            brief = {"engine": "optimize", "regions": [{"styles": [painting]}], "settings": settings}
            ids.append(studio.client.post("/v1/jobs", json={"photo": photo, "brief": brief}).json()["id"])
        studio.wait(ids[0], "running")
        wait_until(lambda: len(painters()) == 2)
        painters()[0].kill()
        done = [studio.wait(id, "done", "failed") for id in ids]
        assert [job["state"] for job in done] == ["done"] * 3
    wait_until(lambda: not painters())
