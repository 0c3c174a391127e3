"""The API's routes that need no model: what this is, whether it is ready, how it is called."""

import os
import typing as t
from pathlib import Path

from flask import Blueprint, Response, current_app

from . import admission
from .answers import JSON, as_json
from .loading import Loader, Model

#: Seconds for which ``/health`` remembers that requests were refused.
REFUSALS_S = 10

#: Seconds that ``/health`` waits for an encoder that is being loaded: on Lambda the first request may come before it is
#: there, and a check is not to count that as a failure.
ENCODER_S = 2.0

OPENAPI = Path(__file__).parent.parent / "static" / "openapi.json"

status = Blueprint("status", __name__)


@status.get("/")
def discover() -> Response:
    """Say what this is and where everything else is."""
    loader: Loader = current_app.extensions["carvae"]
    loader.retry_if_due()
    names = ("health", "openapi.json", "reconstruct", "random", "interpolate", "encode", "decode", "directions")
    return as_json(
        {
            "name": "carvae",
            "model": _described(loader.model, "name", "version"),
            "links": {name.removesuffix(".json"): f"/{name}" for name in names},
        }
    )


@status.get("/health")
def health() -> Response:
    """Tell whether there is a model: 200 when there is, else 503; asking may start another attempt to load it."""
    loader: Loader = current_app.extensions["carvae"]
    loader.retry_if_due()
    if loader.drawing and not loader.model:
        loader.wait(ENCODER_S)
    state, detail = loader.state, loader.detail
    gate: admission.Gate = current_app.extensions["carvae-gate"]
    if state == "ready" and gate.refused_within(REFUSALS_S):
        state, detail = "degraded", "more requests come than can be answered; some are refused"
    body: dict[str, t.Any] = {
        "status": state,
        "engine": loader.settings.engine,
        "model": _described(loader.model, "name", "version", "image_size", "latent_dim"),
    }
    if detail:
        body["detail"] = detail
    # A deployment waits for it.
    if version := os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"):
        body["function_version"] = version
    if loader.model:
        return as_json(body)
    response = as_json(body, 503)
    response.headers["Retry-After"] = str(loader.retry_after())
    return response


@status.get("/openapi.json")
def openapi() -> Response:
    """Describe this API."""
    return Response(OPENAPI.read_bytes(), content_type=JSON)


def _described(model: Model | None, *fields: str) -> dict[str, t.Any] | None:
    return {field: getattr(model.manifest, field) for field in fields} if model else None
