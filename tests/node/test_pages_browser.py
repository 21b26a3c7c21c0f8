"""The pages in a real browser: no error, nothing beyond the edge of a narrow screen, contrast, and the keyboard."""

import asyncio
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from schemas.alerts import Alert
from streams.node.http.server import HttpServer
from tests.node.chromium import Browser, browsing
from tests.node.http_clinic import MemoryNode, hospital, made

NARROW: Final = 320
"""CSS pixels: 1,280 at 400 %. Source: WCAG 2.2, success criterion 1.4.10."""
_OUTSIDE: Final = """
[...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(e).position !== 'absolute')
  .map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.trim().slice(0, 40))
"""
_CONTRAST: Final = """
(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parts(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.getClientRects().length || e.tagName === 'OPTION') continue;
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) seen.set(e.tagName + ' ' + e.className, ratio.toFixed(2));
  }
  return [...seen].map(s => s.join(': '));
})()
"""
"""Where text and what is behind it are less than 4.5 to 1 apart. Source: WCAG 2.2, 1.4.3."""
_HEADINGS: Final = "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
_FOCUSED: Final = """
(() => {
  const e = document.activeElement, s = getComputedStyle(e);
  const name = (e.getAttribute('href') || e.name || e.textContent).trim();
  return [e.tagName, name, s.outlineStyle, parseFloat(s.outlineWidth)];
})()
"""


@cache
def fortnight() -> MemoryNode:
    return hospital()


def standing(rule: str) -> Alert:
    return next(a for a in fortnight()._alerts(standing=True) if a.rule_id == rule)  # noqa: SLF001 the fake of these tests


def pages() -> list[str]:
    heparin, spine = standing("HEP-02"), standing("SPN-02")
    source = next(each for each in spine.evidence if each.event_id)
    return [
        "/",
        "/?severity=info&state=all",
        f"/alerts/{heparin.alert_id}",
        f"/alerts/{spine.alert_id}",
        f"/patients/{heparin.patient_id}",
        f"/messages?{urlencode({'source': source.source, 'event_id': source.event_id})}",
        "/docs",
        "/alerts/none",
    ]


async def seen(tmp_path: Path, look: Callable[[Browser, str], Any]) -> Any:
    """What somebody sees who looks at the hospital's node with a browser."""
    application, _, _ = made(fortnight(), port=0)
    async with HttpServer(application) as server:

        def browse() -> Any:
            with browsing(tmp_path / "profile") as browser:
                return look(browser, f"http://{server.address}")

        return await asyncio.to_thread(browse)


async def test_no_page_has_an_error_or_leaves_a_narrow_screen(tmp_path: Path) -> None:
    def look(browser: Browser, address: str) -> dict[str, Any]:
        found = {}
        browser.screen(NARROW)
        for path in pages():
            browser.open(f"{address}{path}")
            beyond = browser.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            # a page that is not there is an error of the console's own
            errors = [] if path == "/alerts/none" else browser.errors[:]
            found[path] = (errors, beyond, browser.ask(_OUTSIDE))
        return found

    found = await seen(tmp_path, look)
    assert {path: what for path, what in found.items() if what != ([], 0, [])} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_text_stands_out_from_what_is_behind_it(tmp_path: Path, dark: bool) -> None:
    def look(browser: Browser, address: str) -> dict[str, Any]:
        browser.screen(1280, dark=dark)
        found = {}
        for path in pages():
            browser.open(f"{address}{path}")
            found[path] = browser.ask(_CONTRAST)
        found["colour of the page"] = browser.ask("getComputedStyle(document.body).backgroundColor")
        return found

    found = await seen(tmp_path, look)
    assert found.pop("colour of the page") == ("rgb(20, 23, 26)" if dark else "rgb(251, 251, 249)")
    assert {path: weak for path, weak in found.items() if weak} == {}


async def test_headings_leave_no_step_out_and_the_parts_of_the_page_are_named(tmp_path: Path) -> None:
    def look(browser: Browser, address: str) -> dict[str, Any]:
        found = {}
        for path in pages():
            browser.open(f"{address}{path}")
            parts = browser.ask("['header', 'main', 'footer'].map(p => document.querySelectorAll(p).length)")
            found[path] = (browser.ask(_HEADINGS), parts)
        return found

    for path, (levels, parts) in (await seen(tmp_path, look)).items():
        assert parts == [1, 1, 1], path
        assert levels[0] == 1, path
        assert all(after - before <= 1 for before, after in pairwise(levels)), path


async def test_the_keyboard_reaches_everything_in_order_and_one_sees_where_it_is(tmp_path: Path) -> None:
    alert = standing("HEP-02")

    def look(browser: Browser, address: str) -> list[Any]:
        browser.screen(1280)
        browser.open(f"{address}/alerts/{alert.alert_id}")
        reached = []
        for _ in range(60):
            browser.press_tab()
            focused = browser.ask(_FOCUSED)
            if focused[0] == "BODY":
                break
            reached.append(focused)
        return reached

    reached = await seen(tmp_path, look)
    assert reached[0][:2] == ["A", "#main"]
    names = [name for _, name, *_ in reached]
    wanted = ["/", "patient", f"/patients/{alert.patient_id}", "#answer", "action", "reason", "text", "Answer"]
    assert [names.index(each) for each in wanted] == sorted(names.index(each) for each in wanted)
    assert [each for each in reached if each[2] == "none" or each[3] < 2] == []


async def test_on_paper_there_is_what_one_reads_and_nothing_that_one_clicks(tmp_path: Path) -> None:
    def look(browser: Browser, address: str) -> list[bool]:
        browser.open(f"{address}/alerts/{standing('HEP-02').alert_id}")
        browser.paper()
        return [bool(browser.ask(f"document.querySelector('{each}').getClientRects().length")) for each in shown]

    shown = {
        "header": False,
        "nav": False,
        ".answer": False,
        "h1": True,
        ".sentence": True,
        ".bar": True,
        "#limits": True,
    }
    assert dict(zip(shown, await seen(tmp_path, look), strict=True)) == shown


async def test_the_form_answers_the_alert_without_a_script(tmp_path: Path) -> None:
    """A real browser says where a form comes from, and is led back to the alert."""
    node = hospital()
    alert = next(a for a in node._alerts(standing=True) if a.rule_id == "SPN-01")  # noqa: SLF001
    application, _, _ = made(node, port=0)
    async with HttpServer(application) as server:

        def answer() -> str:
            with browsing(tmp_path / "profile") as browser:
                page = f"http://{server.address}/alerts/{alert.alert_id}"
                browser.open(page)
                browser.ask("document.querySelector('[value=acknowledge]').checked = true")
                browser.go("document.querySelector('.answer').requestSubmit()")
                assert browser.ask("location.href") == page
                return str(browser.ask("document.querySelector('.meta').textContent"))

        assert "acknowledged" in await asyncio.to_thread(answer)
