"""The API's routes that need the model."""

import math
import os
import secrets
import typing as t

import numpy as np
from flask import Blueprint, Flask, Response, current_app, g, request

from . import admission, errors, images, inputs, middleware, plausibility, share, status
from .answers import JSON, as_json, check_size, choose, numbers
from .errors import Problem
from .latents import MAX_INDEX, MAX_SEED, METHODS, Array, noise
from .loading import Loader, Model, NoModel
from .middleware import timed
from .settings import Settings

#: Largest request body: what is left of Lambda's 6 MB after base64.
MAX_BODY = 4_500_000

#: Largest ``first``: even the largest ``count`` from there stays within a seed's indices.
MAX_FIRST = MAX_INDEX - inputs.MAX_COUNT + 1

#: Most directions in an answer: nobody can use more sliders than that.
MAX_DIRECTIONS = 8

api = Blueprint("api", __name__)


def create_app(settings: Settings | None = None, loader: Loader | None = None) -> Flask:
    """Make the app and start loading its model.

    Parameters
    ----------
    settings : Settings, optional
        Default: from the environment.
    loader : Loader, optional
        One that has started already, whose settings count.

    Raises
    ------
    handler.settings.SettingsError
        If the environment is wrong.
    """
    loader = loader or Loader(settings or Settings.from_environment(os.environ))
    settings = loader.settings
    app = Flask("carvae", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.extensions["carvae"] = loader
    errors.install(app)
    middleware.install(app, settings.origins)
    app.extensions["carvae-gate"] = admission.install(app, settings, _needs_model)
    app.register_blueprint(status.status)
    app.register_blueprint(api)
    app.register_blueprint(share.share)
    return app


@api.post("/reconstruct")
def reconstruct() -> Response:
    """Rebuild an uploaded car from its latent."""
    form = choose(JSON, *images.FORMS)
    inputs.check_query("image", "size")
    inline, side = _inline(), _side()
    data = inputs.upload("image")
    model = _model()
    upload = _read(data, model, "image")
    with timed("model"):
        mean, log_variance = model.engine.encode(upload.pixels)
        decoded = _decode(model, mean)[0]
        rebuilt = upload.crop(decoded)
    with timed("encode"):
        if form != JSON:
            return _answer(images.encode(images.picture(rebuilt, side), form), form, model)
        original = upload.crop(upload.pixels[0])
        mse = float(np.mean((original - np.clip(rebuilt, 0, 1)) ** 2))
        body: dict[str, t.Any] = {
            "width": upload.width,
            "height": upload.height,
            "original": images.data_url(images.picture(original, side), inline),
            "reconstruction": images.data_url(images.picture(rebuilt, side), inline),
            "mse": mse,
            "psnr": -10 * math.log10(max(mse, 1e-10)),  # a perfect copy would be infinite, which JSON lacks
            "latent": numbers(mean[0]),
        }
        if known := model.manifest.plausibility:
            away = plausibility.distance(known, mean, log_variance, upload.pixels[0], decoded)
            body["plausibility"] = {"distance": away, "threshold": known.threshold, "car": away <= known.threshold}
        return _answer(body, form, model)


@api.get("/random")
def random() -> Response:
    """Draw cars that never existed."""
    form = choose(JSON, *images.FORMS)
    inputs.check_query("count", "first", "seed", "temperature", "image", "size", "latents")
    inline, side = _inline(), _side()
    with_latents = inputs.choice("latents", ("true", "false")) == "true"
    count = inputs.integer("count", 1, inputs.MAX_COUNT, 1)
    first = inputs.integer("first", 0, MAX_FIRST, 0)
    # Drawn by the operating system: other copies may have restored a generator's state from the same snapshot.
    seed = inputs.integer("seed", 0, MAX_SEED, secrets.randbelow(MAX_SEED + 1))
    temperature = inputs.number("temperature", 0, 2, 1)
    model = _model(to_draw=True)
    with timed("model"):
        drawn = [inputs.DrawnCar(seed, index, temperature) for index in range(first, first + count)]
        latents = np.concatenate([_draw(model, car) for car in drawn])
        cars = _decode(model, latents)
    with timed("encode"):
        pictures = [images.picture(car, side) for car in cars]
        if form == JSON:
            listed: list[dict[str, t.Any]] = [
                {"index": car.index, "image": images.data_url(picture, inline)}
                for car, picture in zip(drawn, pictures, strict=True)
            ]
            if with_latents:
                for car, latent in zip(listed, latents, strict=True):
                    car["latent"] = numbers(latent)
            response = _answer({"seed": seed, "temperature": temperature, "cars": listed}, form, model)
        else:
            response = _answer(images.encode(images.grid(pictures), form), form, model)
    response.headers["Carvae-Seed"] = str(seed)
    # With a seed, the same model draws the same cars. A browser must ask again, because it can't know whether the model
    # has changed. A shared cache in front need not, because a deployment clears it.
    response.headers["Cache-Control"] = "public, max-age=0, s-maxage=86400" if "seed" in request.args else "no-store"
    return response


@api.post("/interpolate")
def interpolate() -> Response:
    """Morph one car into another."""
    form = choose(JSON, "image/png", "image/webp", "image/gif")
    inputs.check_query("steps", "method", "image", "size", "back")
    inline, side = _inline(), _side()
    steps = inputs.integer("steps", 2, 32, 8)
    method = inputs.choice("method", METHODS)
    back = inputs.choice("back", ("false", "true")) == "true"
    model = _model(to_draw=True)
    start, end = inputs.ends(model.manifest.latent_dim)
    ends = _latent(model, start), _latent(model, end)
    shares = np.linspace(0, 1, steps)
    with timed("model"):
        frames = _decode(model, np.concatenate([METHODS[method](*ends, float(share)) for share in shares]))
    with timed("encode"):
        pictures = [images.picture(frame, side) for frame in frames]
        if form == "image/png":
            return _answer(images.encode(images.grid(pictures, columns=steps), form), form, model)
        if form != JSON:
            return _answer(images.animate(pictures + pictures[-2:0:-1] * back, form), form, model)
        body = {
            "method": method,
            "steps": steps,
            "frames": [
                {"lambda": float(share), "image": images.data_url(frame, inline)}
                for share, frame in zip(shares, pictures, strict=True)
            ],
            "start": {"latent": numbers(ends[0][0])},
            "end": {"latent": numbers(ends[1][0])},
        }
        return _answer(body, form, model)


@api.post("/encode")
def encode() -> Response:
    """Turn an uploaded car into its latent."""
    choose(JSON)
    inputs.check_query()
    data = inputs.upload("image")
    model = _model()
    upload = _read(data, model, "image")
    with timed("model"):
        mean, log_variance = model.engine.encode(upload.pixels)
    body = {
        "mean": numbers(mean[0]),
        "log_variance": numbers(log_variance[0]),
        "width": upload.width,
        "height": upload.height,
    }
    return _answer(body, JSON, model)


@api.post("/decode")
def decode() -> Response:
    """Turn latents into cars."""
    form = choose(JSON, *images.FORMS)
    inputs.check_query("image", "size")
    inline, side = _inline(), _side()
    body = inputs.json_object("latents")
    model = _model(to_draw=True)
    latents = inputs.vectors("latents", body["latents"], model.manifest.latent_dim)
    with timed("model"):
        cars = _decode(model, latents)
    with timed("encode"):
        pictures = [images.picture(car, side) for car in cars]
        if form == JSON:
            return _answer({"images": [images.data_url(car, inline) for car in pictures]}, form, model)
        return _answer(images.encode(images.grid(pictures), form), form, model)


@api.get("/directions")
def directions() -> Response:
    """List the ways along which cars differ most."""
    choose(JSON)
    inputs.check_query()
    model = _model(to_draw=True)
    widest = model.manifest.directions[:MAX_DIRECTIONS]
    listed = [
        {"name": each.name, "sd": each.sd, "mean": each.mean, "vector": numbers(np.array(each.vector, np.float32))}
        for each in widest
    ]
    return _answer({"directions": listed}, JSON, model)


@api.get("/car/<reference>/preview")
def preview(reference: str) -> Response:
    """Draw one seeded car in the shape of a preview."""
    form = choose("image/jpeg")
    inputs.check_query()
    car = share.check(reference)
    model = _model(to_draw=True)
    with timed("model"):
        drawn = _decode(model, _draw(model, car))
    with timed("encode"):
        response = _answer(images.encode(share.card(drawn[0]), form), form, model)
    response.headers["Cache-Control"] = f"public, max-age={share.KEPT_S}"
    return response


def _needs_model() -> bool:
    endpoint = request.endpoint
    if endpoint is None or request.method == "OPTIONS":
        return False
    return endpoint != "share.page" and request.blueprint != status.status.name


def _loader() -> Loader:
    return t.cast(Loader, current_app.extensions["carvae"])


def _model(to_draw: bool = False) -> Model:
    """The model, or a 503; the first request that gets it also reports the time of the cold start.

    With ``to_draw``, the model may still lack its encoder.
    """
    loader = _loader()
    try:
        model = loader.get(to_draw)
    except NoModel as error:
        raise Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}) from None
    if loader.cold:
        loader.cold = False
        g.timings["cold"] = model.seconds * 1000
    return model


def _inline() -> str:
    """What images inside JSON are to be encoded with."""
    return images.INLINE[inputs.choice("image", images.INLINE)]


def _side() -> int:
    """Longest side that pictures are to have, in pixels."""
    return inputs.integer("size", images.MIN_ANSWER_SIDE, images.MAX_ANSWER_SIDE, images.MAX_ANSWER_SIDE)


def _read(data: bytes, model: Model, field: str) -> images.Upload:
    with timed("decode"):
        gate: admission.Gate = current_app.extensions["carvae-gate"]
        return images.read(data, model.manifest.image_size, model.manifest.channels, field, gate.alone)


def _draw(model: Model, car: inputs.DrawnCar) -> Array:
    """The car's latent, ``(1, D)``."""
    return model.engine.prior(np.float32(car.temperature) * noise(car.seed, car.index, model.manifest.noise_dim))


def _decode(model: Model, latents: Array) -> Array:
    decoded = model.engine.decode(latents)
    if not np.isfinite(decoded).all():
        raise Problem(422, "these latents are so far from any car that the model's answer is not a number")
    return decoded


def _latent(model: Model, end: inputs.End) -> Array:
    """The latent, ``(1, D)``, of one end of an interpolation."""
    match end:
        case inputs.Photograph():
            model = _model()  # with its encoder
            upload = _read(end.data, model, end.field)
            with timed("model"):
                return model.engine.encode(upload.pixels)[0]
        case inputs.DrawnCar():
            return _draw(model, end)
        case inputs.Latent():
            return end.values


def _answer(body: bytes | dict[str, t.Any], form: str, model: Model) -> Response:
    version = model.manifest.version
    if isinstance(body, bytes):
        response = Response(body, content_type=form)
    else:
        response = as_json({"model_version": version} | body)
    check_size(response)
    response.headers["Carvae-Model-Version"] = version
    response.vary.add("Accept")
    return response
