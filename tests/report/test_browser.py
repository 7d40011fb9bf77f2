"""The report in a real browser, opened from disk with the network cut off.

With ``PLIMSOLL_ARTEFACTS`` set to a folder, its screenshots are kept there.
"""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll.report.curve import Line, peaks, wedges
from plimsoll.report.page import write_report

from .conftest import HOSTILE

pytestmark = pytest.mark.browser
SCREENS = Path(__file__).parent / "screens"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)}")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Open a file; afterwards neither the console nor the network may have seen anything."""
    contexts, trouble = [], []

    def open_file(path, **options):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready=yes]", timeout=30_000)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.fixture(scope="module")
def report(comparison, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "out.html"
    write_report(path, *comparison)
    return path


def drag(page, selector, start, stop):
    """Drag across an element, from one share of its width to another."""
    box = page.locator(selector).first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + stop * box["width"], y, steps=4)
    page.mouse.up()
    settle(page)


def settle(page):
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def canvas(page, place):
    """The pixels of a memory picture, shape (height, width, 4)."""
    data = page.evaluate(
        "(k) => { const c = document.querySelectorAll('.picture canvas')[k];"
        "return [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }",
        place,
    )
    return np.array(data[2:], np.uint8).reshape(data[1], data[0], 4)


def test_each_column_of_the_picture_is_the_memory_at_its_fullest(open_page, report, comparison):
    page = open_page(report)
    _, runs = comparison
    capacity = runs[0].result.capacity
    shown = page.evaluate("state.pictured")
    start, span = page.evaluate("page.start"), page.evaluate("page.span[1]")
    for place, k in enumerate(shown):
        pixels = canvas(page, place)
        painted = (pixels[..., 3] / 255).sum(axis=0)
        edges = start + np.linspace(0, span, pixels.shape[1] + 1)
        _, use = peaks(Line.of(wedges(runs[k].result)), edges)
        scale = pixels.shape[0] / (1.12 * capacity)
        assert painted.max() == pytest.approx(use.max() * scale, abs=1)
        off = np.abs(painted - use * scale) > 1.5
        assert off.mean() < 0.01  # an event on the very border of two columns may fall to either


def test_hover_tells_the_facts_of_a_request(open_page, report, comparison):
    page = open_page(report)
    trace, runs = comparison
    box = page.locator(".picture .catch").first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"])
    text = page.locator("#tip").inner_text()
    assert "running" in text and "request " in text
    request = int(text.split("request ")[1].split(":")[0])
    assert f"prompt {trace.prompt[request]}, output {trace.output[request]} tokens" in text
    fcfs = next(r for r in runs if r.policy == "fcfs").result
    assert f"latency {fcfs.latency[request]:,.0f} rounds" in text
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()


def test_hover_on_a_panel_tells_its_values(open_page, report):
    page = open_page(report)
    page.locator('[data-panel="latency-cdf"]').scroll_into_view_if_needed()
    box = page.locator('[data-panel="latency-cdf"] .catch').bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 60)
    text = page.locator("#tip").inner_text()
    assert "latency" in text and "svf" in text and "%" in text


def test_a_window_of_time_changes_the_table_and_the_panels(open_page, report, comparison):
    page = open_page(report)
    trace, runs = comparison
    before = page.locator("#ranking").inner_text()
    line = page.locator('[data-panel="latency-cdf"] path.line').first.get_attribute("d")
    drag(page, ".picture .catch", 0.2, 0.5)
    low, high = page.evaluate("state.brush")
    arrival = runs[0].result.arrival - page.evaluate("page.start")
    inside = (arrival >= low) & (arrival <= high)
    assert 0 < inside.sum() < len(trace)
    assert f"the {inside.sum()} requests that arrived between" in page.locator("#window").inner_text()
    for k, run in enumerate(runs):
        cell = page.locator(f'#ranking tr[data-run="{k}"] td[data-figure="mean"]').inner_text()
        assert float(cell.replace(",", "")) == pytest.approx(run.result.latency[inside].mean(), rel=5e-3)
    assert page.locator('[data-panel="latency-cdf"] path.line').first.get_attribute("d") != line
    page.click("#clear-window")
    settle(page)
    assert page.locator("#ranking").inner_text() == before


def test_zoom_by_buttons_and_keys(open_page, report):
    page = open_page(report)
    whole = page.evaluate("state.view")
    page.click("#zoom-window")
    half = page.evaluate("state.view")
    assert half[1] - half[0] == pytest.approx((whole[1] - whole[0]) / 2)
    page.locator(".picture").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("state.view[0]") > half[0]
    page.keyboard.press("0")
    assert page.evaluate("state.view") == whole


def test_colour_and_run_can_be_chosen(open_page, report):
    page = open_page(report)
    first = canvas(page, 0)
    page.locator("#colours button").nth(1).click()
    settle(page)
    second = canvas(page, 0)
    assert (first[..., 3] > 0).sum() == (second[..., 3] > 0).sum()
    assert (first != second).any()
    page.locator("figcaption select").first.select_option(label="mc-benchmark")
    settle(page)
    assert page.locator(".picture svg").first.get_attribute("aria-label") == "Memory of mc-benchmark"


def test_without_script_everything_is_still_drawn(open_page, report):
    page = open_page(report, java_script_enabled=False)
    assert page.locator(".picture polygon").count() == 14
    assert page.locator("[data-panel] svg").count() >= 7
    assert page.locator("#tools").is_hidden()


def test_hostile_names_run_nothing(open_page, comparison, tmp_path):
    trace, runs = comparison
    path = tmp_path / "hostile.html"
    write_report(path, replace(trace, name=HOSTILE), [replace(r, policy=HOSTILE + r.policy) for r in runs])
    page = open_page(path)
    assert page.title() != "taken" and page.locator("img").count() == 0
    assert HOSTILE.replace("\u2028", " ")[:20] in page.locator("#ranking").inner_text()
    box = page.locator(".picture .catch").first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"])
    assert "</script>" in page.locator("#tip").inner_text()


def test_on_paper_everything_fits_and_is_light(open_page, report):
    """As a printer sees it: nothing wider than the paper, no buttons, the names of runs there, the light palette."""
    page = open_page(report, color_scheme="dark")
    keep(page.pdf(format="A4"), "report.pdf")
    assert page.evaluate("document.documentElement.classList.contains('printing')") is False  # as before, afterwards
    before = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--w0')")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 970})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    wide = page.evaluate(
        "[...document.querySelectorAll('svg, canvas, table')].map((e) => e.getBoundingClientRect().right)"
    )
    assert max(wide) <= 688
    assert page.locator("#tools").is_hidden() and page.locator(".csv").first.is_hidden()
    assert page.locator("figcaption select").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--w0')") != before
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    light = page.evaluate("classColours()")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("page.unit") == "rounds" and len(light) == 7
    keep(page.screenshot(full_page=True), "report-print.png")


def keep(data, name):
    """Keep what the browser made as an artefact, where that is asked for."""
    if folder := os.environ.get("PLIMSOLL_ARTEFACTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes(data)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks_as_it_did(open_page, report, scheme):
    """A small grey copy of the page against the kept one: fonts may differ, ground, pictures and lines may not."""
    from PIL import Image

    page = open_page(report, color_scheme=scheme)
    seen = page.screenshot(full_page=True)
    keep(seen, f"report-{scheme}.png")
    image = Image.open(io.BytesIO(seen))
    small = np.asarray(image.convert("L").resize((120, 270), Image.Resampling.BOX), dtype=float)
    assert (small[:, 0].mean() > 128) == (scheme == "light")
    kept = SCREENS / f"{scheme}.png"
    if os.environ.get("PLIMSOLL_KEEP_SCREENS"):
        SCREENS.mkdir(exist_ok=True)
        Image.fromarray(small.astype(np.uint8)).save(kept)
    difference = np.abs(small - np.asarray(Image.open(kept), dtype=float))
    assert difference.mean() < 6 and np.quantile(difference, 0.99) < 70
