"""The archive browser as people use it: in Chromium, on Airflow's own API server, by Airflow's login."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from platform_ops import links
from tests.demo.processes import poll
from tests.integration.ui.conftest import ORDERS, SALARIES, Site

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE: ViewportSize = {"width": 1360, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


def manifest(site: Site, task: str) -> str:
    """What a task of the last run archived, by its XCom."""
    run = quote(site.last().run_id)
    entry = f"dags/shop/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
    found: str = site.api.get(entry)["value"]["manifest_url"]
    return found


def faults(page: Page) -> list[str]:
    """What axe-core finds, each with the first element that has it."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", AXE_TAGS)
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


def test_from_the_menu_to_a_revision_and_its_rows(site: Site, admin: Page) -> None:
    admin.goto(site.url)
    admin.get_by_role("button", name="Browse").click()
    admin.get_by_role("menuitem", name="Archive").click()
    frame = admin.frame_locator("iframe[title=Archive]")
    frame.get_by_role("link", name="shop.orders").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("shop.orders")
    expect(frame.locator("a.day.late")).to_have_count(3)
    frame.locator("a.day.late").last.click()
    frame.locator("#slots ~ div tbody a").first.click()
    expect(frame.get_by_role("heading", name="Preview of response.csv")).to_be_visible()
    expect(frame.get_by_role("cell", name="<script>alert(1)</script>")).to_be_visible()
    # Airflow's address follows, so that it can be handed on; its own pages open in its own window.
    assert "/plugin/archive/platform-ops/archive/revision?manifest=" in admin.url
    frame.get_by_role("link", name="shop / orders").click()
    admin.wait_for_url("**/dags/shop/runs/*/tasks/orders")
    expect(admin.locator("iframe")).to_have_count(0)


def test_a_task_has_a_button_to_what_it_archived(site: Site, admin: Page) -> None:
    run = quote(site.last().run_id)
    found = site.api.get(f"dags/shop/dagRuns/{run}/taskInstances/orders/links")["extra_links"]
    assert found["Archived revision"] == links.revision_page(site.url, manifest(site, "orders"))
    stock = site.api.get(f"dags/shop/dagRuns/{run}/taskInstances/stock/links")["extra_links"]
    assert "%2Fmeta%2Fv1%2Fstock%2Fstock%2F" in stock["Archived revision"]
    nothing = site.api.get(f"dags/shop/dagRuns/{run}/taskInstances/total/links")["extra_links"]
    assert nothing["Archived revision"] is None
    admin.goto(f"{site.url}/dags/shop/runs/{run}/tasks/orders/details")
    with admin.context.expect_page() as opened:
        admin.get_by_role("link", name="Archived revision").click(modifiers=["ControlOrMeta"])
    opened.value.wait_for_load_state()
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text("revision 1")
    opened.value.close()


def test_a_revision_is_verified_and_downloaded(site: Site, admin: Page) -> None:
    admin.goto(links.revision_page(site.url, manifest(site, "orders")))
    admin.get_by_role("button", name="Verify now").click()
    expect(admin.get_by_text("every byte is what was committed")).to_be_visible()
    with admin.expect_download() as taken:
        admin.get_by_role("link", name="Download response.csv").click()
    assert taken.value.suggested_filename == "response.csv"
    assert taken.value.path().read_bytes() == ORDERS


def test_a_replay_is_confirmed_runs_and_asks_nobody(site: Site, admin: Page) -> None:
    asked, revisions = list(site.shop.asked), site.revisions()
    admin.goto(links.revision_page(site.url, manifest(site, "orders")))
    admin.get_by_role("link", name="Replay …").click()
    expect(admin.get_by_text('{"platform_ops": {"replay": {"revision": 1}}}')).to_be_visible()
    before = set(site.states())
    admin.get_by_role("button", name="Start the run").click()
    expect(admin.get_by_role("status")).to_contain_text("success", timeout=90_000)
    (made,) = set(site.states()) - before
    assert made.startswith("replay__")
    assert (site.shop.asked, site.revisions()) == (asked, revisions)
    admin.get_by_role("link", name=made).click()
    admin.wait_for_url("**/dags/shop/runs/replay__*")


def test_a_viewer_sees_much_and_starts_nothing(site: Site, viewer: Page) -> None:
    viewer.goto(links.revision_page(site.url, manifest(site, "orders")))
    expect(viewer.get_by_role("cell", name="tea")).to_be_visible()
    expect(viewer.get_by_role("button", name="Verify now")).to_have_count(0)
    expect(viewer.get_by_role("link", name="Replay …")).to_have_count(0)
    reply = viewer.goto(f"{site.url}{links.MOUNT}/replay?manifest={manifest(site, 'orders')}")
    assert reply is not None
    assert reply.status == 403
    expect(viewer.get_by_role("alert")).to_contain_text("right to trigger runs of the DAG shop")


def test_a_viewer_reads_nothing_that_is_personal(site: Site, viewer: Page, admin: Page) -> None:
    url = links.revision_page(site.url, manifest(site, "salaries"))
    viewer.goto(url)
    expect(viewer.get_by_text("is personal: to read it you need the right")).to_be_visible()
    assert "lovelace" not in viewer.content()
    query = f"manifest={manifest(site, 'salaries')}&body=response.csv"
    reply = viewer.context.request.get(f"{site.url}{links.MOUNT}/download?{query}")
    assert reply.status == 403
    admin.goto(url)
    expect(admin.get_by_role("cell", name="lovelace")).to_be_visible()
    reply = admin.context.request.get(f"{site.url}{links.MOUNT}/download?{query}")
    assert reply.body() == SALARIES


def test_nobody_gets_in_without_a_login(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    for path in ("/", "/entity?name=shop.orders", f"/download?manifest={manifest(site, 'orders')}"):
        reply = context.request.get(f"{site.url}{links.MOUNT}{path}", max_redirects=0)
        assert reply.status == 302
        assert "/auth/login?next=" in reply.headers["location"]
        assert b"shop.orders" not in reply.body()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_fits_keeps_nobody_out_and_asks_nobody_else(
    site: Site,
    browser: Browser,
    logged_in: Callable[[str], BrowserContext],
    scheme: Any,  # Any: one of two words that playwright names
    size: ViewportSize,
) -> None:
    state = logged_in("admin").storage_state()
    context = browser.new_context(viewport=size, color_scheme=scheme, storage_state=state)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: complaints.append(line.text))
    revision = links.revision_page(site.url, manifest(site, "orders"))
    for url in (
        links.home_page(site.url),
        links.entity_page(site.url, "shop.orders"),
        revision,
        revision.replace("/revision?", "/replay?"),
    ):
        page.goto(url)
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        dark = (
            page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        )
        assert dark == (scheme == "dark")
    assert complaints == []
    assert [url for url in asked if not url.startswith(site.url)] == []
    context.close()


def test_without_javascript_all_of_it_works(
    site: Site, browser: Browser, logged_in: Callable[[str], BrowserContext]
) -> None:
    state = logged_in("admin").storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto(links.home_page(site.url))
    page.get_by_role("link", name="shop.orders").click()
    page.locator("#slots ~ div tbody a").first.click()
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("every byte is what was committed")).to_be_visible()
    context.close()


def test_when_the_source_turns_empty_the_last_good_day_is_found_and_replayed(
    site: Site, admin: Page
) -> None:
    site.shop.empty = True
    last = site.last()
    made = site.api.post(
        "dags/shop/dagRuns",
        {
            "dag_run_id": "empty",
            "logical_date": last.start.replace(microsecond=7).isoformat(),
            "data_interval_start": last.start.isoformat(),
            "data_interval_end": last.end.isoformat(),
            "conf": {"platform_ops": {"mode": "refetch"}},
        },
    )
    poll(lambda: site.states()[made["dag_run_id"]] == "failed", "the empty run to fail", 90)
    poll(lambda: bool(site.shop.told), "a message", 30)
    (message,) = site.shop.told
    assert (message["kind"], message["subject"]["entity"]) == ("failure", "shop.orders")
    (address,) = [each["url"] for each in message["links"] if each["label"] == "Archive"]
    admin.goto(address)
    expect(admin.get_by_role("heading", level=1)).to_have_text("shop.orders")
    expect(admin.get_by_text("it holds no byte")).to_be_visible()
    admin.locator("#slots ~ div tbody a").first.click()
    expect(admin.get_by_role("cell", name="tea")).to_be_visible()
    admin.get_by_role("link", name="Replay …").click()
    admin.get_by_role("button", name="Start the run").click()
    expect(admin.get_by_role("status")).to_contain_text("success", timeout=90_000)
    poll(lambda: len(site.shop.told) > 1, "the news that it works again", 30)
    assert [each["kind"] for each in site.shop.told] == ["failure", "recovered"]
