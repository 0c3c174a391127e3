"""What once went wrong for visitors."""

import io
import json
import re
import typing as t

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.e2e import visitor

MORPH = "#morph?a=7.0&b=7.1&steps=5"
#: Shares of a picture's pixels that its box shows, at the picture's own shape.
SHOWN = """image => {
    const { width, height } = image.getBoundingClientRect();
    const fit = getComputedStyle(image).objectFit === "cover" ? Math.max : Math.min;
    const scale = fit(width / image.naturalWidth, height / image.naturalHeight);
    return Math.min(1, width / scale / image.naturalWidth, height / scale / image.naturalHeight);
}"""


@pytest.fixture
def wide_png() -> bytes:
    """A photograph three times as wide as high."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((192, 64)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def whole(page: Page, selector: str) -> bool:
    image = page.locator(selector)
    expect(image).to_be_visible()
    image.evaluate("image => image.decode()")
    return image.evaluate(SHOWN) == pytest.approx(1)


def never(route: Route) -> None:
    """Leave a request without an answer."""


def test_a_wide_photograph_is_whole_wherever_its_car_appears(open_page: t.Callable[..., Page], wide_png: bytes) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, wide_png)
    buttons = page.locator("#result-actions")
    buttons.get_by_role("button", name="Use as A").click()
    buttons.get_by_role("button", name="Keep").click()
    assert whole(page, "#shelf-cars img")
    page.locator("#shelf-cars .mount__window").click()
    assert whole(page, "#viewer-image")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Morph").click()
    assert whole(page, ".slot--a img")


def test_the_same_photograph_twice_is_still_the_end(open_page: t.Callable[..., Page], car_png: bytes) -> None:
    page = open_page(MORPH)
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    for _ in range(2):
        with page.expect_response("**/reconstruct"):
            visitor.transfer(page, "drop", car_png, ".slot--b")
        expect(page.get_by_role("img", name="B: Your car")).to_be_visible()
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    expect(page).to_have_url(re.compile("b=z"))


def test_a_browser_without_abort_signal_any_shows_cars(page: Page) -> None:
    page.add_init_script("delete AbortSignal.any")
    page.reload()
    visitor.wait_for_cars(page, 12)


@pytest.mark.parametrize(
    ("body", "sentence"), [('{"cars": [{"ind', "The answer broke off"), ("{}", "This page made a mistake")]
)
def test_an_answer_that_cannot_be_used_is_told_as_such(page: Page, body: str, sentence: str) -> None:
    visitor.wait_for_cars(page, 12)
    page.route("**/random?*", lambda route: route.fulfill(content_type="application/json", body=body))
    page.click("#random-new")
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    page.unroute("**/random?*")
    page.get_by_role("button", name="Try again").click()
    visitor.wait_for_cars(page, 12)


def test_the_cars_stay_until_others_have_come(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=3")
    visitor.wait_for_cars(page, 3)
    cars = visitor.pictures(page)
    page.route("**/random?*", never)
    page.fill("#random-count", "5")
    page.press("#random-count", "Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert visitor.pictures(page) == cars
    page.get_by_role("button", name="Cancel").click()
    visitor.wait_for_cars(page, 3)
    expect(page.locator("#random-cars > *")).to_have_count(3)
    assert visitor.pictures(page) == cars


def test_the_cars_stay_where_the_visitor_is_offline(open_page: t.Callable[..., Page]) -> None:
    page = open_page(alone=True)
    visitor.wait_for_cars(page, 12)
    cars = visitor.pictures(page)
    page.context.set_offline(True)
    page.click("#random-new")
    expect(page.get_by_role("alert")).to_contain_text("You are offline. Try again")
    assert visitor.pictures(page) == cars


@pytest.mark.parametrize("seed", ["abc", "9007199254740992"])
@pytest.mark.parametrize(("field", "key"), [("#random-temperature", "ArrowRight"), ("#random-count", "Enter")])
def test_a_seed_that_is_none_is_refused_before_anything_is_sent(page: Page, seed: str, field: str, key: str) -> None:
    visitor.wait_for_cars(page, 12)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.fill("#random-seed", seed)
    page.press(field, key)
    assert page.eval_on_selector("#random-seed", "input => !input.validity.valid")
    page.fill("#random-seed", "7")
    with page.expect_request("**/random?*seed=7*"):
        page.press("#random-seed", "Enter")
    assert len([url for url in asked if "/random?" in url]) == 1


def test_a_note_over_the_large_view_can_be_dismissed(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    page.get_by_role("dialog").get_by_role("button", name="Use as A").click()
    note = page.get_by_text("Car 0 of seed 7 is A. Choose B")
    expect(note).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(note).to_be_hidden()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(("button", "frame", "at"), [("Arc", "4 of 5", 3), ("Swap", "2 of 5", 1)])
def test_another_way_keeps_its_place_and_the_address_says_so(
    open_page: t.Callable[..., Page], button: str, frame: str, at: int
) -> None:
    page = open_page(MORPH + "&at=3")
    expect(page.locator("#frame-number")).to_have_text("4 of 5")
    with page.expect_response("**/interpolate?*"):
        page.locator("#morph-form").get_by_text(button).click()
    expect(page.locator("#frame-number")).to_have_text(frame)
    expect(page).to_have_url(re.compile(f"at={at}&"))


def test_where_a_morph_is_paused_the_address_says_so(open_page: t.Callable[..., Page]) -> None:
    page = open_page(MORPH, alone=True)
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    page.clock.install(time=0)
    page.clock.pause_at(1)
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(2 * 90)
    page.get_by_role("button", name="Pause").click()
    expect(page).to_have_url(re.compile("at=2&"))


def test_another_car_comes_though_a_dial_moves(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#tune?car=7.1")
    expect(page.locator("#dials img[src]")).to_have_count(4)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/random?*", hold)
    with page.expect_request("**/random?*"):
        page.get_by_role("button", name="Another car").click()
    # A finger that is already on the dial can do this, whatever the page says.
    page.locator("#dials input").first.evaluate("slider => slider.dispatchEvent(new Event('input', { bubbles: true }))")
    held[0].continue_()
    expect(page.locator("#tune-name")).to_contain_text(re.compile(r"Car 0 of seed \d+"))


def test_the_focus_stays_on_the_shelf_when_a_car_leaves_it(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    for index in (0, 1):
        page.get_by_role("button", name=f"Keep Car {index} of seed 7").click()
    shelf = page.get_by_role("region", name="Kept on your shelf")
    shelf.get_by_role("button", name="Keep Car 1 of seed 7").press("Enter")
    expect(shelf.get_by_role("button", name="Keep Car 0 of seed 7")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Cars nobody has built")).to_be_focused()


def test_the_focus_stays_on_the_page_when_the_large_view_of_a_car_that_left_closes(
    open_page: t.Callable[..., Page],
) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.get_by_role("button", name="Keep Car 1 of seed 7").click()
    shelf = page.get_by_role("region", name="Kept on your shelf")
    shelf.get_by_role("button", name="Car 1 of seed 7: enlarge").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Keep").press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Car 1 of seed 7: enlarge")).to_be_focused()


def test_the_focus_stays_on_the_page_when_a_note_is_dismissed(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.get_by_role("button", name="Use Car 0 of seed 7 as A").click()
    page.get_by_role("button", name="Dismiss").press("Enter")
    expect(page.get_by_role("heading", name="Cars nobody has built")).to_be_focused()


def test_a_count_above_64_draws_64(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=100")
    visitor.wait_for_cars(page, 64)
    expect(page.locator(".mount--blank")).to_have_count(0)
    expect(page).to_have_url(re.compile("count=64"))


def test_a_link_to_variations_of_no_car_is_told_as_such(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2&like=foo")
    expect(page.get_by_text("This link is damaged: the car to vary is missing")).to_be_visible()
    visitor.wait_for_cars(page, 2)
    expect(page).not_to_have_url(re.compile("like="))


def test_a_full_shelf_drops_no_car(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    image = visitor.pictures(page)[0]
    cars = [{"ref": f"8.{index}", "name": f"Car {index} of seed 8", "image": image} for index in range(24)]
    page.evaluate("text => localStorage.setItem('carvae.shelf', text)", json.dumps(cars))
    page.reload()
    visitor.wait_for_cars(page, 2)
    page.get_by_role("button", name="Keep Car 1 of seed 7").click()
    expect(page.get_by_text("The shelf is full with 24 cars")).to_be_visible()
    shelf = page.get_by_role("region", name="Kept on your shelf")
    expect(shelf.get_by_role("button", name="Car 23 of seed 8: enlarge")).to_be_visible()
    shelf.get_by_role("button", name="Keep Car 5 of seed 8").click()
    page.get_by_role("button", name="Keep Car 1 of seed 7").click()
    expect(shelf.get_by_role("button", name="Car 1 of seed 7: enlarge")).to_be_visible()


def test_eight_quick_clicks_are_two_requests(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/random?" in request.url else None)
    page.eval_on_selector("#random-new", "button => { for (let i = 0; i < 8; i += 1) button.click(); }")
    seed = page.input_value("#random-seed")
    expect(page.get_by_role("button", name=f"Car 0 of seed {seed}: enlarge")).to_be_visible()
    assert len(asked) <= 2


def test_a_morph_whose_b_cannot_be_had_shows_no_other_and_is_whole_after_another_try(
    open_page: t.Callable[..., Page],
) -> None:
    page = open_page(MORPH)
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    page.route(re.compile(r"/random\?.*first=1&"), lambda route: route.abort())
    page.evaluate("location.hash = '#morph?a=8.0&b=8.1&steps=5'")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("img", name="A: Car 0 of seed 8")).to_be_visible()
    expect(page.locator(".slot--b img")).to_be_hidden()
    expect(page.locator("#frame-number")).to_have_text("No frames yet")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("img", name="B: Car 1 of seed 8")).to_be_visible()
    expect(page.locator("#frame-number")).to_have_text("1 of 5")


def test_copying_a_link_without_a_clipboard_says_where_it_is(page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.reload()
    visitor.wait_for_cars(page, 12)
    page.locator("#view-random [data-copy-link]").click()
    expect(page.get_by_text("The link is in the address bar")).to_be_visible()
