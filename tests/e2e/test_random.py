"""Random cars."""

import base64
import io
import re
import typing as t
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests import bundles
from tests.e2e import visitor


def test_a_first_visit_shows_a_dozen_cars_and_their_seed(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    assert page.input_value("#random-seed").isdecimal()
    expect(page).to_have_url(re.compile(r"#random\?seed=\d+&count=12&temperature=1&model=test-1$"))


def test_a_dozen_cars_are_one_request_and_more_are_two(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=12")
    visitor.wait_for_cars(page, 12)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/random?" in request.url else None)
    page.reload()
    visitor.wait_for_cars(page, 12)
    page.fill("#random-count", "20")
    page.press("#random-count", "Enter")
    visitor.wait_for_cars(page, 20)
    counts = [re.search(r"count=(\d+)", query) for query in asked]
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
    with Image.open(download.value.path()) as image:
        assert (image.format, max(image.size)) == ("PNG", 512)


def barred(height: int) -> str:
    """A car of 64 pixels as a data URL: black, `height` pixels high, between white bars."""
    square = Image.new("RGB", (64, 64), "white")
    square.paste("black", (0, 32 - height // 2, 64, 32 + height // 2))
    buffer = io.BytesIO()
    square.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.mark.parametrize(("height", "shown"), [(32, 4 / 3), (56, 64 / 56), (64, 1)])
def test_a_car_fills_its_mount_and_only_white_is_cut(
    open_page: t.Callable[..., Page], height: int, shown: float
) -> None:
    page = open_page("openapi.json")
    cars = {"seed": 7, "temperature": 1, "cars": [{"index": 0, "image": barred(height)}]}
    page.route("**/random?*", lambda route: route.fulfill(json=cars))
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    visitor.wait_for_cars(page, 1)
    picture = page.locator(f"{visitor.CARS} img")
    expect(picture).to_have_attribute("style", re.compile("--filled"))
    assert float(picture.evaluate("image => getComputedStyle(image).scale")) == pytest.approx(shown, abs=0.01)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    with Image.open(download.value.path()) as image:
        assert image.size == (512, 512 * height // 64)


def test_a_sheet_comes_small_and_without_latents_and_its_cars_large_when_enlarged(
    open_page: t.Callable[..., Page],
    serve_page: t.Callable[..., str],
    start_app: t.Callable[..., t.Any],
    tmp_path: Path,
) -> None:
    address = serve_page(start_app(bundles.make(tmp_path / "bundle", size=256)))
    page = open_page("openapi.json", address=address)
    with page.expect_response("**/random?*") as sheet:
        page.goto(f"{address}/#random?seed=7&count=2")
    assert sorted(sheet.value.json()["cars"][0]) == ["image", "index"]
    visitor.wait_for_cars(page, 2)
    picture = page.locator(f"{visitor.CARS} img").first
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    with page.expect_response("**/random?*") as whole:
        page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    assert "size" not in whole.value.url
    expect(page.locator("#viewer-image")).to_have_attribute("src", re.compile("^blob:"))
    page.keyboard.press("Escape")
    page.goto(f"{address}/#morph?a=7.0&b=7.1&steps=2")
    expect(page.locator("#frame-number")).to_have_text("1 of 2")
    assert visitor.pictures(page, ".slot--a img") == visitor.pictures(page, "#frame")
    page.goto(f"{address}/#tune?car=7.0")
    expect(page.locator("#dials img[src]")).to_have_count(4)
    assert visitor.pictures(page, "#tune-image") == visitor.pictures(page, "#frame")


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
    assert copied == [["image/png"], 512, 512]


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
    page.get_by_role("button", name="Stop varying").click()
    expect(page).not_to_have_url(re.compile("like="))


def test_a_seeded_car_is_shared_by_an_address_that_chats_can_preview(
    open_page: t.Callable[..., Page], url: str
) -> None:
    page = open_page("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").click()
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("Copied the link")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{url}/car/7.0"
    page.goto(link)
    expect(page.locator("#tune-name")).to_have_text("Car 0 of seed 7")


def test_a_phone_shares_in_its_own_way(open_page: t.Callable[..., Page]) -> None:
    page = open_page("openapi.json", is_mobile=True, has_touch=True, viewport={"width": 390, "height": 844})
    page.context.add_init_script("navigator.share = async (what) => { window.shared = what; };")
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    visitor.wait_for_cars(page, 1)
    page.get_by_role("button", name="Share").first.click()
    page.wait_for_function("window.shared")
    assert page.evaluate("window.shared.url") == page.url


def test_the_copied_link_is_the_address(page: Page) -> None:
    visitor.wait_for_cars(page, 12)
    page.locator("#view-random [data-copy-link]").click()
    expect(page.get_by_text("Copied the link")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_more_like_two_cars_lie_between_them_and_a_link_brings_them_back(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#morph?a=7.0&b=7.1&steps=2")
    expect(page.locator("#frame-number")).to_have_text("1 of 2")
    ends = visitor.pictures(page, "#strip img")
    page.get_by_role("button", name="More like these two").click()
    visitor.wait_for_cars(page, 12)
    expect(page).to_have_url(re.compile("like=7.0&also=7.1"))
    expect(page.locator("#random-like img:visible")).to_have_count(2)
    cars = visitor.pictures(page)
    assert len({*cars, *ends}) == len(cars) + len({*ends})
    other = open_page(page.evaluate("location.hash"))
    visitor.wait_for_cars(other, 12)
    assert visitor.pictures(other) == cars
    page.fill("#random-count", "2")
    page.locator("#random-temperature").evaluate("slider => { slider.value = 0; }")
    page.get_by_role("button", name="Draw this seed").click()
    visitor.wait_for_cars(page, 2)  # without chance: a quarter and three quarters of the way
    quarters = visitor.pictures(page)
    page.goto(page.url.split("#")[0] + "#morph?a=7.0&b=7.1&steps=5")
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    way = visitor.pictures(page, "#strip img")
    assert [brightness(page, url) for url in quarters] == pytest.approx(
        [brightness(page, way[place]) for place in (2, 6)], abs=1.5
    )


def brightness(page: Page, url: str) -> float:
    """Mean value of a picture's pixels, 0 to 255."""
    mean: float = page.evaluate(
        """async (url) => {
            const image = new Image();
            image.src = url;
            await image.decode();
            const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
            pen.drawImage(image, 0, 0);
            const { data } = pen.getImageData(0, 0, image.width, image.height);
            return data.reduce((sum, value) => sum + value, 0) / data.length;
        }""",
        url,
    )
    return mean


def test_more_kept_cars_than_the_shelf_has_room_for_are_not_shown(open_page: t.Callable[..., Page]) -> None:
    page = open_page("openapi.json")
    page.evaluate("""() => localStorage.setItem("carvae.shelf", JSON.stringify(Array.from({ length: 20_000 }, (_, i) =>
        ({ ref: `7.${i}`, name: `Car ${i}`, image: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" }))))""")
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=2"))
    visitor.wait_for_cars(page, 2)
    expect(page.locator("#shelf-cars > li")).to_have_count(24)
    page.get_by_role("button", name="Keep Car 0").first.click()
    expect(page.locator("#shelf-cars > li")).to_have_count(23)


def test_the_space_bar_draws_new_cars(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(page).not_to_have_url(re.compile("seed=7&"))
    visitor.wait_for_cars(page, 2)
