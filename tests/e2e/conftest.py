"""The page in real Chromium, in front of a real server with the tiny bundle."""

import contextlib
import os
import shutil
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from server.page import Site

STATIC = Path(__file__).parents[2] / "static"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",  # a process less per browser
    "--renderer-process-limit=1",  # a page's own process takes longer to start than the page
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Without a GPU a morph that plays keeps a core busy; tests of motion ask for it.
STILL: dict[str, t.Any] = {"reduced_motion": "reduce"}

PATIENCE_MS = 15_000  # no test is about time, and machines are busy
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def serve_page(serve: t.Callable[[t.Any], str]) -> t.Callable[[Flask], str]:
    """Serve an app behind the page's files; returns the address."""
    return lambda app: serve(Site(app, STATIC))


@pytest.fixture(scope="session")
def url(serve_page: t.Callable[[Flask], str], start_app: t.Callable[..., Flask], bundle: Path) -> str:
    """Address of a server that is ready."""
    return serve_page(start_app(bundle))


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    if CHROMIUM is None:
        reason = "no chromium, chromium-browser or google-chrome on the PATH"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def resident(browser: Browser, url: str) -> Page:
    """A page that stays open, and so keeps the process that the tests' pages share."""
    page = browser.new_context(**STILL).new_page()
    page.goto(f"{url}/openapi.json")
    return page


@pytest.fixture
def open_page(browser: Browser, resident: Page, url: str) -> t.Iterator[t.Callable[..., Page]]:
    """Open the page at a hash; errors and warnings in its console fail the test.

    The first page of a test shares its context, and so a process, with the pages of other tests, but finds nothing
    stored or cached. A page gets a context of its own if it is a later one, if it has context options, or with `alone`.
    Tests that change the context itself need this: Playwright's clock, being offline.
    """
    complaints: list[str] = []
    opened: list[Page] = []
    contexts: list[BrowserContext] = []

    def listen(message: ConsoleMessage) -> None:
        # Chromium itself reports every answer of 400 and above, and tests of failures cause those on purpose.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            complaints.append(f"{message.type}: {message.text}")

    def start(hash_: str = "", *, address: str = url, alone: bool = False, **options: t.Any) -> Page:
        if alone or opened or options:
            context = browser.new_context(**STILL | options)
            contexts.append(context)
        else:
            context = resident.context
            resident.evaluate("localStorage.clear()")
            protocol = context.new_cdp_session(resident)
            protocol.send("Network.clearBrowserCache")
            protocol.detach()
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        page = context.new_page()
        opened.append(page)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.goto(f"{address}/{hash_}")
        return page

    yield start
    for each in [*opened, *contexts]:
        with contextlib.suppress(Exception):
            each.close()
    assert complaints == []


@pytest.fixture
def page(open_page: t.Callable[..., Page]) -> Page:
    """The page as a visitor first sees it."""
    return open_page()
