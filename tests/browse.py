"""What people do in the studio's page, in a real browser.

python tests/browse.py ADDRESS FOLDER BROWSER does all of it; it ends with an error if anything is not as it should be.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from clips import clip, moving
from server import encoded

PATIENCE = 120_000


class Visit:
    """A browser at the studio's address, with pictures to use; what went wrong in pages is in `problems`."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder
        self.problems: list[str] = []
        (folder / "photo.png").write_bytes(encoded(5))
        (folder / "second.png").write_bytes(encoded(9))
        (folder / "painting.jpg").write_bytes(encoded(6, "jpeg"))

    @contextmanager
    def page(self, width: int = 1280, *, photo: bool = True, **options: object) -> Iterator[Page]:
        """A page of its own, at which nothing may go wrong."""
        context = self.browser.new_context(viewport={"width": width, "height": 800}, locale="en", **options)  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("response", lambda one: self.problems.append(f"{one.status} {one.url}") if one.status >= 400 else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda one: None if self._is_ours(one.url) else self.problems.append(one.url))
        page.goto(self.address)
        if photo:
            page.set_input_files("#photo", self.folder / "photo.png")
            looked(page)
        yield page
        context.close()
        assert not self.problems, self.problems

    def _is_ours(self, url: str) -> bool:
        return url.startswith((self.address, "blob:", "data:"))


def looked(page: Page) -> None:
    """Wait for the first look."""
    expect(page.locator("#status")).to_contain_text("first look;", timeout=PATIENCE)
    expect(page.locator("#after")).to_have_attribute("src", re.compile("^blob:"), timeout=PATIENCE)


def painted(page: Page) -> None:
    """Paint it, small, and wait for it."""
    page.select_option("#size", "512")
    page.locator("#paint").click()
    expect(page.locator("#status")).to_have_text("Painted.", timeout=PATIENCE)


def one_paints_by_keyboard_alone(visit: Visit) -> None:
    with visit.page(360, photo=False) as page:
        page.set_input_files("#photo", visit.folder / "photo.png")
        looked(page)
        page.set_input_files("#painting", visit.folder / "painting.jpg")
        expect(page.locator("#styles button").first).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#styles button").first).to_contain_text("painting")
        page.locator("#quality").focus()
        page.keyboard.type("a d")
        expect(page.locator("#quality")).to_have_value("draft")
        page.locator("#size").focus()
        page.keyboard.type("512")
        page.locator("#wipe").focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert page.evaluate("document.querySelector('#after').style.getPropertyValue('--wipe')") == "3%"
        page.keyboard.press("p")
        expect(page.locator("#status")).to_have_text("Painted.", timeout=PATIENCE)
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("l")
        expect(page.locator("#star")).to_have_attribute("aria-pressed", "true")
        page.reload()
        expect(page.locator("#status")).to_have_text("Painted.")
        expect(page.locator("#star")).to_have_attribute("aria-pressed", "true")
        page.select_option("#language", "zh")
        assert page.text_content("#paint") == "认真画一幅"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        with page.expect_download() as download:
            page.click("#download")
        with Image.open(download.value.path()) as picture:
            assert picture.size == (512, 384)


def a_reload_in_the_middle_loses_nothing(visit: Visit) -> None:
    with visit.page() as page:
        page.set_input_files("#painting", visit.folder / "painting.jpg")
        page.select_option("#quality", "best")
        page.locator("#paint").click()
        expect(page.locator("#status")).to_contain_text("Painting", timeout=PATIENCE)
        page.reload()
        expect(page.locator("#status")).to_contain_text("Painting")
        page.locator("#stop").click()
        expect(page.locator("#status")).to_contain_text("Stopped", timeout=PATIENCE)
        expect(page.locator("#after")).to_have_attribute("src", re.compile("preview"))
        page.locator("#delete").click()
        expect(page.locator("#work")).to_be_hidden()


def one_draws_places(visit: Visit) -> None:
    with visit.page() as page:
        page.locator("#places button").last.click()
        page.locator("#mask").scroll_into_view_if_needed()
        box = page.locator("#mask").bounding_box()
        assert box
        across = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
        page.mouse.move(*across(0.2, 0.5))
        page.mouse.down()
        page.mouse.move(*across(0.6, 0.5), steps=8)
        page.mouse.up()
        mask = another_mask(page, None)
        looked(page)
        picture = page.request.get(f"{visit.address}/v1/uploads/{mask}")
        with Image.open(io.BytesIO(picture.body())) as drawn:
            values = drawn.convert("L")
        assert values.getpixel((values.width * 4 // 10, values.height // 2)) > 250  # type: ignore[operator]
        assert values.getpixel((values.width // 2, values.height // 20)) < 5  # type: ignore[operator]
        page.locator("[data-tool=box]").click()
        page.mouse.move(*across(0.1, 0.1))
        page.mouse.down()
        page.mouse.move(*across(0.9, 0.9), steps=3)
        page.mouse.up()
        found = another_mask(page, mask)
        page.keyboard.press("Control+z")
        assert another_mask(page, found) == mask
        page.locator("#remove-place").click()
        expect(page.locator("#places button")).to_have_count(2)


def another_mask(page: Page, old: str | None) -> str:
    """The mask of the first place, when it is another than the old one."""
    for _ in range(600):
        mask: str | None = page.evaluate("JSON.parse(localStorage.draft).places[1].mask")
        if mask != old and mask is not None:
            return mask
        page.wait_for_timeout(100)
    raise AssertionError("the mask stays as it is")


def one_looks_back(visit: Visit) -> None:
    with visit.page() as page:
        works = page.locator("#works li")
        page.locator("#styles button", has_text="mosaic").click()
        looked(page)
        painted(page)
        page.locator("#styles button", has_text="hatching").click()
        looked(page)
        painted(page)
        count = works.count()
        page.fill("#search", "hatch")
        expect(works).to_have_count(1)
        page.fill("#search", "nothing like that")
        expect(page.locator("#none")).to_be_visible()
        page.fill("#search", "")
        page.locator("#compare").click()
        works.nth(1).locator("button").click()
        expect(page.locator("#status")).to_contain_text("Compared")
        expect(page.locator("#before")).to_have_attribute("src", re.compile("preview"))
        works.nth(1).locator("button").click()
        page.locator("#again").click()
        expect(page.locator("#styles button", has_text="mosaic")).to_have_attribute("aria-pressed", "true")
        works.first.locator("button").click()
        page.locator("#delete").click()
        expect(works).to_have_count(count - 1)
        page.locator("#undo").click()
        expect(works).to_have_count(count)
        expect(page.locator("#status")).to_have_text("Painted.", timeout=PATIENCE)
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(visit.folder / "ours.png")
        page.locator("#styles button", has_text="swirls").click()
        page.set_input_files("#photo", visit.folder / "ours.png")
        expect(page.locator("#styles button", has_text="hatching")).to_have_attribute("aria-pressed", "true")
        page.set_input_files("#photo", [visit.folder / "photo.png", visit.folder / "second.png"])
        expect(page.locator("#paint")).to_have_text("Paint all (2)")
        page.locator("#paint").click()
        expect(works).to_have_count(count + 2, timeout=PATIENCE)


@contextmanager
def late_look(page: Page, style: str) -> Iterator[None]:
    """Choose a style, whose look comes only after what is done meanwhile."""
    held: list[Route] = []
    page.route("**/v1/jobs", lambda one: held.append(one) if one.request.method == "POST" else one.continue_())
    page.locator("#styles button", has_text=style).click()
    while not held:
        page.wait_for_timeout(100)
    yield
    with page.expect_response("**/v1/jobs") as response:
        held[0].continue_()
    response.value.finished()
    page.wait_for_timeout(2000)
    page.unroute("**/v1/jobs")


def a_look_that_comes_late_covers_nothing(visit: Visit) -> None:
    with visit.page() as page:
        painted(page)
        with late_look(page, "hatching"):
            page.locator("#works button").first.click()
            expect(page.locator("#status")).to_have_text("Painted.")
        expect(page.locator("#status")).to_have_text("Painted.")
        page.locator("#styles button", has_text="mosaic").click()
        looked(page)
        mosaic = page.locator("#after").get_attribute("src") or ""
        with late_look(page, "swirls"):
            page.locator("#undo").click()
        expect(page.locator("#status")).to_contain_text("first look;")
        expect(page.locator("#after")).to_have_attribute("src", mosaic)


def one_lets_it_adapt(visit: Visit) -> None:
    with visit.page(photo=False) as page:
        page.set_input_files("#photo", visit.folder / "photo.png")
        page.set_input_files("#painting", visit.folder / "painting.jpg")
        looked(page)
        adapt = page.locator("#more label", has_text="adapt").locator("input")
        page.locator("summary").click()
        expect(adapt).to_have_count(0)
        page.select_option("#quality", "instant")
        adapt.fill("2")
        adapt.press("Tab")
        painted(page)
        page.select_option("#quality", "draft")
        expect(adapt).to_have_count(0)
        page.locator("#works button").first.click()
        page.locator("#again").click()
        expect(adapt).to_have_value("2")


def one_paints_a_film(visit: Visit) -> None:
    with visit.page(photo=False) as page:
        page.set_input_files("#photo", clip(visit.folder / "film.mp4", moving(12, 96, 128), rate=12))
        looked(page)
        expect(page.locator("#steady-label")).to_be_visible()
        page.select_option("#size", "512")
        page.locator("#paint").click()
        expect(page.locator("#film")).to_be_visible(timeout=PATIENCE)
        for _ in range(100):
            if page.evaluate("document.querySelector('#film').duration") == 1:
                break
            page.wait_for_timeout(100)
        assert page.evaluate("[film.videoWidth, film.videoHeight, film.duration]") == [512, 384, 1]
        page.set_input_files("#photo", visit.folder / "photo.png")
        looked(page)
        expect(page.locator("#film")).to_be_hidden()


def it_is_large_enough_for_fingers(visit: Visit) -> None:
    with visit.page(360, has_touch=True, is_mobile=True) as page:
        page.locator("#styles button", has_text="mosaic").tap()
        looked(page)
        page.locator("#zoom-in").tap()
        assert "scale(1.5)" in (page.locator("#layers").get_attribute("style") or "")
        page.locator("#zoom-fit").tap()
        page.select_option("#size", "512")
        page.locator("#paint").tap()
        expect(page.locator("#status")).to_have_text("Painted.", timeout=PATIENCE)
        small = page.evaluate(
            "[...document.querySelectorAll('button, .button')].filter(one => one.offsetWidth)"
            ".filter(one => one.offsetWidth < 44 || one.offsetHeight < 44).map(one => one.id || one.textContent)"
        )
        assert not small, small


def everybody_can_use_it(visit: Visit) -> None:
    for width, scheme in ((360, "dark"), (1280, "light")):
        with visit.page(width, color_scheme=scheme, bypass_csp=True, photo=False) as page:
            check(page)
            page.set_input_files("#photo", visit.folder / "photo.png")
            looked(page)
            page.locator("#mix").check()
            page.locator("#styles button").nth(1).click()
            page.locator("summary").click()
            page.locator("#places button").last.click()
            check(page)
            page.locator("#open-help").click()
            check(page)


def check(page: Page) -> None:
    """No barrier that axe finds, and nothing beside the page."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def main(address: str, browser_path: str) -> None:
    """Do all of it, one after the other."""
    ways = (
        one_paints_by_keyboard_alone, a_reload_in_the_middle_loses_nothing, one_draws_places, one_looks_back,
        a_look_that_comes_late_covers_nothing, one_lets_it_adapt, one_paints_a_film, it_is_large_enough_for_fingers,
        everybody_can_use_it,
    )  # fmt: skip
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for way in ways:
            print(way.__name__, flush=True)
            way(Visit(browser, address, Path(folder)))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
