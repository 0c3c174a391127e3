"""Random cars."""

import re
import typing as t

from playwright.sync_api import Page, expect

from tests.e2e import visitor


def test_a_first_visit_shows_a_dozen_cars_and_their_seed(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    assert page.input_value("#random-seed").isdecimal()
    expect(page).to_have_url(re.compile(r"#random\?seed=\d+&count=12&temperature=1&model=test-1$"))


def test_a_dozen_cars_are_one_request_and_more_are_two(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=12")
    visitor.wait_for_cars(page, 12)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("?")[2]))
    page.reload()
    visitor.wait_for_cars(page, 12)
    page.fill("#random-count", "20")
    page.press("#random-count", "Enter")
    visitor.wait_for_cars(page, 20)
    counts = [re.search(r"count=(\d+)", query) for query in asked if query]
    assert [match and match[1] for match in counts] == ["12", "12", "8"]


def test_a_link_brings_back_the_same_cars(open_page: t.Callable[..., Page]) -> None:
    link = "#random?seed=7&count=5&temperature=0.5"
    first = open_page(link)
    visitor.wait_for_cars(first, 5)
    second = open_page(link)
    visitor.wait_for_cars(second, 5)
    assert visitor.pictures(first) == visitor.pictures(second)
    assert second.input_value("#random-temperature") == "0.5"


def test_a_larger_sheet_starts_with_the_same_cars(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=3")
    visitor.wait_for_cars(page, 3)
    few = visitor.pictures(page)
    page.fill("#random-count", "20")
    page.press("#random-count", "Enter")
    visitor.wait_for_cars(page, 20)
    assert visitor.pictures(page)[:3] == few


def test_a_new_seed_draws_new_cars_and_back_returns_to_the_old_ones(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    old = visitor.pictures(page)
    page.click("#random-new")
    expect(page).not_to_have_url(re.compile("seed=7&"))
    visitor.wait_for_cars(page, 2)
    assert visitor.pictures(page) != old
    new = page.input_value("#random-seed")
    page.go_back()
    expect(page.locator("#random-seed")).to_have_value("7")
    visitor.wait_for_cars(page, 2)
    assert visitor.pictures(page) == old
    page.go_forward()
    expect(page.locator("#random-seed")).to_have_value(new)


def test_a_count_of_65_is_refused_before_anything_is_sent(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    page.fill("#random-count", "65")
    page.press("#random-count", "Enter")
    assert page.eval_on_selector("#random-count", "input => !input.validity.valid")
    visitor.wait_for_cars(page, 12)


def test_a_car_opens_large_and_its_neighbours_are_a_key_away(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=3")
    visitor.wait_for_cars(page, 3)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    expect(page.get_by_role("dialog", name="Car 0 of seed 7")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("dialog", name="Car 2 of seed 7")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Car 0 of seed 7: enlarge")).to_be_focused()


def test_a_car_downloads_as_png(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "carvae-7-0.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_copied_picture_is_the_car_as_png(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    page.get_by_role("button", name="Copy image").click()
    expect(page.get_by_text("Copied the picture.")).to_be_visible()
    copied = page.evaluate("""async () => {
        const [item] = await navigator.clipboard.read();
        const bitmap = await createImageBitmap(await item.getType("image/png"));
        return [item.types, bitmap.width, bitmap.height];
    }""")
    assert copied == [["image/png"], 32, 32]


def test_a_kept_car_is_still_on_the_shelf_after_a_reload(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.get_by_role("button", name="Keep Car 1 of seed 7").click()
    page.reload()
    shelf = page.get_by_role("region", name="Kept on your shelf")
    expect(shelf.get_by_role("button", name="Car 1 of seed 7: enlarge")).to_be_visible()
    shelf.get_by_role("button", name="Use Car 1 of seed 7 as A").click()
    expect(page.get_by_text("Car 1 of seed 7 is A. Choose B")).to_be_visible()
    shelf.get_by_role("button", name="Keep Car 1 of seed 7").click()
    expect(shelf).to_be_hidden()


def test_more_like_this_varies_one_car(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    page.get_by_role("button", name="More like this").click()
    visitor.wait_for_cars(page, 12)
    expect(page.locator("#random-like")).to_be_visible()
    expect(page).to_have_url(re.compile("like=7.0"))
    page.get_by_role("button", name="Back to any car").click()
    expect(page).not_to_have_url(re.compile("like="))


def test_the_copied_link_is_the_address(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    page.locator("#view-random [data-copy-link]").click()
    expect(page.get_by_text("Copied the link")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
