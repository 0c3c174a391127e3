import base64
import io
import itertools
import json
import math
import typing as t
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageSequence
from werkzeug.test import TestResponse

from .. import bundles, drawings

LATENT = 3 * bundles.GRID**2


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def from_data_url(url: str) -> Image.Image:
    return opened(base64.b64decode(url.removeprefix("data:image/png;base64,")))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def post(client: FlaskClient, path: str, accept: str = "*/*", **files: bytes) -> TestResponse:
    data = {name: (io.BytesIO(content), f"{name}.png") for name, content in files.items()}
    return client.post(path, data=data, headers={"Accept": accept})


def test_discovery_links_every_route(client: FlaskClient) -> None:
    body = client.get("/").json
    assert body["name"] == "carvae"
    assert body["model"] == {"name": "tiny", "version": "test-1"}
    for link in body["links"].values():
        assert client.options(link).status_code == 200


def test_health_describes_the_model(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ready",
        "engine": "torchscript",
        "model": {"name": "tiny", "version": "test-1", "image_size": 32, "latent_dim": LATENT},
    }


def test_on_lambda_health_says_which_version_of_the_function_answers(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    assert client.get("/health").json["function_version"] == "7"


def test_cars_of_a_seed_may_be_kept_by_a_shared_cache_and_others_by_none(client: FlaskClient) -> None:
    assert client.get("/random?seed=1").headers["Cache-Control"] == "public, max-age=0, s-maxage=86400"
    assert client.get("/random").headers["Cache-Control"] == "no-store"


def test_reconstruct_answers_original_and_reconstruction_in_the_uploads_shape(
    client: FlaskClient, car_png: bytes
) -> None:
    answer = post(client, "/reconstruct", image=car_png)
    body = answer.json
    assert answer.headers["Carvae-Model-Version"] == body["model_version"] == "test-1"
    assert (body["width"], body["height"]) == (32, 21)
    original, rebuilt = (np.asarray(from_data_url(body[name]), float) / 255 for name in ("original", "reconstruction"))
    assert original.shape == rebuilt.shape == (21, 32, 3)
    assert np.abs(original - rebuilt).mean() < 0.15
    assert body["mse"] == pytest.approx(np.mean((original - rebuilt) ** 2), rel=0.02)
    assert body["psnr"] == pytest.approx(-10 * math.log10(body["mse"]))
    assert len(body["latent"]) == LATENT


def test_an_upload_is_told_to_be_of_a_car_or_not_where_the_model_was_measured(
    own_bundle: Path, start_app: t.Callable[..., Flask], client: FlaskClient, car_png: bytes
) -> None:
    assert "plausibility" not in post(client, "/reconstruct", image=car_png).json
    like_this = {"groups": 1, "mean": [0, -4, -4], "precision": np.eye(3).tolist()}
    for threshold, car in ((100, True), (0.001, False)):
        bundles.edit_manifest(own_bundle, plausibility={**like_this, "threshold": threshold})
        verdict = post(start_app(own_bundle).test_client(), "/reconstruct", image=car_png).json["plausibility"]
        assert (verdict["threshold"], verdict["car"]) == (threshold, car)
        assert 0.001 < verdict["distance"] < 100


def test_a_perfect_reconstruction_has_a_finite_psnr(client: FlaskClient) -> None:
    body = post(client, "/reconstruct", image=png(Image.new("RGB", (32, 32), "white"))).json
    assert body["mse"] == 0
    assert body["psnr"] == 100


@pytest.mark.parametrize(("form", "name"), [("image/png", "PNG"), ("image/webp", "WEBP"), ("image/jpeg", "JPEG")])
def test_image_forms_hold_the_image_alone(client: FlaskClient, car_png: bytes, form: str, name: str) -> None:
    rebuilt = post(client, "/reconstruct", form, image=car_png)
    assert rebuilt.content_type == form
    assert (opened(rebuilt.data).format, opened(rebuilt.data).size) == (name, (32, 21))
    drawn = client.get("/random?count=5", headers={"Accept": form})
    assert (opened(drawn.data).format, opened(drawn.data).size) == (name, (3 * 36 - 4, 2 * 36 - 4))
    decoded = client.post("/decode", json={"latents": [[0.5] * LATENT]}, headers={"Accept": form})
    assert (opened(decoded.data).format, opened(decoded.data).size) == (name, (32, 32))


@pytest.mark.parametrize(("name", "form"), [("png", "PNG"), ("webp", "WEBP")])
def test_images_inside_json_are_of_the_kind_asked_for(
    client: FlaskClient, car_png: bytes, name: str, form: str
) -> None:
    ends = {"start": {"seed": 1, "index": 0}, "end": {"seed": 1, "index": 1}}
    rebuilt = client.post(f"/reconstruct?image={name}", data=car_png, content_type="image/png").json
    urls = [rebuilt["original"], rebuilt["reconstruction"]]
    urls.append(client.get(f"/random?image={name}").json["cars"][0]["image"])
    urls.append(client.post(f"/interpolate?image={name}&steps=2", json=ends).json["frames"][1]["image"])
    urls.append(client.post(f"/decode?image={name}", json={"latents": [rebuilt["latent"]]}).json["images"][0])
    for url in urls:
        head, _, data = url.partition(";base64,")
        assert head == f"data:image/{name}"
        assert opened(base64.b64decode(data)).format == form


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "application/octet-stream"])
def test_a_raw_body_is_an_upload_too(client: FlaskClient, car_png: bytes, content_type: str) -> None:
    raw = client.post("/encode", data=car_png, content_type=content_type)
    assert raw.json == post(client, "/encode", image=car_png).json


def test_encode_decode_is_reconstruct(client: FlaskClient, car_png: bytes) -> None:
    rebuilt = post(client, "/reconstruct", image=car_png).json
    code = post(client, "/encode", image=car_png).json
    assert code["mean"] == rebuilt["latent"]
    assert code["log_variance"] == [-4] * LATENT
    assert (code["width"], code["height"]) == (32, 21)
    square = from_data_url(client.post("/decode", json={"latents": [code["mean"]]}).json["images"][0])
    assert square.crop((0, 5, 32, 26)).tobytes() == from_data_url(rebuilt["reconstruction"]).tobytes()


def test_latents_survive_json_exactly(client: FlaskClient, car_png: bytes) -> None:
    mean = post(client, "/encode", image=car_png).json["mean"]
    assert [float(str(np.float32(value))) for value in mean] == mean


@pytest.mark.parametrize("accept", ["application/json", "image/png", "image/webp"])
def test_a_seed_gives_the_same_bytes_each_time(client: FlaskClient, accept: str) -> None:
    first, second = (client.get("/random?count=4&seed=7", headers={"Accept": accept}) for _ in range(2))
    assert first.data == second.data
    assert first.headers["Carvae-Seed"] == "7"


def test_count_never_changes_the_cars_already_seen(client: FlaskClient) -> None:
    many = client.get("/random?count=9&seed=123456789012").json["cars"]
    for count in (1, 2, 5):
        assert client.get(f"/random?count={count}&seed=123456789012").json["cars"] == many[:count]
    assert len({car["image"] for car in many}) == 9
    assert [car["index"] for car in many] == list(range(9))


@pytest.mark.parametrize(("first", "count"), [(0, 9), (3, 2), (8, 1)])
def test_a_range_of_a_seeds_cars_is_cut_from_all_of_them(client: FlaskClient, first: int, count: int) -> None:
    many = client.get("/random?count=9&seed=7").json["cars"]
    assert client.get(f"/random?first={first}&count={count}&seed=7").json["cars"] == many[first : first + count]


def test_the_last_cars_of_a_seed_are_cars_of_their_own_and_ends_of_a_morph(client: FlaskClient) -> None:
    cars = client.get(f"/random?first={2**32 - 64}&count=64&seed=7").json["cars"]
    assert cars[-1]["index"] == 2**32 - 1
    assert len({car["image"] for car in cars}) == 64
    ends = {"start": {"seed": 7, "index": 2**32 - 1}, "end": {"seed": 7, "index": 0}}
    assert client.post("/interpolate?steps=2", json=ends).json["frames"][0]["image"] == cars[-1]["image"]


def test_without_a_seed_each_request_draws_its_own_and_says_it(client: FlaskClient) -> None:
    answers = [client.get("/random") for _ in range(3)]
    seeds = [answer.json["seed"] for answer in answers]
    assert len(set(seeds)) == 3
    for answer, seed in zip(answers, seeds, strict=True):
        assert answer.headers["Carvae-Seed"] == str(seed)
        assert 0 <= seed < 2**53
        assert client.get(f"/random?seed={seed}").json == answer.json


def test_temperature_zero_draws_one_car(client: FlaskClient) -> None:
    body = client.get("/random?count=3&seed=1&temperature=0").json
    assert body["temperature"] == 0
    assert len({car["image"] for car in body["cars"]}) == 1


@pytest.mark.parametrize("method", ["lerp", "slerp"])
def test_a_morph_of_two_pictures_ends_in_their_decodes(client: FlaskClient, car_png: bytes, method: str) -> None:
    other = png(drawings.car(9))
    body = post(client, f"/interpolate?steps=5&method={method}", start=car_png, end=other).json
    assert (body["method"], body["steps"]) == (method, 5)
    assert [frame["lambda"] for frame in body["frames"]] == [0, 0.25, 0.5, 0.75, 1]
    latents = [post(client, "/encode", image=image).json["mean"] for image in (car_png, other)]
    assert [body["start"]["latent"], body["end"]["latent"]] == latents
    decoded = client.post("/decode", json={"latents": latents}).json["images"]
    assert [body["frames"][0]["image"], body["frames"][-1]["image"]] == decoded


def test_a_morph_of_drawn_cars_ends_in_them(client: FlaskClient) -> None:
    cars = client.get("/random?count=3&seed=5").json["cars"]
    cool = client.get("/random?count=1&seed=5&temperature=0.5").json["cars"][0]
    ends = [
        ({"seed": 5, "index": 2}, cars[2]),
        ({"latent": cars[1]["latent"]}, cars[1]),
        ({"seed": 5.0, "index": 0, "temperature": 0.5}, cool),
    ]
    for (start, first), (end, last) in itertools.pairwise(ends):
        frames = client.post("/interpolate?steps=3", json={"start": start, "end": end}).json["frames"]
        assert [frames[0]["image"], frames[-1]["image"]] == [first["image"], last["image"]]


@pytest.mark.parametrize(
    ("form", "name", "frames", "size"),
    [
        ("image/png", "PNG", 1, (6 * 36 - 4, 32)),
        ("image/gif", "GIF", 6, (32, 32)),
        ("image/webp", "WEBP", 6, (32, 32)),
    ],
)
def test_a_morph_as_strip_or_animation(
    client: FlaskClient, form: str, name: str, frames: int, size: tuple[int, int]
) -> None:
    ends = {"start": {"seed": 1, "index": 0}, "end": {"seed": 1, "index": 1}}
    answer = client.post("/interpolate?steps=6", json=ends, headers={"Accept": form})
    image = opened(answer.data)
    assert answer.content_type == form
    assert (image.format, getattr(image, "n_frames", 1), image.size) == (name, frames, size)


def test_timings_are_told_and_a_cold_start_once(
    start_app: t.Callable[..., Flask], bundle: Path, car_png: bytes
) -> None:
    client = start_app(bundle).test_client()
    assert "Server-Timing" not in client.get("/health").headers
    first, second = (post(client, "/reconstruct", image=car_png).headers["Server-Timing"] for _ in range(2))
    assert 'cold;desc="cold start";dur=' in first
    assert "cold" not in second
    for name in ("decode", "model", "encode"):
        assert f"{name};dur=" in second


def test_a_greyscale_model_is_served_too(start_app: t.Callable[..., Flask], tmp_path: Path, car_png: bytes) -> None:
    client = start_app(bundles.make(tmp_path / "grey", channels=1)).test_client()
    body = post(client, "/reconstruct", image=car_png).json
    assert from_data_url(body["reconstruction"]).mode == "L"
    for form in ("image/png", "image/webp", "image/jpeg"):
        assert opened(client.get("/random?count=2", headers={"Accept": form}).data).height == 32
    ends = {"start": {"seed": 1, "index": 0}, "end": {"seed": 1, "index": 1}}
    for form in ("image/png", "image/webp", "image/gif"):
        assert client.post("/interpolate", json=ends, headers={"Accept": form}).status_code == 200


def test_an_answer_fits_into_lambdas_six_megabytes(client: FlaskClient) -> None:
    assert len(client.get("/random?count=64").data) * 4 / 3 < 6_000_000


def test_the_description_is_served(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    assert answer.content_type == "application/json"
    assert json.loads(answer.data)["openapi"].startswith("3.1")


def test_directions_move_a_car_as_they_say(client: FlaskClient) -> None:
    body = client.get("/directions").json
    lightness, height = body["directions"]
    assert (lightness["name"], lightness["sd"], lightness["mean"]) == ("lightness", 4, pytest.approx(LATENT**0.5 / 2))
    assert np.dot(lightness["vector"], height["vector"]) == pytest.approx(0, abs=1e-6)
    start = np.full(LATENT, 0.5)
    images = client.post(
        "/decode", json={"latents": [start.tolist(), (start + np.multiply(lightness["vector"], 4)).tolist()]}
    ).json["images"]
    grey, lighter = (np.asarray(from_data_url(image), float) / 255 for image in images)
    assert lighter.mean() - grey.mean() == pytest.approx(4 / LATENT**0.5, abs=0.01)


def test_the_eight_widest_directions_are_told(start_app: t.Callable[..., Flask], own_bundle: Path) -> None:
    bundles.edit_manifest(own_bundle, directions=[bundles.lightness(LATENT)] * 9)
    assert len(start_app(own_bundle).test_client().get("/directions").json["directions"]) == 8


def test_a_model_without_directions_has_none(start_app: t.Callable[..., Flask], own_bundle: Path) -> None:
    bundles.edit_manifest(own_bundle, directions=None)
    assert start_app(own_bundle).test_client().get("/directions").json["directions"] == []


@pytest.mark.parametrize("form", ["image/gif", "image/webp"])
def test_an_animation_goes_back_to_its_start_where_that_is_wanted(client: FlaskClient, form: str) -> None:
    ends = {"start": {"seed": 1, "index": 0}, "end": {"seed": 1, "index": 1}}

    def frames(query: str) -> list[t.Any]:
        answer = client.post(f"/interpolate?steps=4{query}", json=ends, headers={"Accept": form})
        return [np.asarray(frame.convert("RGB"), float) for frame in ImageSequence.Iterator(opened(answer.data))]

    there, back = frames(""), frames("&back=true")
    assert (len(there), len(back)) == (4, 6)
    assert np.abs(back[4] - back[2]).mean() < 2
    assert np.abs(back[5] - back[1]).mean() < 2
