"""Pages in a real browser: no errors, nothing fetched, nothing wider than the screen; zoom and hints work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eesim.report.html.page import report_html
from eesim.report.save import save_result
from tests.test_report import html_folders
from tests.test_report.browser import CHROMIUM, DESKTOP, PHONE, Browser, browser
from tests.test_report.runs import camera

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH (Debian: apt install chromium)")

KINDS = ("run", "comparison", "sensitivity", "candidates", "exploration", "front", "sweep", "validation")

SIZES = """({
  inner: innerWidth,
  scroll: document.documentElement.scrollWidth,
  wide: [...document.querySelectorAll("main > section > *, header > *")]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80)),
  small: Math.min(...[...document.querySelectorAll("svg.chart text")].filter(one => one.getClientRects().length)
    .map(one => [parseFloat(getComputedStyle(one).fontSize), one.getScreenCTM()])
    .map(([size, at]) => size * Math.hypot(at.c, at.d))),
  empty: [...document.querySelectorAll("svg.chart")].filter(one => one.getBoundingClientRect().height < 40).length,
  cut: [...document.querySelectorAll("svg.chart:not(.timeline) > text")].filter(one => {
    const box = one.getBoundingClientRect(), whole = one.closest("svg.chart").getBoundingClientRect();
    return box.left < whole.left - 3 || box.right > whole.right + 3;
  }).map(one => one.textContent),
})"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    folders = {"run": root / "run", **html_folders.all_folders(root)}
    save_result(camera(), folders["run"], figures=False)
    return {name: report_html(folder).path for name, folder in folders.items()}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_look_right(kind: str, width: int, pages: dict[str, Path], chromium: Browser) -> None:
    seen = chromium.look(pages[kind], width, SIZES)
    assert seen.errors == []
    assert seen.requests == [pages[kind].as_uri()]
    assert seen.value["inner"] == width
    assert seen.value["scroll"] <= width
    assert seen.value["wide"] == []
    assert seen.value["small"] >= 8.5
    assert seen.value["empty"] == 0
    assert seen.value["cut"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_pages_can_be_read_without_script_and_on_paper(kind: str, pages: dict[str, Path], chromium: Browser) -> None:
    seen = chromium.look(pages[kind], 800, SIZES, script=False)
    assert seen.value["scroll"] <= 800
    assert seen.value["empty"] == 0
    shown = "[...document.querySelectorAll('nav, .controls')].map(one => getComputedStyle(one).display)"
    assert set(chromium.look(pages[kind], 800, shown, media="print").value) == {"none"}


def test_controls_are_hidden_without_script(pages: dict[str, Path], chromium: Browser) -> None:
    height = "document.querySelector('.controls').getBoundingClientRect().height"
    assert chromium.look(pages["run"], DESKTOP, height, script=False).value == 0
    assert chromium.look(pages["run"], DESKTOP, height).value > 10


ZOOM = """(() => {
  const first = () => [...document.querySelectorAll("svg.timeline.by-server rect")][0].getBoundingClientRect();
  const press = (name) => document.querySelector(`button[data-do=${name}]`).click();
  const shown = () => [...document.querySelectorAll("svg.timeline.by-server rect")]
    .filter(one => one.style.display !== "none").length;
  const told = {before: [first().width, shown()]};
  press("in"); press("left"); press("left");
  told.zoomed = [first().width, shown()];
  press("all");
  told.all = [first().width, shown()];
  press("first");
  told.again = [first().width, shown()];
  told.total = document.querySelectorAll("svg.timeline.by-server rect").length;
  told.ticks = document.querySelectorAll("svg.timeline.by-server g.ticks text").length;
  return told;
})()"""


def test_timeline_zooms(pages: dict[str, Path], chromium: Browser) -> None:
    seen = chromium.look(pages["run"], DESKTOP, ZOOM)
    assert seen.errors == []
    told = seen.value
    assert told["zoomed"][0] == pytest.approx(2 * told["before"][0], rel=0.02)
    assert told["zoomed"][1] < told["before"][1] < told["all"][1] == told["total"]
    assert told["all"][0] < told["before"][0]
    assert told["again"] == pytest.approx(told["before"])
    assert told["ticks"] > 3


HINT = """(() => {
  const dot = [...document.querySelectorAll("svg.chart circle")].find(one => one.querySelector("title"));
  const text = dot.querySelector("title").textContent, box = dot.getBoundingClientRect();
  const at = {bubbles: true, clientX: box.x + 2, clientY: box.y + 2};
  dot.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip"), where = tip.getBoundingClientRect();
  const shown = tip.hidden ? null : tip.textContent;
  document.body.dispatchEvent(new PointerEvent("pointermove", at));
  return {text, shown, gone: tip.hidden, inside: where.right <= innerWidth && where.left >= 0};
})()"""


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_points_say_what_they_are(width: int, pages: dict[str, Path], chromium: Browser) -> None:
    seen = chromium.look(pages["front"], width, HINT)
    assert seen.errors == []
    assert seen.value["shown"] == seen.value["text"] != ""
    assert seen.value["gone"]
    assert seen.value["inside"]


def test_errors_would_be_seen(tmp_path: Path, chromium: Browser) -> None:
    """The tests above can fail: errors, refused requests and wide pages are noticed."""
    page = tmp_path / "bad.html"
    policy = "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\">"
    page.write_text(
        f"<!DOCTYPE html>{policy}<meta name=viewport content='width=device-width'><img src=x.png>"
        "<script>setTimeout(() => { throw new Error('seen') }, 0)</script><div style='width:900px'>wide</div>"
    )
    seen = chromium.look(page, PHONE, "document.documentElement.scrollWidth")
    assert any("seen" in error for error in seen.errors)
    assert any("Content Security Policy" in error for error in seen.errors)
    assert seen.value > PHONE
