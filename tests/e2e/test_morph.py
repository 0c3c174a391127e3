"""The way from one car to another."""

import io
import re
import typing as t

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import visitor

LINK = "#morph?a=7.0&b=7.1&method=slerp&steps=5"
FRAME_MS = 90  # as in static/morph.js


@pytest.fixture
def page(open_page: t.Callable[..., Page]) -> Page:
    page = open_page(LINK)
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    return page


def test_without_a_choice_two_new_cars_are_morphed(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#morph")
    expect(page.locator("#frame-number")).to_have_text("1 of 16")
    expect(page).to_have_url(re.compile(r"#morph\?a=\d+\.0&b=\d+\.1&method=lerp&steps=16"))


def test_two_cars_picked_from_a_sheet_are_the_ends(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=3")
    visitor.wait_for_cars(page, 3)
    page.get_by_role("button", name="Use Car 0 of seed 7 as A").click()
    page.get_by_role("button", name="Use Car 2 of seed 7 as B").click()
    cars = visitor.pictures(page)
    page.get_by_role("button", name="Morph them").click()
    expect(page.locator("#frame-number")).to_have_text("1 of 16")
    assert page.get_attribute("#frame", "src") == cars[0]
    page.press("#scrubber", "End")
    assert page.get_attribute("#frame", "src") == cars[2]


def test_the_slider_and_the_steps_move_through_frames_that_are_there(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.press("#scrubber", "ArrowRight")
    expect(page.get_by_role("img", name="Car 25 % of the way from A to B")).to_be_visible()
    page.get_by_role("button", name="One frame forward").click()
    expect(page.locator("#frame-number")).to_have_text("3 of 5")
    page.get_by_role("button", name="One frame back").click()
    expect(page.locator("#frame-number")).to_have_text("2 of 5")
    assert [url for url in asked if "/interpolate" in url] == []


def test_a_link_brings_back_ends_path_and_frame(page: Page, open_page: t.Callable[..., Page]) -> None:
    page.get_by_role("button", name="One frame forward").click()
    other = open_page(page.evaluate("location.hash"))
    expect(other.locator("#frame-number")).to_have_text("2 of 5")
    expect(other.get_by_role("radio", name="Arc")).to_be_checked()
    assert other.get_attribute("#frame", "src") == page.get_attribute("#frame", "src")


def test_play_runs_until_pause(open_page: t.Callable[..., Page]) -> None:
    page = open_page(LINK, alone=True)
    expect(page.locator("#frame-number")).to_have_text("1 of 5")

    def next_number() -> str | None:
        page.clock.run_for(FRAME_MS)
        return page.text_content("#frame-number")

    # The clock stands still but for `run_for`. By `install` alone it would go on, and every wait show more frames.
    page.clock.install(time=0)
    page.clock.pause_at(1)
    page.get_by_role("button", name="Play").click()
    assert [next_number() for _ in range(6)] == ["2 of 5", "3 of 5", "4 of 5", "5 of 5", "4 of 5", "3 of 5"]
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert next_number() == "3 of 5"


def test_another_path_and_length_are_fetched_at_once(page: Page) -> None:
    with page.expect_request(lambda request: "steps=5&method=lerp" in request.url):
        page.get_by_text("Straight").click()
    page.fill("#morph-steps", "9")
    page.press("#morph-steps", "Tab")
    expect(page.locator("#frame-number")).to_have_text("1 of 9")


def test_swap_turns_the_way_around(page: Page) -> None:
    page.get_by_role("button", name="Swap").click()
    expect(page).to_have_url(re.compile("a=7.1&b=7.0"))
    expect(page.get_by_role("img", name="A: Car 1 of seed 7")).to_be_visible()


def test_a_photograph_dropped_on_a_slot_becomes_that_end(page: Page, car_png: bytes) -> None:
    visitor.transfer(page, "drop", car_png, ".slot--b")
    expect(page.get_by_role("img", name="B: Your car")).to_be_visible()
    expect(page).to_have_url(re.compile("b=z"))
    expect(page.locator("#frame-number")).to_have_text("1 of 5")


def test_a_slot_takes_a_photograph_by_its_button_and_a_random_car(page: Page, car_png: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Photograph for A").click()
    chooser.value.set_files({"name": "car.png", "mimeType": "image/png", "buffer": car_png})
    expect(page.get_by_role("img", name="A: Your car")).to_be_visible()
    page.get_by_role("button", name="Random car for A").click()
    expect(page.get_by_role("img", name=re.compile("A: Car 0 of seed"))).to_be_visible()


@pytest.mark.parametrize(
    ("button", "form", "frames"),
    [("GIF", "GIF", 8), ("WebP", "WEBP", 8), ("Filmstrip", "PNG", 1), ("This frame", "PNG", 1)],
)
def test_the_morph_downloads(page: Page, button: str, form: str, frames: int) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    with Image.open(io.BytesIO(download.value.path().read_bytes())) as picture:
        assert (picture.format, getattr(picture, "n_frames", 1)) == (form, frames)


def test_a_frame_is_copied_as_png(page: Page) -> None:
    page.get_by_role("button", name="Copy frame").click()
    expect(page.get_by_text("Copied the frame.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.read().then(([item]) => item.types)") == ["image/png"]


def test_an_animation_goes_forth_and_back(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="WebP", exact=True).click()
    with Image.open(download.value.path()) as picture:
        frames = [picture.seek(place) or picture.convert("RGB").tobytes() for place in range(picture.n_frames)]
    assert len(frames) == 8
    assert frames[5:] == frames[3:0:-1]
    assert frames[0] != frames[4]
