"""A photograph and its reconstruction."""

import base64
import io
import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from tests import bundles
from tests.e2e import visitor


@pytest.fixture
def page(open_page: t.Callable[..., Page]) -> Page:
    return open_page("#reconstruct")


def wait_for_result(page: Page) -> None:
    expect(page.locator("#result")).to_have_class(re.compile("is-full"))


def test_a_chosen_photograph_is_shown_beside_its_reconstruction(page: Page, car_png: bytes) -> None:
    visitor.upload(page, car_png)
    wait_for_result(page)
    expect(page.locator("#spec")).to_contain_text(re.compile(r"\d+\.\d dB PSNR"))
    before, after = visitor.pictures(page, "#compare img")
    assert before.startswith("data:image/png")
    assert before != after
    expect(page.locator("#say")).to_contain_text("decibels")
    expect(page.get_by_role("img", name="The 192 latent numbers as bars")).to_be_visible()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_dropped_or_pasted_photograph_is_taken_from_any_view(
    open_page: t.Callable[..., Page], car_png: bytes, event: str
) -> None:
    page = open_page("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    visitor.transfer(page, event, car_png)
    wait_for_result(page)
    expect(page.get_by_role("heading", name="Your car, from memory")).to_be_visible()


def test_the_picture_keeps_the_shape_of_the_photograph(page: Page, car_png: bytes) -> None:
    visitor.upload(page, car_png)  # 176 x 117
    wait_for_result(page)
    box = page.locator("#compare").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(176 / 117, rel=0.05)


def test_a_large_photograph_is_made_small_before_it_is_sent(page: Page) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((3000, 2000), 80).convert("RGB").save(buffer, "JPEG", quality=95)
    assert len(buffer.getvalue()) > 4_500_000
    with page.expect_request("**/reconstruct") as request:
        visitor.upload(page, buffer.getvalue(), "large.jpg")
    wait_for_result(page)
    assert request.value.sizes()["requestBodySize"] < 500_000


def test_a_photograph_taken_upright_stays_so_when_it_is_made_small(page: Page) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned a quarter clockwise
    Image.new("RGB", (1800, 1200), "red").save(buffer, "JPEG", exif=exif)
    with page.expect_request("**/reconstruct") as request:
        visitor.upload(page, buffer.getvalue(), "upright.jpg")
    wait_for_result(page)
    expect(page.locator("#spec")).to_contain_text(re.compile("2[12] × 32 pixels"))
    sent = request.value.post_data_buffer or b""
    assert b"Exif" not in sent  # nor where it was taken


def test_an_example_is_reconstructed_by_a_click(page: Page) -> None:
    page.get_by_role("button", name="Reconstruct example 3").click()
    wait_for_result(page)


def test_the_bars_of_an_example_are_not_sent(page: Page) -> None:
    buffer = io.BytesIO()
    example = Image.new("RGB", (64, 64), (250, 248, 252))
    example.paste((200, 30, 30), (0, 20, 64, 48))
    example.save(buffer, "PNG")
    sides = page.evaluate(
        """async (url) => {
            const { withoutBars } = await import("/pictures.js");
            const { width, height } = await createImageBitmap(await withoutBars(url));
            return [width, height];
        }""",
        "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
    )
    assert sides == [64, 28]


def test_the_line_between_the_pictures_moves_by_pointer_key_and_button(page: Page, car_png: bytes) -> None:
    visitor.upload(page, car_png)
    wait_for_result(page)
    share = page.get_by_role("slider", name="Share of the photograph")
    share.press("ArrowRight")
    expect(share).to_have_value("51")
    compare = page.locator("#compare")
    box = compare.bounding_box()
    assert box is not None
    compare.click(position={"x": box["width"] * 0.25, "y": 10})
    expect(share).to_have_value("25")
    page.get_by_role("button", name="Photograph", exact=True).click()
    expect(share).to_have_value("100")
    page.get_by_role("button", name="Reconstruction", exact=True).click()
    expect(share).to_have_value("0")


def test_its_link_brings_the_reconstruction_back_without_the_photograph(
    open_page: t.Callable[..., Page], page: Page, car_png: bytes
) -> None:
    visitor.upload(page, car_png)
    wait_for_result(page)
    other = open_page(page.evaluate("location.hash"))
    wait_for_result(other)
    expect(other.locator("#spec")).to_contain_text("the photograph is not part of it")


def test_a_damaged_link_is_told_as_such(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#reconstruct?z=zAAAA")
    expect(page.get_by_text("This link is damaged")).to_be_visible()


def test_the_result_becomes_one_end_of_a_morph(page: Page, car_png: bytes) -> None:
    visitor.upload(page, car_png)
    wait_for_result(page)
    page.locator("#result-actions").get_by_role("button", name="Use as A").click()
    page.get_by_role("link", name="Morph").click()
    expect(page.get_by_role("img", name="A: Your car")).to_be_visible()


def test_a_phones_camera_is_asked_for_a_photograph(open_page: t.Callable[..., Page], car_png: bytes) -> None:
    page = open_page("#reconstruct", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take one").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files({"name": "car.png", "mimeType": "image/png", "buffer": car_png})
    wait_for_result(page)


def test_a_desktop_offers_no_camera(page: Page) -> None:
    expect(page.get_by_role("button", name="Choose a photograph")).to_be_visible()
    expect(page.get_by_role("button", name="Take one")).to_be_hidden()


def test_a_failure_leaves_the_last_result_on_the_table(page: Page, car_png: bytes) -> None:
    visitor.upload(page, car_png)
    wait_for_result(page)
    visitor.upload(page, b"these are words", "car.jpg")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#spec")).to_contain_text("dB PSNR")
    wait_for_result(page)


def test_a_photograph_is_still_there_after_a_reload(open_page: t.Callable[..., Page], car_png: bytes) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, car_png)
    expect(page.locator("#stages li")).to_have_text(
        ["As uploaded", "32 pixels, as the network saw it", "From 192 numbers"]
    )
    before = visitor.pictures(page, "#stages img")
    page.reload()
    expect(page.locator("#stages li")).to_have_count(3)
    assert visitor.pictures(page, "#stages img") == before
    expect(page.locator("#spec")).to_contain_text("dB PSNR")


def test_before_and_after_download_as_one_picture(open_page: t.Callable[..., Page], car_png: bytes) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, car_png)
    with page.expect_download() as download:
        page.get_by_role("button", name="Before and after").click()
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size) == ("PNG", (1200, 630))


@pytest.mark.parametrize(
    ("threshold", "verdict"), [(100, "This looks like a car."), (0.001, "does not look like a car")]
)
def test_a_photograph_is_told_to_be_of_a_car_or_not_and_an_example_is_not_judged(
    open_page: t.Callable[..., Page],
    serve_page: t.Callable[[Flask], str],
    start_app: t.Callable[..., Flask],
    own_bundle: Path,
    car_png: bytes,
    threshold: float,
    verdict: str,
) -> None:
    like_this = {"groups": 1, "mean": [0, -4, -4], "precision": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    bundles.edit_manifest(own_bundle, plausibility={**like_this, "threshold": threshold})
    page = open_page("#reconstruct", address=serve_page(start_app(own_bundle)))
    visitor.upload(page, car_png)
    expect(page.locator("#spec")).to_contain_text(verdict)
    page.get_by_role("button", name="Reconstruct example 1").click()
    expect(page.locator("#spec")).not_to_contain_text("look")
    expect(page.locator("#spec")).to_contain_text("dB PSNR")
