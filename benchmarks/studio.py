"""How the studio serves while both its painters are busy, and how its page does.

Everything is measured over HTTP from outside, on a studio of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from PIL import Image

PAGE = Path(__file__).parent.parent / "src" / "impasto" / "serving" / "page"


def photo(height: int, width: int, seed: int = 0) -> bytes:
    """A smooth random picture as a JPEG file."""
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, "jpeg", quality=92)
    return file.getvalue()


class Served:
    """A studio in a process of its own."""

    def __init__(self, folder: Path, database: str = "") -> None:
        options = ["--rate", "1000000/minute", "--port", "0", "--folder", str(folder)]
        command = [sys.executable, "-m", "impasto", "serve", *options]
        command += ["--database", database] if database else []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.address = next(word for word in line.split() if word.startswith("http")).rstrip(";")
        self.client = httpx.Client(base_url=self.address, timeout=120)
        self.photo, self.painting = self.upload(photo(900, 1200)), self.upload(photo(600, 800, 1))

    def upload(self, data: bytes) -> str:
        """Its id."""
        return str(self.client.post("/v1/uploads", content=data).json()["id"])

    def enter(self, **settings: Any) -> dict[str, Any]:
        """A job by optimisation."""
        brief = {"regions": [{"styles": [self.painting]}], "engine": "optimize", "settings": settings}
        job: dict[str, Any] = self.client.post("/v1/jobs", json={"photo": self.photo, "brief": brief}).json()
        return job

    def look(self, size: int, seed: int = 0) -> float:
        """Seconds until a picture in one pass is there."""
        brief = {"regions": [{"styles": ["looks:mosaic"]}], "settings": {"size": size, "seed": seed}}
        began = time.perf_counter()
        answer = self.client.post("/v1/jobs", json={"photo": self.photo, "brief": brief}, headers={"Prefer": "wait"})
        assert answer.headers["content-type"] == "image/png"
        return time.perf_counter() - began

    def state(self, id: str) -> dict[str, Any]:
        """A job as it stands."""
        job: dict[str, Any] = self.client.get(f"/v1/jobs/{id}").json()
        return job

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)
        self.client.close()


async def status_requests(address: str, id: str, seconds: float, connections: int) -> list[float]:
    """Latencies of as many status requests as fit."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    request = f"GET /v1/jobs/{id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    latencies: list[float] = []
    ends = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while time.perf_counter() < ends:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            latencies.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return latencies


async def posts(served: Served, count: int) -> list[tuple[int, float]]:
    """(status, seconds) of jobs that are entered all at once, by connections that stand already."""
    host, port = urlsplit(served.address).hostname, urlsplit(served.address).port
    pairs = [await asyncio.open_connection(host, port) for _ in range(count)]

    async def one(number: int) -> tuple[int, float]:
        reader, writer = pairs[number]
        brief = {"regions": [{"styles": [served.painting]}], "settings": {"size": 512, "seed": number}}
        body = json.dumps({"photo": served.photo, "brief": brief})
        began = time.perf_counter()
        writer.write(f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), time.perf_counter() - began

    return list(await asyncio.gather(*(one(number) for number in range(count))))


def service(served: Served) -> None:
    """Under load: status, posts, stop."""
    served.look(640)
    print(f"a look at 640 px, warm: {min(served.look(640, seed) for seed in range(1, 4)):.2f} s")
    job = served.enter(size=1024, steps=[400])
    while served.state(job["id"])["done"] == 0:
        time.sleep(0.05)
    waiting = threading.Event()

    def keep_quick_busy() -> None:
        seed = 100
        while not waiting.is_set():
            served.look(900, seed)
            seed += 1

    thread = threading.Thread(target=keep_quick_busy)
    thread.start()
    for connections in (1, 8):
        latencies = asyncio.run(status_requests(served.address, job["id"], 5, connections))
        p50, p99 = np.percentile(latencies, [50, 99]) * 1000
        print(f"status, {connections} connections: {len(latencies) / 5:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    waiting.set()
    thread.join()

    answers = asyncio.run(posts(served, 200))
    refused = [seconds for status, seconds in answers if status == 429]
    taken = sum(status == 202 for status, _ in answers)
    print(f"200 posts at once: {taken} taken, {len(refused)} refused, the slowest in {1000 * max(refused):.0f} ms")
    began = time.perf_counter()
    served.client.post(f"/v1/jobs/{job['id']}/stop")
    told = time.perf_counter() - began
    while served.state(job["id"])["state"] == "running":
        time.sleep(0.005)
    print(f"stop: acknowledged in {1000 * told:.0f} ms, stopped in {time.perf_counter() - began:.2f} s")
    for one in served.client.get("/v1/jobs").json():
        served.client.delete(f"/v1/jobs/{one['id']}")


def soak(served: Served, jobs: int) -> None:
    """Small jobs, one after the other: memory, handles, threads."""
    family = [psutil.Process(served.process.pid), *psutil.Process(served.process.pid).children(recursive=True)]

    def figures() -> tuple[float, int, int]:
        alive = [one for one in family if one.is_running()]
        return (
            sum(one.memory_info().rss for one in alive) / 2**20, sum(one.num_fds() for one in alive),
            sum(one.num_threads() for one in alive),
        )  # fmt: skip

    for number in range(60):
        served.look(128, number)
    before = figures()
    for number in range(jobs):
        served.look(128, 1000 + number)
    after = figures()
    slope = (after[0] - before[0]) * 1000 / jobs
    print(
        f"{jobs} jobs of 128 px: {slope:+.0f} MiB for 1,000, handles {before[1]} to {after[1]}, threads {before[2]} to "
        f"{after[2]}"
    )


def kills(folder: Path, database: str, count: int) -> None:
    """A worker or the server ended by kill -9 at a random moment, again and again, while jobs come in."""
    chance, ids, slowest, by_server = random.Random(0), [], 0.0, 0
    served = Served(folder, database)
    for number in range(count):
        for one in range(3):
            ids.append(f"kill-{number:03}-{one}")
            settings = {"size": 500 + len(ids)}
            brief = {"regions": [{"styles": ["looks:mosaic"]}], "settings": settings}
            served.client.put(f"/v1/jobs/{ids[-1]}", json={"photo": served.photo, "brief": brief}).raise_for_status()
        time.sleep(chance.uniform(0, 1.5))
        children = psutil.Process(served.process.pid).children()
        alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        workers = [child for child in alive if "impasto.serving.worker" in child.cmdline()]
        if chance.random() < 0.3 or not workers:
            by_server += 1
            served.process.kill()
            served.process.wait()
            served.client.close()
            served = Served(folder, database)
        else:
            chance.choice(workers).kill()
        began = time.monotonic()
        while any(served.state(id)["state"] in ("waiting", "running") for id in ids[-3:]):
            time.sleep(0.1)
        slowest = max(slowest, time.monotonic() - began)
    states = [served.state(id)["state"] for id in ids]
    results = [*(folder / "files" / "results").iterdir()]
    whole = sum(Image.open(path).verify() is None for path in results)
    served.close()
    print(
        f"{count} kills, {by_server} of the server: of {len(ids)} jobs {states.count('done')} done, "
        f"{states.count('failed')} lost twice, {len(ids) - states.count('done') - states.count('failed')} not ended; "
        f"{len(results)} results, {whole} whole; all three of a kill ended within {slowest:.0f} s"
    )


def page(served: Served, browser_path: str) -> None:
    """The page in a browser whose CPU is slowed to a quarter, and what it weighs."""
    from playwright.sync_api import sync_playwright

    code = [path for path in PAGE.iterdir() if path.suffix in (".js", ".css")]
    packed = sum(len(gzip.compress(path.read_bytes())) for path in code)
    print(
        f"JS and CSS gzipped: {packed / 1000:.0f} kB; as they are: {sum(p.stat().st_size for p in code) / 1000:.0f} kB"
    )
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "photo.jpg").write_bytes(photo(3024, 4032, 5))
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.on("response", lambda one: sizes.append(int(one.headers.get("content-length", 0))))
        sizes: list[int] = []
        session = tab.context.new_cdp_session(tab)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        tab.goto(served.address)
        tab.wait_for_timeout(1500)
        paint, ready = tab.evaluate(
            "[performance.getEntriesByName('first-contentful-paint')[0].startTime, "
            "performance.getEntriesByName('ready')[0].startTime]"
        )
        print(f"CPU / 4: first paint {paint:.0f} ms, interactive {ready:.0f} ms, first view {sum(sizes) / 1000:.0f} kB")
        session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        tab.set_input_files("#photo", Path(folder) / "photo.jpg")
        tab.wait_for_selector("#after[src^=blob]", timeout=60_000)
        print(f"brush on 12 MP: {_brush(tab)}")
        browser.close()


def _brush(tab: Any) -> str:
    tab.locator("#places button").last.click()
    tab.wait_for_timeout(500)
    tab.evaluate(
        "window.frames = []; let last = 0; const tick = now => { frames.push(now - last); last = now; "
        "requestAnimationFrame(tick); }; requestAnimationFrame(tick)"
    )
    box = tab.locator("#mask").bounding_box()
    tab.mouse.move(box["x"] + 20, box["y"] + 20)
    tab.mouse.down()
    for step in range(120):
        across = 0.1 + 0.8 * step / 120
        tab.mouse.move(box["x"] + across * box["width"], box["y"] + (0.3 + 0.3 * (step % 7) / 7) * box["height"])
    times = tab.evaluate("frames.slice(2)")
    tab.mouse.up()
    return f"p95 of {len(times)} frames {np.percentile(times, 95):.0f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--kills", type=int, default=0, help="only this: so many kills")
    parser.add_argument("--database", default="", help="where the queue is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.kills:
            kills(Path(folder), given.database, given.kills)
            return
        served = Served(Path(folder))
        print(json.dumps({"cores": psutil.cpu_count(), "address": served.address}))
        try:
            if given.browser:
                page(served, given.browser)
            service(served)
            soak(served, given.jobs)
        finally:
            served.close()


if __name__ == "__main__":
    main()
