"""Waiting and failing, told in a sentence each."""

import re
import shutil
import typing as t
from pathlib import Path

from flask import Flask
from playwright.sync_api import Page, Route, expect

from tests.e2e import visitor


def refuse(status: int, times: int, headers: dict[str, str] | None = None) -> t.Callable[[Route], None]:
    """Answer with a problem so many times, then let the server answer."""
    left = [times]

    def handle(route: Route) -> None:
        left[0] -= 1
        if left[0] < 0:
            route.continue_()
        else:
            route.fulfill(
                status=status, content_type="application/problem+json", headers=headers, body='{"detail": "no"}'
            )

    return handle


def test_a_server_still_without_its_model_is_waited_for(
    open_page: t.Callable[..., Page],
    serve_page: t.Callable[[Flask], str],
    start_app: t.Callable[..., Flask],
    bundle: Path,
    tmp_path: Path,
) -> None:
    late = tmp_path / "late"
    late.mkdir()
    page = open_page("#random?seed=7&count=2", address=serve_page(start_app(late)))
    expect(page.get_by_text("The server is loading its model")).to_be_visible()
    expect(page.locator(".lamp")).to_have_attribute("data-state", re.compile("unavailable|loading"))
    shutil.copytree(bundle, late, dirs_exist_ok=True)
    visitor.wait_for_cars(page, 2)
    expect(page.locator(".lamp")).to_have_attribute("data-state", "ready")


def test_a_file_that_is_no_picture_is_told_as_such(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, b"these are words", "car.jpg")
    expect(page.get_by_role("alert")).to_contain_text("cannot read this file as a picture")


def test_a_file_above_the_limit_is_told_as_such(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, b"II*\0" + bytes(4_600_000), "scan.jpg")
    expect(page.get_by_role("alert")).to_contain_text("Choose one under 4.5 MB")


def test_a_seed_out_of_range_is_named(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=9999999999999999&count=2")
    expect(page.get_by_role("alert")).to_contain_text("seed must be from 0 to 9007199254740991")


def test_a_busy_server_is_asked_again_when_it_says_so(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    page.route("**/random?*", refuse(429, 1, {"Retry-After": "1"}))
    page.click("#random-new")
    expect(page.get_by_text("The server is busy. Asking again in")).to_be_visible()
    visitor.wait_for_cars(page, 12)
    expect(page.locator(".note")).to_have_count(0)


def test_a_server_without_a_model_is_given_up_in_the_end_and_can_be_tried_again(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    page.route("**/random?*", refuse(503, 1, {"Retry-After": "600"}))
    page.click("#random-new")
    expect(page.get_by_role("alert")).to_contain_text("The model is not available at the moment")
    page.get_by_role("button", name="Try again").click()
    visitor.wait_for_cars(page, 12)


def test_waiting_can_be_cancelled_and_taken_up_again(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.route("**/random?*", lambda route: None)  # never answered
    page.click("#random-new")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    page.unroute("**/random?*")
    page.get_by_role("button", name="Try again").click()
    visitor.wait_for_cars(page, 2)


def test_a_cold_start_is_told_as_such_with_its_seconds(open_page: t.Callable[..., Page]) -> None:
    page = open_page(alone=True)
    visitor.wait_for_cars(page, 12)
    waiting: list[Route] = []
    page.route("**/random?*", lambda route: waiting.insert(0, route))
    page.clock.install()
    with page.expect_request("**/random?*"):
        page.click("#random-new")
    page.clock.fast_forward(7000)
    expect(page.get_by_text("This takes longer than usual")).to_be_visible()
    expect(page.locator(".note__seconds")).to_have_text(re.compile("^([7-9]|[1-9][0-9]) s$"))  # the clock goes on
    answer = waiting[0].fetch()
    waiting[0].fulfill(response=answer, headers=answer.headers | {"server-timing": 'cold;desc="cold start";dur=6800'})
    expect(page.get_by_text(re.compile(r"That took \d+ s because the server had to start"))).to_be_visible()


def test_being_offline_is_noticed(open_page: t.Callable[..., Page]) -> None:
    page = open_page(alone=True)
    visitor.wait_for_cars(page, 12)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline. What is on the table stays")).to_be_visible()
    page.click("#random-new")
    expect(page.get_by_role("alert")).to_contain_text("You are offline. Try again")
    page.context.set_offline(False)
    expect(page.get_by_text("You are online again")).to_be_visible()


def test_the_newest_request_wins(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.route("**/random?*seed=8&*", lambda route: None)
    for seed in ("8", "9"):
        page.fill("#random-seed", seed)
        page.press("#random-seed", "Enter")
    visitor.wait_for_cars(page, 2)
    expect(page.get_by_role("button", name="Car 0 of seed 9: enlarge")).to_be_visible()
    expect(page.locator(".note")).to_have_count(0)
