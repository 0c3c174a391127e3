"""What goes back: the form that Accept chooses, JSON and images."""

import json
import typing as t

from flask import Response, request

from .errors import Problem, short
from .latents import Array

JSON = "application/json"

#: Most bytes of an answer as Lambda sends it: its 6 MB (of 1024 x 1024 bytes) less room for headers and escapes.
MAX_ANSWER = 6_000_000


def choose(*forms: str) -> str:
    """Choose among `forms`, best first, by the request's Accept header; without one it is the first.

    Raises
    ------
    Problem
        406, if the client takes none of them.
    """
    accept = request.accept_mimetypes
    if not accept:
        return forms[0]
    named = {value.lower() for value in accept.values()}
    # Of two equally welcome forms, one that is named goes before one that only a wildcard covers.
    best = max(forms, key=lambda form: (accept.quality(form), form in named))
    if accept.quality(best) <= 0:
        offered = ", ".join(forms)
        got = request.headers.get("Accept", "")
        raise Problem(406, f"{short(request.path)} answers as {offered}", parameter="Accept", value=got)
    return best


def as_json(body: dict[str, t.Any], status: int = 200) -> Response:
    """Answer with compact JSON."""
    # NaN is not valid JSON. Arrays are checked where they are computed, so a NaN here is a bug.
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    return Response(text + "\n", status, content_type=JSON)


def numbers(row: Array) -> list[float]:
    """List float32 numbers with just enough digits to tell them apart, half as many as float64 would need."""
    return [float(str(value)) for value in row]


def check_size(response: Response) -> None:
    """Refuse an answer that Lambda would not let through: JSON goes as it is, all else as base64.

    Raises
    ------
    Problem
        422, if it is larger than `MAX_ANSWER`.
    """
    size = len(response.data)
    smaller = "image=webp"
    if response.mimetype != JSON:
        size, smaller = 4 * -(-size // 3), "Accept: image/webp"
    if size > MAX_ANSWER:
        detail = (
            f"the answer would have {size / 1e6:.1f} MB; at most {MAX_ANSWER / 1e6:.1f} MB can be sent: "
            f"ask for fewer cars or steps, a smaller size, or {smaller}"
        )
        raise Problem(422, detail, parameter="size", value=f"{size} bytes")
