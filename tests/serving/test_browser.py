"""The studio's page in a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import browse
from server import Studio

pytestmark = pytest.mark.once_in("float32")
_SECONDS = 500


@pytest.mark.timeout(2 * _SECONDS + 100)
def test_what_people_do_in_the_page(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no browser here; Debian's package chromium brings one")
    studio = Studio(tmp_path)
    code, told = _browse(studio.address, browser)
    if code is None:  # the browser's driver may hang on a busy machine; that says nothing about the page
        code, told = _browse(studio.address, browser)
    assert studio.close() == 0
    assert code == 0, told


def _browse(address: str, browser: str) -> tuple[int | None, str]:
    """The status and what it said; None when it did not end."""
    process = subprocess.Popen(
        [sys.executable, browse.__file__, address, browser],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        told, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        told, _ = process.communicate()
        return None, told
    return process.returncode, told
