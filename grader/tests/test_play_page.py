"""The playground in a real Chromium: each control, each demonstration to its end, and a recording of one."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_nodes import Programs, programs, soon

from browser import Page, chromium
from dynamolab.play import playground
from dynamolab.play.scripts import SCRIPTS
from viewer_samples import handoff_trace

__all__ = ["programs"]

if shutil.which("chromium") is None:
    pytest.skip("chromium is not installed: pages are not opened", allow_module_level=True)
pytest.importorskip("websocket", reason="python3-websocket is not installed: pages are not opened")

SIZES = [(1024, 768), (1920, 1080), (400, 800)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@contextlib.contextmanager
def opened(browser: Page, programs: Programs, **more: Any) -> Iterator[tuple[Page, playground.Place]]:
    """A playground of its own, and its page in the browser."""
    browser.complaints.clear()
    wanted = playground.Wanted(programs.node, programs.faultnet, **more)
    with playground.live(wanted) as place:
        browser.go_to(place.address)
        browser.wait("document.querySelectorAll('#nodes tbody tr').length > 0")
        yield browser, place
        assert browser.complaints == []
        browser.go_to("about:blank")


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({json.dumps(selector)}).textContent"))


def shows(page: Page, selector: str, words: str) -> None:
    page.wait(f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(words)})")


def press(page: Page, selector: str) -> None:
    """As soon as it can be pressed."""
    found = f"document.querySelector({json.dumps(selector)})"
    page.wait(f"{found} && !{found}.disabled")
    page.run(f"{found}.click()")


def fill(page: Page, **values: object) -> None:
    for name, value in values.items():
        page.run(f"document.getElementById({json.dumps(name)}).value = {json.dumps(str(value))}")


def moment(page: Page, t: int | str) -> None:
    """Of a recording."""
    page.run(
        f"{{ const time = document.getElementById('time'); time.value = {t};"
        " time.dispatchEvent(new Event('input')) }"
    )


def row(name: str) -> str:
    return f"#nodes tbody tr:nth-child({name[1:]})"


def test_controls_do_what_they_say(browser: Page, programs: Programs) -> None:
    with opened(browser, programs, size=4) as (page, place):
        for name in ("n1", "n2", "n3", "n4"):
            shows(page, row(name), "n1 n2 n3 n4")
        assert page.run("location.search") == "", "the token stands in no address"
        fill(page, key="<b>cart</b>", value="<img src=x onerror='window.stolen=1'>", at="n1", hosts=3)
        press(page, "#client [value=put]")
        shows(page, "#answer", "at n1: done")
        shows(page, "#held", "<img src=x onerror='window.stolen=1'>")
        shows(page, "#ring", "Preference list:")
        press(page, "#client [value=get]")
        shows(page, "#answer", "onerror")
        assert page.run("window.stolen === undefined")
        assert page.run("document.querySelector('#held img, #held b')") is None
        page.run("document.querySelector('#ring svg').kept = true")
        fill(page, value="tea")
        press(page, "#client [value=put]")
        shows(page, "#held", "tea")
        assert page.run("document.querySelector('#ring svg').kept"), "only what changed is drawn again"
        page.run("document.getElementById('trees-details').open = true")
        shows(page, "#trees", "answer the same root")

        press(page, f"{row('n3')} [aria-label='Kill n3']")
        shows(page, row("n3"), "down")
        press(page, f"{row('n3')} [aria-label='Restart n3']")
        shows(page, row("n3"), "running")
        press(page, f"{row('n2')} [aria-label='Pause n2']")
        shows(page, row("n2"), "paused")
        shows(page, row("n1"), "n2")
        press(page, f"{row('n2')} [aria-label='Resume n2']")
        shows(page, row("n2"), "running")

        press(page, "#links [aria-label^='n1 to n2']")
        page.run("document.getElementById('both').checked = false")
        press(page, "[data-link=cut]")
        page.wait("document.querySelector(\"#links [aria-label='n1 to n2: cut']\") !== null")
        assert page.run("document.querySelectorAll('#links .cut').length") == 1, "one direction"
        fill(page, delay=70, loss=10, to="n3")
        press(page, "[data-link=link]")
        page.wait("document.querySelector(\"#links [aria-label='n1 to n3: 70 ms, 10 % lost']\") !== null")
        press(page, "[data-link=drop]")
        shows(page, "#link-answer", "vanish")
        page.run("document.getElementById('link').close()")
        press(page, "#heal-all")
        page.wait("document.querySelectorAll('#links .cut, #links .slow').length === 0")

        press(page, f"{row('n1')} [aria-label='Clock … n1']")
        press(page, "#skew-set")
        shows(page, row("n1"), "clock -5000 ms")
        page.run("document.getElementById('clock').close()")
        press(page, f"{row('n4')} [aria-label='Remove n4']")
        shows(page, row("n4"), "no member")
        press(page, f"{row('n4')} [aria-label='Add n4']")
        shows(page, row("n1"), "n1 n2 n3 n4")

        fill(page, rate=100)
        page.run("document.getElementById('rate').dispatchEvent(new Event('change'))")
        page.wait("/p99/.test(document.getElementById('load').textContent)")
        shows(page, "#load", " ms, ")
        shows(page, "#types", "Coordinate")
        page.run("document.getElementById('spacetime-details').open = true")
        page.wait("document.querySelectorAll('#svg .arrow').length > 5")
        fill(page, rate=0)
        page.run("document.getElementById('rate').dispatchEvent(new Event('change'))")

        fill(page, mode="strict", r=2, w=3)
        press(page, "#settings button")
        shows(page, "#about", "strict")
        assert place.session is not None and place.session.cluster.config["w"] == 3


def test_a_keyboard_is_enough_and_everything_has_a_name(browser: Page, programs: Programs) -> None:
    with opened(browser, programs, size=3) as (page, _):
        shows(page, row("n3"), "n1 n2 n3")
        page.run("document.querySelector('[data-host=n1]').focus()")
        page.press("Enter")
        assert page.run("document.querySelector('[data-host=n1]').getAttribute('aria-pressed')") == "true"
        page.run("document.querySelector('[data-host=n3]').focus()")
        page.press("Enter")
        page.wait("document.getElementById('link').open")
        assert page.run("[document.getElementById('from').value, document.getElementById('to').value]") == [
            "n1",
            "n3",
        ]
        page.run("document.getElementById('link').close()")
        page.run("document.querySelector(\"[aria-label='Kill n3']\").focus()")
        page.press("Enter", text="\r")
        shows(page, row("n3"), "down")
        focused = "document.activeElement.getAttribute('aria-label')"
        page.wait(f"{focused} === 'Restart n3'")  # What was pressed is gone: another one of the row's.
        page.run("document.body.focus(); document.activeElement.blur()")
        page.press("?")
        assert page.run("!document.getElementById('help').hidden")
        tree = page.tree()
        for expected in [
            ("main", ""),
            ("banner", ""),
            ("region", "The ring"),
            ("region", "The nodes, and what they say to each other"),
            ("table", ""),
            ("button", "Kill n1"),
            ("button", "n1 to n2: ok"),
            ("slider", "requests a second"),
            ("log", ""),
        ]:
            assert expected in tree, f"{expected} is not among {sorted(set(tree))}"
        controls = ("button", "link", "checkbox", "combobox", "textbox", "slider", "spinbutton")
        assert [entry for entry in tree if entry[0] in controls and not entry[1]] == []


def test_a_drag_from_node_to_node_opens_their_link_and_pages_fit(browser: Page, programs: Programs) -> None:
    with opened(browser, programs, size=3) as (page, _):
        shows(page, row("n3"), "n1 n2 n3")
        for width, height in SIZES:
            with page.sized(width, height):
                assert page.run("document.documentElement.scrollWidth") <= width
        with page.sized(*SIZES[0]):  # A size that stays while the mouse is on its way.
            page.run("document.querySelector('.stage').scrollIntoView()")
            middle = "(() => {{ const circle = document.querySelector('[data-host={}] circle');"
            middle += " const box = circle.getBoundingClientRect();"
            middle += " return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
            (x1, y1), (x2, y2) = (page.run(middle.format(name)) for name in ("n1", "n2"))
            mouse = {"button": "left", "buttons": 1, "clickCount": 1}
            way = [("Pressed", x1, y1), ("Moved", (x1 + x2) / 2, (y1 + y2) / 2), ("Released", x2, y2)]
            for what, x, y in way:
                page.command("Input.dispatchMouseEvent", type=f"mouse{what}", x=x, y=y, **mouse)
            page.wait("document.getElementById('link').open")
            assert page.run("document.getElementById('to').value") == "n2"


def test_the_page_says_when_a_node_or_the_harness_dies(browser: Page, programs: Programs) -> None:
    with opened(browser, programs, size=3) as (page, place):
        shows(page, row("n3"), "n1 n2 n3")
        assert place.session is not None
        process = place.session.cluster.process("n2")
        assert process._process is not None
        process._process.kill()  # As a crash of its own.
        shows(page, "#trouble", "n2")
        shows(page, row("n2"), "down")
        press(page, f"{row('n2')} [aria-label='Restart n2']")
        page.wait("document.getElementById('trouble').textContent === ''")
        place.server.__exit__()
        with place.feed:
            pass  # All streams end.
        shows(page, "#connection", "gone")
        assert page.run("document.querySelector('#client [value=put]').disabled")
        browser.complaints.clear()  # The stream that broke is one.


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_demonstration_runs_to_its_end_forwards_and_back(
    browser: Page, programs: Programs, script: str, tmp_path: Path
) -> None:
    steps = SCRIPTS[script].steps
    record = tmp_path / "session.jsonl"
    with opened(browser, programs, script=script, record=record) as (page, _):
        for number, step in enumerate(steps, start=1):
            press(page, "#step-next")
            where = "document.getElementById('script-where').textContent"
            page.wait(f"{where} === 'step {number} of {len(steps)}'")
            assert text(page, "#caption") == step.caption
            with page.sized(*SIZES[0]):  # Nobody scrolls on a projector: what the step is about is there.
                panel = f"document.querySelector('section.{step.look or 'ring'}')"
                page.wait(f"{panel}.getBoundingClientRect().top < innerHeight / 3")
        for number in range(len(steps) - 1, -1, -1):
            press(page, "#step-back")
            shows(page, "#script-where", f"step {number} of")
        shows(page, "#looking-back", "looking back")
        for number in range(1, len(steps) + 1):
            press(page, "#step-next")
            shows(page, "#script-where", f"step {number} of")
        assert text(page, "#looking-back") == ""
    with playground.replayed(record) as place:
        browser.go_to(place.address)
        browser.wait("Number(document.getElementById('time').max) > 1000")
        moment(browser, "time.max")
        shows(browser, "#script-where", f"step {len(steps)} of")
        browser.run("document.getElementById('spacetime-details').open = true")
        browser.wait("document.querySelectorAll('#svg .arrow').length > 5")
        shows(browser, "#about", "recorded in session.jsonl")
        assert browser.run("document.querySelector('#client [value=put]').disabled"), "it is of the past"
        assert browser.complaints == []
        browser.go_to("about:blank")


def test_a_trace_of_a_failure_is_played_back(browser: Page, tmp_path: Path) -> None:
    browser.complaints.clear()
    trace = tmp_path / "x.trace.jsonl"
    trace.write_text("".join(json.dumps(step) + "\n" for step in handoff_trace()))
    with playground.replayed(trace) as place:
        browser.go_to(place.address)
        browser.wait("document.querySelectorAll('#log li').length > 0")
        shows(browser, row("n1"), "running")
        shows(browser, "#ring", "6 virtual nodes: n1 6")
        browser.run("document.getElementById('spacetime-details').open = true")
        browser.wait("document.querySelectorAll('#svg .row').length === 1")
        press(browser, "#play")
        shows(browser, row("n2"), "3: 2 for its owners, 1 for n3")
        shows(browser, "#ring", "n1 2n2 2n3 2")
        browser.wait("document.querySelectorAll('#svg .row').length === 13")
        shows(browser, "#play", "Play")
        moment(browser, 500)
        shows(browser, row("n2"), "1: cart for n3")
        shows(browser, row("n1"), "n1 n2 n3n3")  # Its members, and whom it suspects.
        browser.go_to("about:blank")
    assert browser.complaints == []


def test_a_long_recording_is_kept_whole(browser: Page, tmp_path: Path) -> None:
    record = tmp_path / "session.jsonl"
    config = {"n": 3, "q": 8, "r": 2, "w": 2, "mode": "strict"}
    told = [{"t": 0, "kind": "hello", "live": True, "nodes": ["n1"], "solution": "x", "config": config}]
    load = {"kind": "load", "done": 0, "failed": 0, "reads": 0, "siblings": [], "p50_ms": None}
    told += [{**load, "t": t, "rate": t % 400} for t in range(1, 5001)]
    record.write_text("".join(json.dumps(message) + "\n" for message in told))
    with playground.replayed(record) as place:
        browser.go_to(place.address)
        browser.wait("document.getElementById('time').max === '5000'")
        moment(browser, 7)
        browser.wait("document.getElementById('rate-now').textContent === '7'")
        browser.go_to("about:blank")


def test_it_ends_when_the_page_is_closed(
    browser: Page, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playground, "PATIENCE_S", 0.5)
    with opened(browser, programs, size=2) as (page, place):
        assert not place.left_alone()
        page.go_to("about:blank")
        assert soon(place.left_alone)
