import base64
import concurrent.futures
import contextlib
import io
import threading
import time
import typing as t

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin, features

from handler import admission, images
from handler.errors import Problem

from .. import drawings

CORNERS = {"top left": (255, 0, 0), "top right": (0, 200, 0), "bottom left": (0, 0, 255), "bottom right": (90, 90, 90)}


def encoded(image: Image.Image, form: str = "PNG", **options: t.Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def corners(width: int = 60, height: int = 40) -> Image.Image:
    """A picture whose four quarters tell which way up it is."""
    image = Image.new("RGB", (width, height))
    for index, colour in enumerate(CORNERS.values()):
        left, top = index % 2 * width // 2, index // 2 * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


def quarters(upload: images.Upload) -> list[tuple[int, ...]]:
    """Middle colours of the four quarters of what the model sees."""
    picture = images.picture(upload.crop(upload.pixels[0]))
    places = [(x, y) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    return [
        t.cast(tuple[int, ...], picture.getpixel((int(picture.width * x), int(picture.height * y)))) for x, y in places
    ]


def test_a_picture_is_letterboxed_on_white_as_in_training() -> None:
    car = drawings.car(2)
    upload = images.read(encoded(car), 64, 3, "image")
    inner = ImageOps.contain(car, (64, 64), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (64, 64), "white")
    square.paste(inner, ((64 - inner.width) // 2, (64 - inner.height) // 2))
    assert upload.pixels.shape == (1, 3, 64, 64)
    assert upload.pixels.dtype == np.float32
    np.testing.assert_array_equal(np.rint(upload.pixels[0] * 255), np.asarray(square).transpose(2, 0, 1))
    assert (upload.width, upload.height) == inner.size


@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from([16, 28, 128]))
@settings(max_examples=50)
def test_any_shape_fits_and_comes_back_without_bars(width: int, height: int, size: int) -> None:
    width = min(width, height * images.MAX_RATIO)
    height = min(height, width * images.MAX_RATIO)
    upload = images.read(encoded(Image.new("RGB", (width, height), "black")), size, 3, "image")
    assert max(upload.width, upload.height) == size
    assert min(upload.width, upload.height) >= 1
    assert upload.crop(upload.pixels[0]).shape == (3, upload.height, upload.width)
    assert upload.crop(upload.pixels[0]).max() == 0  # nothing of the bars is in the crop ...
    assert (1 - upload.pixels[0]).sum() == 3 * upload.width * upload.height  # ... and nothing else outside


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_allowed_format_is_read(form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    upload = images.read(encoded(corners(), form), 32, 3, "image")
    for seen, drawn in zip(quarters(upload), CORNERS.values(), strict=True):
        assert np.abs(np.subtract(seen, drawn)).max() < 40


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "PA", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read(mode: str, channels: int) -> None:
    drawn = drawings.car(3).convert("L").convert("RGB")
    image = drawn.convert("RGBA").convert(mode) if mode in ("LA", "PA") else drawn.convert(mode)
    upload = images.read(
        encoded(image, "JPEG" if mode == "CMYK" else "TIFF" if mode == "PA" else "PNG"), 32, channels, "image"
    )
    plain = images.read(encoded(drawn), 32, channels, "image")
    assert upload.pixels.shape == (1, channels, 32, 32)
    if mode != "1":  # dithered
        assert np.abs(upload.pixels - plain.pixels).mean() < 0.03


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    upload = images.read(encoded(Image.fromarray(ramp)), 64, 1, "image")
    np.testing.assert_allclose(upload.pixels[0, 0, 0], np.linspace(0, 1, 64), atol=0.01)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_are_refused(mode: str) -> None:
    with pytest.raises(Problem, match="32 bits per pixel") as failure:
        images.read(encoded(Image.new(mode, (20, 20)), "TIFF"), 32, 3, "image")
    assert failure.value.status == 422


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 10, 20))
    pixels = images.read(encoded(image.convert(mode)), 20, 3, "image").pixels[0]
    assert (pixels[:, :, 15:] == 1).all()
    assert (pixels[1, :, :5] < 0.5).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_sets_the_picture_upright(form: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners().transpose(undo[orientation]) if orientation in undo else corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    upload = images.read(encoded(stored, form, exif=exif), 32, 3, "image")
    assert (upload.width, upload.height) == (32, 21)
    for seen, drawn in zip(quarters(upload), CORNERS.values(), strict=True):
        assert np.abs(np.subtract(seen, drawn)).max() < 40


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0this is no TIFF directory")
    assert images.read(data, 32, 3, "image").width == 32


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [corners(), Image.new("RGB", (60, 40), "white")]
    for form in ("image/gif", "image/webp"):
        seen = quarters(images.read(images.animate(frames, form), 32, 3, "image"))
        assert np.abs(np.subtract(seen, list(CORNERS.values()))).max() < 40


def test_a_large_jpeg_is_scaled_in_the_decoder_and_looks_the_same() -> None:
    car = drawings.car(4, 3000, 2000)
    scaled = images.read(encoded(car, "JPEG", quality=95), 64, 3, "image").pixels
    full = images.read(encoded(car), 64, 3, "image").pixels
    assert np.abs(scaled - full).mean() < 0.01


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"hello, I am a car", "text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML or HTML"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "'heic'"),
        (b"\x93\x01\x02\x03" * 20, "unknown bytes 93 01 02 03"),
        (encoded(drawings.car(), "PPM"), "unknown bytes"),
        (encoded(drawings.car(), "ICO"), "unknown bytes"),
    ],
)
def test_what_is_no_allowed_image_is_named(data: bytes, seen: str) -> None:
    with pytest.raises(Problem, match=r"expected an image \(JPEG, PNG, WEBP, GIF, BMP, TIFF") as failure:
        images.read(data, 32, 3, "image")
    assert failure.value.status == 415
    assert seen in failure.value.detail


@pytest.mark.parametrize("form", images.FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_truncated_file_is_refused(form: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    data = encoded(Image.fromarray(noise), form)
    with pytest.raises(Problem, match=f"the {form} can't be decoded") as failure:
        images.read(data[: max(16, int(len(data) * share))], 32, 3, "image")
    assert failure.value.status == 422


@pytest.mark.parametrize(
    ("size", "said"),
    [((20_000, 20_000), "at most 24000000"), ((7, 40), "at least 8"), ((400, 20), "at most 16 times")],
)
def test_sides_out_of_bounds_are_named(size: tuple[int, int], said: str) -> None:
    with pytest.raises(Problem, match=said) as failure:
        images.read(encoded(Image.new("1", size)), 32, 3, "car")
    assert failure.value.status == 422
    assert failure.value.parameter == "car"
    assert f"{size[0]} x {size[1]}" in failure.value.detail


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_refused_as_a_problem(data: bytes) -> None:
    with pytest.raises(Problem):
        images.read(data, 32, 3, "image")


@given(st.data())
@settings(max_examples=100)
def test_a_damaged_file_is_read_or_refused_as_a_problem(data: st.DataObject) -> None:
    good = bytearray(GOOD[data.draw(st.sampled_from(sorted(GOOD)))])
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=8)):
        good[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Problem):
        assert images.read(bytes(good), 32, 3, "image").pixels.shape == (1, 3, 32, 32)


GOOD = {form: encoded(drawings.car(5, 48, 32), form) for form in images.FORMATS}


@given(st.integers(1, 64), st.none() | st.integers(1, 64))
@settings(max_examples=30)
def test_a_grid_holds_every_picture_once_with_white_gaps(count: int, columns: int | None) -> None:
    pictures = [Image.new("L", (5, 4), index) for index in range(count)]
    sheet = np.asarray(images.grid(pictures, columns))
    for index in range(count):
        assert (sheet == index).sum() == 20
    rows, wide = (sheet.shape[0] + images.GAP) // (4 + images.GAP), (sheet.shape[1] + images.GAP) // (5 + images.GAP)
    assert rows * wide >= count
    if columns is None:
        assert 0 <= wide - rows <= 1
    else:
        assert wide == columns


@given(st.integers(1, 3).filter(lambda n: n != 2), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_png_gives_back_the_same_pixels(channels: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (channels, 6, 9)).astype(np.uint8)
    picture = images.picture(pixels.astype(np.float32) / np.float32(255))
    back = Image.open(io.BytesIO(images.encode(picture, "image/png")))
    np.testing.assert_array_equal(np.asarray(back).reshape(6, 9, channels).transpose(2, 0, 1), pixels)


def test_values_outside_the_range_are_clipped() -> None:
    picture = images.picture(np.array([[[-0.5, 0.5, 1.5]]], np.float32))
    np.testing.assert_array_equal(np.asarray(picture), [[0, 128, 255]])


@pytest.mark.parametrize("form", images.INLINE.values())
def test_a_data_url_holds_the_picture(form: str) -> None:
    header, _, body = images.data_url(corners(), form).partition(",")
    assert header == f"data:{form};base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as image:
        assert (image.format, image.size) == (form.removeprefix("image/").upper(), (60, 40))


@pytest.mark.parametrize(("form", "name"), [("image/gif", "GIF"), ("image/webp", "WEBP")])
def test_an_animation_has_every_frame_and_never_ends(form: str, name: str) -> None:
    frames = [drawings.car(seed, 40, 40) for seed in range(5)]
    animation = Image.open(io.BytesIO(images.animate(frames, form)))
    assert animation.format == name
    assert getattr(animation, "n_frames", 1) == 5
    assert animation.info["loop"] == 0


@pytest.mark.parametrize(("form", "taken"), [("JPEG", True), ("WEBP", False), ("PNG", False), ("TIFF", False)])
def test_only_a_jpeg_may_have_the_pixels_of_a_large_photograph(
    monkeypatch: pytest.MonkeyPatch, form: str, taken: bool
) -> None:
    # A lossless WebP of 49 megapixels, 36 bytes long, took 2.3 s and 800 MB.
    monkeypatch.setattr(images, "MAX_PIXELS", 9_999)
    buffer = io.BytesIO()
    Image.new("RGB", (100, 100)).save(buffer, form)
    if taken:
        assert images.read(buffer.getvalue(), 32, 3, "image").width == 32
    else:
        with pytest.raises(Problem, match="at most 9999 are accepted"):
            images.read(buffer.getvalue(), 32, 3, "image")


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGE", 0)
    decode, inside, most = PngImagePlugin.PngImageFile.load, set(), 0

    def watched(image: PngImagePlugin.PngImageFile) -> t.Any:
        nonlocal most
        inside.add(threading.get_ident())
        most = max(most, len(inside))
        time.sleep(0.02)
        try:
            return decode(image)
        finally:
            inside.discard(threading.get_ident())

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", watched)
    monkeypatch.setattr(admission, "PATIENCE_S", 300)
    picture, gate = encoded(Image.new("RGB", (64, 64))), admission.Gate(4)

    def read(_: int) -> images.Upload:
        gate.enter()
        try:
            return images.read(picture, 32, 3, "image", gate.alone)
        finally:
            gate.leave()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(read, range(8)))
    assert (len(done), most) == (8, 1)
