"""The API's description, readable by people, on a page of its own."""

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import PATIENCE_MS


def test_every_route_is_listed_under_a_strict_policy(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/reference.html")
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content") or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    paths = page.evaluate(
        "fetch('/openapi.json').then((answer) => answer.json()).then(({ paths }) => Object.keys(paths))"
    )
    expect(page.get_by_role("heading", name="Morph one car into another")).to_be_visible()
    described = page.inner_text("#reference")
    assert [path for path in paths if path not in described] == []
    # Redoc asks its makers' server for a logo. The policy blocks this request and nothing else.
    page.wait_for_load_state("networkidle")
    assert all("logo-mini.svg" in complaint for complaint in complaints), complaints
    context.close()


def test_the_page_leads_there(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.get_by_role("contentinfo").get_by_role("link", name="API").click()
    expect(page).to_have_title("The API of carvae")
    context.close()
