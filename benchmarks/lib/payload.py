"""What requests carry: a drawn photograph of 640 x 480 as JPEG, as a form and as an API Gateway event."""

import base64
import io
import json
import pathlib
import typing as t

from model.data import drawings

_EVENTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "emulated" / "events"
BOUNDARY = "carvae-benchmark"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def photograph(width: int = 640, height: int = 480, seed: int = 1) -> bytes:
    """A JPEG, about 20 kB."""
    buffer = io.BytesIO()
    drawings.car(seed, width, height).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def form(data: bytes) -> bytes:
    """A form with the photograph in its field ``image``, of type `FORM_TYPE`."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="car.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def reconstruct_event(data: bytes) -> dict[str, t.Any]:
    """An event of ``POST /reconstruct`` that asks for a PNG."""
    event: dict[str, t.Any] = json.loads((_EVENTS / "v1-reconstruct-raw.json").read_text())
    return event | {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}


def random_event(count: int, form: str = "image/png") -> dict[str, t.Any]:
    """An event of ``GET /random``."""
    event: dict[str, t.Any] = json.loads((_EVENTS / "v1-random.json").read_text())
    headers = {name: value for name, value in event["headers"].items() if name.lower() != "accept"}
    query = {"count": str(count), "seed": "7"}
    multi = {name: [value] for name, value in headers.items()} | {"Accept": [form]}
    return event | {
        "headers": headers | {"Accept": form},
        "multiValueHeaders": multi,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
    }
