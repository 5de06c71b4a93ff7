"""The viewer's page in a real Chromium: it opens from a disk, keys move it, a screen reader finds its way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Page, chromium
from dynamolab.viewer import page as pages
from viewer_samples import FAILURE, long_trace, ring_trace, small_trace, tree_trace

if shutil.which("chromium") is None:
    pytest.skip("chromium is not installed: pages are not opened", allow_module_level=True)
pytest.importorskip("websocket", reason="python3-websocket is not installed: pages are not opened")


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


def shown(browser: Page, steps: list[dict[str, Any]], folder: Path) -> Page:
    """A page of these steps, opened."""
    browser.requests.clear()
    browser.complaints.clear()
    file = folder / "failure.html"
    file.write_text(pages.page_of(steps, FAILURE), encoding="utf-8")
    browser.open(file)
    return browser


def here(browser: Page) -> int:
    return int(browser.run("document.getElementById('slider').value"))


def live(browser: Page) -> str:
    return str(browser.run("document.getElementById('live').textContent"))


def test_page_opens_from_a_disk_without_the_network(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, small_trace(), tmp_path)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert "src=" not in (tmp_path / "failure.html").read_text()
    assert live(page) == "t=0.500 s n1 is killed (kill -9); its disk stays"
    assert page.run("document.querySelectorAll('#svg .lost').length") == 1
    assert page.run("document.querySelectorAll('#svg .row').length") == 7
    page.press("q")
    assert page.run("document.querySelectorAll('#svg .row').length") == 5, "quiet steps are hidden"


def test_keys_move_and_the_live_region_tells_where(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, long_trace(200), tmp_path)
    page.press("Home")
    assert here(page) == 0
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert here(page) == 2 and live(page).endswith("step 2")
    page.press("PageDown")
    assert here(page) == 22
    page.press("ArrowLeft")
    assert here(page) == 21 and live(page).endswith("step 21")
    page.press("End")
    assert here(page) == 199
    page.press("?")
    assert page.run("!document.getElementById('help').hidden")
    assert (
        page.run("document.getElementById('slider').getAttribute('aria-valuetext')") == "step 200: step 199"
    )


def test_search_finds_and_steps_through_the_matches(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, long_trace(200), tmp_path)
    page.press("Home")
    page.press("/")
    assert page.run("document.activeElement.id") == "query"
    page.command("Input.insertText", text="step 17")
    assert page.run("document.getElementById('found').textContent") == "11 found"  # 17 and 170 to 179
    page.press("Enter")
    assert here(page) == 17
    page.press("Enter")
    assert here(page) == 170
    page.press("Enter", modifiers=8)
    assert here(page) == 17


def test_state_shows_what_a_step_changed(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, small_trace(), tmp_path)
    page.run("document.querySelector('.story a').click()")
    assert "n2 writes" in live(page)
    changed = page.run("document.querySelector('#state .changed').textContent")
    assert "cart" in changed and "milk" in changed and "n1:1" in changed
    page.press("Home")
    assert page.run("document.querySelectorAll('#state .changed .clock').length") == 0
    assert "milk" not in page.run("document.getElementById('state').textContent")
    page.press("End")
    assert "n1: down" in page.run("document.getElementById('state').textContent")


def test_ring_is_that_of_the_node_at_hand_and_shows_where_the_key_lies(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, ring_trace(), tmp_path)
    ring = "document.getElementById('ring')"
    label = f"{ring}.querySelector('svg').getAttribute('aria-label')"
    assert page.complaints == []
    assert page.run(label) == "Ring of 8 virtual nodes: n1 has 2, n2 has 2, n3 has 4"
    page.press("ArrowLeft")
    assert page.run(label).endswith("n3 has 4; cart lies in virtual node 2")
    assert "its preference list: n3, n1" in page.run(f"{ring}.textContent")
    assert "4 of them lie elsewhere at n1; virtual node 2 is n3's here and n1's there." in page.run(
        f"{ring}.textContent"
    )
    assert page.run(f"{ring}.querySelectorAll('.arc').length") == 8
    assert page.run(f"{ring}.querySelectorAll('.arc.here').length") == 1
    page.press("ArrowLeft")
    assert page.run(label).startswith("Ring of 8 virtual nodes: n1 has 4, n2 has 4;")
    page.run(f"{ring}.querySelector('button[aria-pressed=false]').click()")
    assert "n3 has 4" in page.run(label), "the reader chose"
    page.press("ArrowLeft")
    assert "n3 has 4" in page.run(label) and "cart lies" not in page.run(label)
    shown(browser, small_trace(), tmp_path)
    assert page.run("document.getElementById('ring-section').hidden"), "no node told a ring"


def test_trees_of_two_owners_stand_side_by_side_and_what_differs_is_lit(
    browser: Page, tmp_path: Path
) -> None:
    page = shown(browser, tree_trace(), tmp_path)
    trees = "document.getElementById('trees')"
    page.run("document.getElementById('trees-details').open = true")
    labels = page.run(f"[...{trees}.querySelectorAll('svg')].map((one) => one.getAttribute('aria-label'))")
    # 20 keys are more than a leaf holds: a root with a leaf for each first digit.
    assert labels == [
        "n1's tree: 20 keys; differs at the root, 7, 9",
        "n2's tree: 19 keys; differs at the root, 7, 9",
    ]
    text = page.run(f"{trees}.textContent")
    assert "2 keys, found by going down to place 7" in text
    assert "k7: other versions" in text and "k9: only n1 has it" in text
    assert page.run(f"{trees}.querySelectorAll('.place').length") == 34
    assert page.run(f"{trees}.querySelectorAll('.place.lit').length") == 6
    page.run(
        f"{{ const box = {trees}.querySelector('select[name=beside]'); box.value = 'n3';"
        " box.dispatchEvent(new Event('change', {bubbles: true})) }"
    )
    assert "n3's tree: 0 keys" in page.run(f"{trees}.querySelectorAll('svg')[1].getAttribute('aria-label')")
    assert page.run("document.activeElement.name") == "beside"
    page.run(f"{trees}.querySelector('[data-follow]').click()")
    # Before n2 has written, it lacks all.
    page.press("Home")
    page.press("ArrowRight")
    assert "n2's tree: 0 keys; differs at the root" in page.run(
        f"{trees}.querySelectorAll('svg')[1].getAttribute('aria-label')"
    )
    assert page.complaints == []
    shown(browser, small_trace(), tmp_path)
    assert page.run("document.getElementById('trees-section').hidden"), "no tree is at work"


def test_state_begins_with_what_lay_on_the_disk(browser: Page, tmp_path: Path) -> None:
    steps = small_trace()
    steps[0]["data"] = {"given": {"last stamp": "from before"}}
    page = shown(browser, steps, tmp_path)
    page.press("Home")
    assert "from before" in page.run("document.querySelector('#state .changed').textContent")
    assert "from before" not in page.run("document.getElementById('step').textContent")
    page.press("End")
    assert "from before" in page.run("document.getElementById('state').textContent")


def test_other_end_of_a_message_is_a_key_away(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, small_trace(), tmp_path)
    page.run("location.hash = ''; document.getElementById('first').click()")
    page.press("ArrowRight")
    assert live(page).endswith("n1 sends n2 an Update")
    page.press("m")
    assert live(page).endswith("n2 gets n1's Update")
    page.press("m")
    assert live(page).endswith("n1 sends n2 an Update")


def test_a_screen_reader_finds_landmarks_names_and_the_step(browser: Page, tmp_path: Path) -> None:
    tree = shown(browser, small_trace(), tmp_path).tree()
    for expected in [
        ("main", ""),
        ("banner", ""),
        ("navigation", "Steps"),
        ("search", ""),
        ("slider", "Step"),
        ("searchbox", "Search"),
        ("button", "Next step"),
        ("button", "Previous step"),
        ("status", ""),
        ("region", "Space-time diagram"),
        ("region", "The story"),
        ("region", "This step"),
        ("region", "What the nodes hold after it"),
    ]:
        assert expected in tree, f"{expected} is not among {sorted(set(tree))}"
    unnamed = [entry for entry in tree if entry[0] in ("button", "link", "checkbox") and not entry[1]]
    assert unnamed == []


def test_what_a_solution_wrote_stays_text(browser: Page, tmp_path: Path) -> None:
    steps = small_trace()
    steps[1]["words"] = "</script><script>window.stolen = 1</script><img src=x onerror='window.stolen=1'>"
    page = shown(browser, steps, tmp_path)
    page.press("Home")
    page.press("ArrowRight")
    assert live(page).endswith(str(steps[1]["words"]))
    assert page.run("window.stolen === undefined")
    assert page.complaints == []


def test_twenty_thousand_steps_open_and_move(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, long_trace(20_000), tmp_path)
    assert here(page) == 19_999
    assert page.run("document.querySelectorAll('#svg .row').length") < 400, "only what is seen is drawn"
    page.press("Home")
    page.wait("document.getElementById('scroll').scrollTop === 0")
    assert live(page).endswith("step 0")


def test_page_fits_a_phone(browser: Page, tmp_path: Path) -> None:
    page = shown(browser, ring_trace(), tmp_path)
    page.run("document.querySelector('h1').textContent = 'sync.' + 'a_long_name_of_a_check_'.repeat(4)")
    with page.sized(400, 800):
        assert page.run("document.documentElement.scrollWidth") <= 400
