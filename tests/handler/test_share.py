"""Links to one car that chats and feeds can preview."""

import io
import re
import typing as t
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from handler import share


def tags(text: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)">', text))


def test_a_crawler_finds_the_title_and_the_picture(client: FlaskClient) -> None:
    answer = client.get("/car/7.1", headers={"Accept": "*/*"}, base_url="https://api.example")
    assert answer.mimetype == "text/html"
    found = tags(answer.text)
    assert found["og:image"] == "https://api.example/car/7.1/preview"
    assert found["twitter:card"] == "summary_large_image"
    picture = Image.open(io.BytesIO(client.get("/car/7.1/preview").data))
    assert picture.size == (int(found["og:image:width"]), int(found["og:image:height"])) == (1200, 630)


@pytest.mark.parametrize(
    ("origins", "target"),
    [((), "/#tune?car=7.1@0.8"), (("*", "https://cars.example"), "https://cars.example/#tune?car=7.1@0.8")],
)
def test_a_person_is_led_to_the_page(
    start_app: t.Callable[..., Flask], bundle: Path, origins: tuple[str, ...], target: str
) -> None:
    text = start_app(bundle, origins=origins).test_client().get("/car/7.1@0.8").text
    assert f'http-equiv="refresh" content="0; url={target}"' in text


def test_the_page_answers_without_a_model(start_app: t.Callable[..., Flask], tmp_path: Path) -> None:
    assert start_app(tmp_path).test_client().get("/car/7.1").status_code == 200


@pytest.mark.parametrize("reference", ["7", "7.x", "9007199254740992.0", "7.4294967296", "7.0@2.1", "<b>.0"])
def test_what_is_no_car_is_not_found(client: FlaskClient, reference: str) -> None:
    for path in (f"/car/{reference}", f"/car/{reference}/preview"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json["value"] == reference


def test_the_preview_shows_the_car_without_its_white_bars() -> None:
    car = np.ones((3, 64, 64), np.float32)
    car[:, 16:48] = 0
    pixels = np.asarray(share.card(car))
    black = np.argwhere((pixels < 3).all(2))
    (top, left), (bottom, right) = black.min(0), black.max(0)
    assert (right - left + 1) / (bottom - top + 1) == pytest.approx(2, abs=0.02)
    assert bottom - top + 1 > 400
