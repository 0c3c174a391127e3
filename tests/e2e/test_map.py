"""The map of cars around one."""

import re
import typing as t

from playwright.sync_api import Page, expect

LINK = "#map?car=7.1&x=0&y=1&at=-4,-4"
CELLS = "#map-cells img[src]"


def test_a_map_is_one_request_and_wandering_asks_for_new_cells_alone(open_page: t.Callable[..., Page]) -> None:
    page = open_page("openapi.json")
    asked: list[int] = []
    page.on(
        "request",
        lambda request: asked.append(len(request.post_data_json["latents"])) if "/decode" in request.url else None,
    )
    page.goto(page.url.replace("openapi.json", LINK))
    expect(page.locator(CELLS)).to_have_count(64)
    grid = page.locator("#map-cells")
    box = grid.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - box["width"] / 8 - 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"at=-3%2C-4"))
    expect(page.locator(CELLS)).to_have_count(64)
    assert asked == [64, 8]


def test_a_click_tunes_the_car_of_a_cell(open_page: t.Callable[..., Page]) -> None:
    page = open_page(LINK)
    expect(page.locator(CELLS)).to_have_count(64)
    page.get_by_role("button", name="Lightness 2.0, Height −1.0").click()
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7, tuned")
    expect(page.locator("#dials output").nth(0)).to_have_text("2.0")
    expect(page.locator("#dials output").nth(1)).to_have_text("−1.0")


def test_pointing_at_a_cell_shows_it_large(open_page: t.Callable[..., Page]) -> None:
    page = open_page(LINK)
    expect(page.locator(CELLS)).to_have_count(64)
    page.get_by_role("button", name="Lightness 3.0, Height 3.0").hover()
    expect(page.locator("#map-name")).to_have_text("Lightness 3.0, Height 3.0")
    cell = page.locator("#map-cells button").filter(has=page.locator("img")).nth(7).locator("img")
    assert page.locator("#map-image").get_attribute("src") == cell.get_attribute("src")


def test_other_directions_draw_another_map(open_page: t.Callable[..., Page]) -> None:
    page = open_page(LINK)
    expect(page.locator(CELLS)).to_have_count(64)
    before = page.locator(CELLS).first.get_attribute("src")
    page.select_option("#map-x", "1")
    expect(page).to_have_url(re.compile("x=1"))
    expect(page.locator(CELLS)).to_have_count(64)
    assert page.locator(CELLS).first.get_attribute("src") != before


def test_a_damaged_link_is_told(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#map?car=rubbish")
    expect(page.get_by_text("This link is damaged")).to_be_visible()
