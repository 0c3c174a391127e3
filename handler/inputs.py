"""Reads and checks a request: query, JSON body, uploads. Every mistake becomes a `Problem` that names it."""

import dataclasses
import json
import math
import re
import typing as t
from collections.abc import Iterable

import numpy as np
from flask import request

from .errors import Problem, short
from .latents import MAX_INDEX, MAX_SEED, Array

#: Most cars, latents or images in one request.
MAX_COUNT = 64

#: Larger latents than this come from no encoder, and their squares leave float32.
MAX_LATENT = 1e6

_NUMBER = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,4})?|[+-]?(inf|nan)", re.ASCII)

Number = t.TypeVar("Number", int, float)


@dataclasses.dataclass(frozen=True)
class Photograph:
    """An end of an interpolation that was uploaded, as the bytes of field `field`."""

    field: str
    data: bytes


@dataclasses.dataclass(frozen=True)
class Latent:
    """An end that is a latent, ``(1, D)``."""

    values: Array


@dataclasses.dataclass(frozen=True)
class DrawnCar:
    """A car of ``/random``: seed 0 to `MAX_SEED`, index 0 to `MAX_INDEX`, temperature 0 to 2."""

    seed: int
    index: int
    temperature: float


End: t.TypeAlias = Photograph | Latent | DrawnCar


def check_query(*known: str) -> None:
    """Refuse unknown and repeated query parameters: a misspelt one would otherwise be silently ignored."""
    for name, values in request.args.lists():
        if name not in known:
            expected = f"expected {', '.join(known)}" if known else f"{short(request.path)} accepts none"
            raise Problem(400, f"unknown query parameter; {expected}", parameter=name[:80], value=values[0])
        if len(values) > 1:
            raise Problem(400, f"{name} is given {len(values)} times", parameter=name, value=", ".join(values))


def integer(name: str, low: int, high: int, default: int) -> int:
    """Read an integer query parameter from `low` to `high`."""
    text = request.args.get(name)
    if text is None:
        return default
    # The length is bounded because reading an integer takes quadratic time.
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text):
        raise Problem(400, f"{name} must be an integer from {low} to {high}", parameter=name, value=text)
    return _in_range(name, int(text), low, high)


def number(name: str, low: float, high: float, default: float) -> float:
    """Read a real query parameter from `low` to `high`."""
    text = request.args.get(name)
    if text is None:
        return default
    # float() takes the digits of every script, underscores and spaces, which integer() refuses.
    if not _NUMBER.fullmatch(text):
        raise Problem(400, f"{name} must be a number from {low:g} to {high:g}", parameter=name, value=text)
    return _in_range(name, float(text), low, high)


def choice(name: str, options: Iterable[str]) -> str:
    """Read a query parameter that is one of `options`; the first is the default."""
    options = tuple(options)
    text = request.args.get(name, options[0])
    if text not in options:
        raise Problem(422, f"{name} must be one of {', '.join(options)}", parameter=name, value=text)
    return text


def upload(field: str) -> bytes:
    """Read an image from multipart field `field`, or from the raw body."""
    if request.mimetype == "multipart/form-data":
        return form_file(field)
    if request.mimetype.startswith("image/") or request.mimetype in ("application/octet-stream", ""):
        data = request.get_data(cache=False)
        if not data:
            raise Problem(400, f"no image: send it as multipart field {field!r} or as the body", parameter=field)
        return data
    raise _wrong_type("multipart/form-data, image/* or application/octet-stream")


def form_file(field: str) -> bytes:
    """Read one file of a multipart form."""
    files = request.files.getlist(field)
    if not files:
        if field in request.form:
            raise Problem(400, f"field {field!r} is text; send a file in it", parameter=field)
        got = ", ".join(sorted({name[:40] for name in (*request.files, *request.form) if name})[:8]) or "no fields"
        raise Problem(400, f"field {field!r} is missing; the form has {got}", parameter=field)
    if len(files) > 1:
        raise Problem(400, f"field {field!r} holds {len(files)} files; send one", parameter=field)
    data: bytes = files[0].read()
    if not data:
        raise Problem(400, f"the file in field {field!r} is empty", parameter=field)
    return data


def json_object(*known: str) -> dict[str, t.Any]:
    """Read the body as a JSON object that has exactly the fields `known`."""
    if not request.is_json:
        raise _wrong_type("application/json")
    try:
        body = json.loads(request.get_data(cache=False), object_pairs_hook=_no_name_twice)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    return _object("body", body, required=known)


def _no_name_twice(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    """An object; JSON lets the last of two values of one name win, without a word."""
    values: dict[str, t.Any] = {}
    for name, value in pairs:
        if name in values:
            raise Problem(400, "a name is given twice in an object", parameter=name[:80])
        values[name] = value
    return values


def ends(dim: int) -> tuple[End, End]:
    """Read start and end of an interpolation, from a form with two images or from JSON; a latent has `dim` numbers."""
    if request.mimetype == "multipart/form-data":
        return Photograph("start", form_file("start")), Photograph("end", form_file("end"))
    body = json_object("start", "end")
    return _end("start", body["start"], dim), _end("end", body["end"], dim)


def _end(field: str, value: object, dim: int) -> Latent | DrawnCar:
    if isinstance(value, dict) and "latent" in value:
        return Latent(vector(f"{field}.latent", _object(field, value, required=("latent",))["latent"], dim))
    values = _object(field, value, required=("seed", "index"), optional=("temperature",))
    seed = _json_integer(f"{field}.seed", values["seed"], 0, MAX_SEED)
    index = _json_integer(f"{field}.index", values["index"], 0, MAX_INDEX)
    temperature = values.get("temperature", 1)
    if not _is_number(temperature):
        raise Problem(400, "temperature must be a number", parameter=f"{field}.temperature", value=temperature)
    return DrawnCar(seed, index, float(_in_range(f"{field}.temperature", temperature, 0, 2)))


def vectors(field: str, value: object, dim: int) -> Array:
    """Check a list of 1 to `MAX_COUNT` latents; returns ``(N, D)``."""
    if not isinstance(value, list):
        raise Problem(400, f"{field} must be a list of latents", parameter=field, value=value)
    if not 1 <= len(value) <= MAX_COUNT:
        detail = f"{field} has {len(value)} latents; 1 to {MAX_COUNT} are accepted"
        raise Problem(422, detail, parameter=field, value=len(value))
    return np.concatenate([vector(f"{field}[{index}]", row, dim) for index, row in enumerate(value)])


def vector(field: str, value: object, dim: int) -> Array:
    """Check one latent of `dim` finite numbers; returns ``(1, D)``."""
    if not isinstance(value, list):
        raise Problem(400, f"{field} must be a list of {dim} numbers", parameter=field, value=value)
    if len(value) != dim:
        detail = f"{field} has {len(value)} numbers; this model's latents have {dim}"
        raise Problem(422, detail, parameter=field, value=len(value))
    for index, each in enumerate(value):
        if not _is_number(each):
            raise Problem(400, "a latent holds numbers only", parameter=f"{field}[{index}]", value=each)
        _in_range(f"{field}[{index}]", each, -MAX_LATENT, MAX_LATENT)
    return np.array([value], np.float32)


def _object(field: str, value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise Problem(400, f"{field} must be an object with {', '.join(required)}", parameter=field, value=value)
    for name in required:
        if name not in value:
            raise Problem(400, f"{name!r} is missing in {field}", parameter=name)
    for name in value:
        if name not in required + optional:
            known = ", ".join(required + optional)
            raise Problem(400, f"{field} has an unknown field; expected {known}", parameter=name[:80])
    return value


def _json_integer(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number: 7.0 is an integer
    if not isinstance(value, int) or isinstance(value, bool):
        raise Problem(400, f"{name} must be an integer from {low} to {high}", parameter=name, value=value)
    return _in_range(name, value, low, high)


def _is_number(value: object) -> t.TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _in_range(name: str, value: Number, low: float, high: float) -> Number:
    if isinstance(value, float) and math.isnan(value):
        raise Problem(422, f"{name} is not a number", parameter=name, value="NaN")
    if not low <= value <= high:
        raise Problem(422, f"{name} must be from {low:.16g} to {high:.16g}", parameter=name, value=value)
    return value


def _wrong_type(expected: str) -> Problem:
    got = request.mimetype or "no Content-Type"
    return Problem(415, f"expected {expected}, got {got[:80]}", parameter="Content-Type", value=got)
