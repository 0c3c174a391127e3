"""Files that are small in bytes and pixels, and yet would keep a decoder busy for minutes."""

import io

import pytest
from PIL import Image, JpegImagePlugin

from handler import costs, images
from handler.errors import Problem

from ..reliability import pictures

#: CPU seconds before there was a limit, on one core: 1.6 for the chunks, over 12 for scans, segments and comments.
TOO_MANY_PARTS = (
    "png of 360,000 chunks",
    "gif with a comment in bits",
    "gif of many comments",
    "tiff of 65,000 tags",
    "tiff of a million strips",
    "tiff of a million strips in bytes",
    "jpeg of a million segments",
    "jpeg of fill bytes",
)


@pytest.mark.parametrize("name", TOO_MANY_PARTS)
def test_a_file_of_too_many_parts_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(Problem, match="it has more than 20000 parts") as caught:
        images.read(pictures.bomb(name), 32, 3, "image")
    assert caught.value.status == 422


@pytest.mark.parametrize("name", pictures.ODD)
def test_what_no_camera_makes_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # CPU seconds before: 11.8 for JPEG in TIFF, 4.7 for 472 bytes of arithmetic JPEG, 4.3 for 20 kB of runs.
    data = pictures.bomb(name)
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(Problem, match="which no camera writes") as caught:
        images.read(data, 32, 3, "image")
    assert caught.value.status == 422


def test_a_jpeg_of_too_many_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", None)
    with pytest.raises(Problem, match=r"scans; at most 600 are accepted for 1000000 pixels"):
        images.read(pictures.bomb("small jpeg of 5,000 scans"), 32, 3, "image")


@pytest.mark.parametrize("name", pictures.GOOD)
def test_every_ordinary_file_is_taken(name: str) -> None:
    assert images.read(pictures.good(name), 32, 3, "image").pixels.shape == (1, 3, 32, 32)


def test_a_large_progressive_photograph_is_taken() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(buffer, "JPEG", progressive=True)
    costs.check("JPEG", buffer.getvalue())
    costs.check_scans(buffer.getvalue(), images.MAX_JPEG_PIXELS)


def test_scans_are_counted_where_the_decoder_counts_them() -> None:
    inside_a_comment = b"\xff\xfe\x00\x06\xff\xda\xff\xda"
    data = pictures.good("jpeg progressive")
    enough = costs.MAX_SCANNED // 10  # pixels of which ten scans are accepted
    for same in (data, data[:2] + inside_a_comment + data[2:], data + data):
        costs.check_scans(same, enough)
        with pytest.raises(ValueError, match=r"^10 scans; at most 9 are accepted"):
            costs.check_scans(same, enough + enough // 9 - 1)
