import numpy as np
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from handler.answers import as_json, choose, numbers
from handler.errors import Problem

JSON, PNG, WEBP = "application/json", "image/png", "image/webp"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def chosen(accept: str | None) -> str:
    with Flask("test").test_request_context(headers={"Accept": accept} if accept is not None else {}):
        return choose(JSON, PNG, WEBP)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("Application/JSON", JSON),
        ("application/json, text/javascript, */*; q=0.01", JSON),
        ("image/png", PNG),
        ("image/png;q=0.1", PNG),
        ("image/*", PNG),
        ("image/webp, image/png", PNG),
        ("image/webp, image/png;q=0.9", WEBP),
        ("image/png, */*", PNG),
        ("application/json;q=0, */*", PNG),
        ("text/html, image/webp;q=0.5", WEBP),
        (BROWSER, WEBP),
    ],
)
def test_accept_chooses_the_form(accept: str | None, form: str) -> None:
    assert chosen(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "image/png;q=0", "image/tiff"])
def test_nothing_acceptable_is_a_406(accept: str) -> None:
    with pytest.raises(Problem, match=r"application/json, image/png, image/webp") as failure:
        chosen(accept)
    assert failure.value.status == 406
    assert failure.value.value == accept


def test_a_nan_never_becomes_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"psnr": float("nan")})


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_float32_numbers_survive_json(values: list[float]) -> None:
    row = np.array(values, np.float32)
    np.testing.assert_array_equal(np.array(numbers(row), np.float32), row)
