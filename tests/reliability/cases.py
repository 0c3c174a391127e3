"""Hostile requests, drawn from a seed: pictures changed in many ways, forms, JSON, queries, headers."""

import functools
import json
import random
import typing as t

from . import mutations, pictures, server, wire
from .case import Case

UPLOADS = ("/reconstruct", "/encode")
JSON_ROUTES = ("/decode", "/interpolate")
ACCEPTS = ("application/json", "image/png", "image/webp", "image/jpeg", "*/*")
BOUNDARY = "x" * 30

#: Numbers at and beyond every border.
NUMBERS = (
    0,
    -1,
    1,
    2,
    63,
    64,
    65,
    2**31,
    2**53 - 1,
    2**53,
    2**63,
    2**64,
    10**40,
    1e-320,
    1e6,
    1.0000001e6,
    1e308,
    -0.0,
)


def draw(seed: int, number: int, latent_dim: int) -> Case:
    """Case `number` of `seed`, always the same, for a model of `latent_dim`."""
    dice = random.Random(f"{seed}/{number}")
    kinds = (
        _picture,
        _form,
        _json,
        _query,
        _headers,
        _long_header,
        _bomb,
        wire.draw,
        wire.first_line,
        wire.page,
        _good,
    )
    (kind,) = dice.choices(kinds, (45, 10, 13, 9, 6, 4, 2, 3, 2, 2, 4))
    return kind(dice, latent_dim)


def post(path: str, body: bytes, kind: str, accept: str = "application/json", **more: str) -> bytes:
    """The bytes of a POST."""
    return server.request("POST", path, {"Content-Type": kind, "Accept": accept, **more}, body)


def part(name: str, data: bytes, file: str | None = "car.jpg", extra: str = "") -> bytes:
    """One part of a form."""
    disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{extra}\r\n".encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def _sent(dice: random.Random, data: bytes, name: str, expected: frozenset[int] = frozenset()) -> Case:
    """An upload by one of the ways there are."""
    path, accept = dice.choice(UPLOADS), dice.choice(ACCEPTS)
    if path == "/encode":
        accept = "application/json"
    if dice.random() < 0.5:
        return Case(name, "POST", path, post(path, data, "application/octet-stream", accept), expected)
    if dice.random() < 0.9:
        return Case(name, "POST", path, post(path, form(part("image", data)), FORM, accept), expected)
    both = form(part("start", data), part("end", data))
    return Case(name, "POST", "/interpolate", post("/interpolate?steps=2", both, FORM), expected)


def _good(dice: random.Random, _: int) -> Case:
    name = dice.choice(list(pictures.GOOD))
    return _sent(dice, pictures.good(name), f"good {name}", frozenset({200}))


def _bomb(dice: random.Random, _: int) -> Case:
    name = dice.choice(list(pictures.BOMBS))
    data, path = pictures.bomb(name), dice.choice(UPLOADS)
    return Case(name, "POST", path, post(path, data, "application/octet-stream"))


def _picture(dice: random.Random, _: int) -> Case:
    name = dice.choice(list(pictures.GOOD))
    data = bytearray(pictures.good(name))
    change = dice.choice(mutations.ALL)
    for _ in range(dice.choice((1, 1, 2, 5))):
        data = change(dice, data)
    return _sent(dice, bytes(data), f"{name}, {change.__name__}")


def _form(dice: random.Random, _: int) -> Case:
    path = dice.choice((*UPLOADS, "/interpolate"))
    image = pictures.good("jpeg")
    bodies: dict[str, tuple[bytes, str]] = {
        "wrong boundary": (form(part("image", image)), FORM.replace("x", "y")),
        "no boundary": (form(part("image", image)), "multipart/form-data"),
        "empty boundary": (form(part("image", image)), "multipart/form-data; boundary="),
        "boundary of 900": (form(part("image", image)), "multipart/form-data; boundary=" + "x" * 900),
        "a thousand files": (form(*(part(f"f{index}", b"x") for index in range(1000))), FORM),
        "two thousand files": (form(*(part(f"f{index}", b"x") for index in range(2000))), FORM),
        "a thousand of one name": (form(*[part("image", image[:99])] * 1000), FORM),
        "no names": (form(part("image", image).replace(b' name="image";', b"")), FORM),
        "empty name": (form(part("", image)), FORM),
        "duplicate field": (form(part("image", image), part("image", image)), FORM),
        "text field": (form(part("image", image, None)), FORM),
        "long name": (form(part("n" * 60_000, image)), FORM),
        "long file name": (form(part("image", image, "../" * 10_000)), FORM),
        "huge part header": (form(part("image", image, extra="X-A: " + "a" * 100_000 + "\r\n")), FORM),
        "many part headers": (form(part("image", image, extra="X-A: a\r\n" * 20_000)), FORM),
        "no end": (part("image", image), FORM),
        "no start": (image + f"\r\n--{BOUNDARY}--".encode(), FORM),
        "only an end": (form(), FORM),
        "nothing": (b"", FORM),
        "bare newlines": (form(part("image", image)).replace(b"\r\n", b"\n"), FORM),
        "nested": (form(part("image", form(part("image", image)), extra=f"Content-Type: {FORM}\r\n")), FORM),
        "encoded": (form(part("image", image, extra="Content-Transfer-Encoding: base64\r\n")), FORM),
        "control characters": (form(part("image\0\x1b[2J", image)), FORM),
        "only newlines": (b"\r\n" * 500_000, FORM),
        "almost boundaries": (f"\r\n--{BOUNDARY[:-1]}".encode() * 100_000, FORM),
    }
    name = dice.choice(list(bodies))
    body, kind = bodies[name]
    if dice.random() < 0.3:
        name, body = f"{name}, changed", bytes(dice.choice(mutations.ALL)(dice, bytearray(body or b"x")))
    return Case(f"form, {name}", "POST", path, post(path, body, kind))


def _value(dice: random.Random, depth: int = 0) -> t.Any:
    """Any JSON value, with a liking for borders; NaN and infinities, too, which Python writes and reads."""
    plain = (None, True, False, "", "x", "\0", "\ud800", "1", float("nan"), float("inf"), -float("inf"), *NUMBERS)
    if depth > 2 or dice.random() < 0.7:
        return dice.choice(plain)
    if dice.random() < 0.5:
        return [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {str(dice.choice(plain)): _value(dice, depth + 1) for _ in range(dice.randrange(4))}


def _json(dice: random.Random, latent_dim: int) -> Case:
    path = dice.choice(JSON_ROUTES)
    latent = [dice.uniform(-3, 3) for _ in range(latent_dim)]
    for _ in range(dice.randrange(3)):
        latent[dice.randrange(latent_dim)] = dice.choice((*NUMBERS, float("nan"), float("inf"), None, "1", [1], True))
    end: t.Any = {"seed": dice.choice(NUMBERS), "index": dice.choice(NUMBERS), "temperature": dice.choice(NUMBERS)}
    end = dice.choice((end, {"latent": latent}, {"seed": 1, "index": 0}, _value(dice)))
    values: tuple[t.Any, ...] = (
        {"latents": [latent] * dice.choice((0, 1, 2, 64, 65))},
        {"latents": [latent[: dice.randrange(latent_dim)]]},
        {"start": end, "end": {"latent": latent}},
        {"start": end, "end": end, "more": 1},
        {"latents": _value(dice)},
        _value(dice),
    )
    text = json.dumps(dice.choice(values))
    depth = dice.choice((1000, 100_000))
    # Made when drawn: the largest take a second.
    odd: dict[str, t.Callable[[], str]] = {
        "as it is": lambda: text,
        "deep lists": lambda: '{"latents": ' + "[" * depth + "]" * depth + "}",
        "deep objects": lambda: '{"start": ' * depth + "1" + "}" * depth,
        "open lists": lambda: "[" * depth,
        "huge integer": lambda: '{"latents": [[' + "9" * dice.choice((400, 5000, 100_000)) + "]]}",
        "huge exponent": lambda: '{"latents": [[1e' + "9" * 300 + "]]}",
        "duplicate keys": lambda: '{"latents": [], ' * 2 + '"latents": [[1]]}}',
        "cut": lambda: text[: dice.randrange(len(text) + 1)],
        "many keys": lambda: json.dumps({f"k{index}": index for index in range(100_000)}),
        "a long text": lambda: json.dumps({"latents": "x" * 1_000_000}),
        "many numbers": lambda: json.dumps({"latents": [[0] * 1_000_000]}),
    }
    (name,) = dice.choices(list(odd), [30] + [1] * (len(odd) - 1))
    drawn = odd[name]()
    body = drawn.encode(errors="surrogatepass")
    coding = dice.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))
    if coding != "utf-8" and name == "as it is":
        body = drawn.encode(coding)
    kind = dice.choice(("application/json", "application/json; charset=utf-16", "application/vnd.api+json"))
    return Case(f"json, {name}", "POST", path, post(path, body, kind, dice.choice(("application/json", "image/png"))))


def _query(dice: random.Random, _: int) -> Case:
    names = ("count", "first", "seed", "temperature", "image", "steps", "method", "COUNT", "%00", "a" * 3000, "")
    texts = (
        *map(str, NUMBERS),
        "nan",
        "inf",
        "1_000",
        " 1",
        "%F0%9D%9F%99",
        "%FF%FE",
        "%0d%0aX:1",
        "9" * 6000,
        "png",
        "",
    )
    pairs = "&".join(
        f"{dice.choice(names)}={dice.choice(texts)}".replace(" ", "+") for _ in range(dice.randrange(1, 5))
    )
    path = dice.choice(("/random", "/random", "/directions", "/decode", "/interpolate", "/reconstruct"))
    method = "GET" if path in ("/random", "/directions") else "POST"
    return Case("query", method, path, server.request(method, f"{path}?{pairs}"))


def _headers(dice: random.Random, _: int) -> Case:
    image = pictures.good("png")
    odd: tuple[tuple[str, str], ...] = (
        ("Accept", "a/b," * 249),
        ("Accept", "image/png;q=" + "9" * 980),
        ("Accept", "*/*;q=nan"),
        ("Accept", "\x80\xff"),
        ("Accept-Encoding", "gzip;q=" + dice.choice(("1e999", "x", "-1", ""))),
        ("Origin", "https://evil.example/%0d%0a"),
        ("Content-Type", "application/octet-stream;" + "a=b;" * 240),
        ("Content-Type", "image/" + "x" * 990),
        ("Content-Encoding", "gzip"),
        ("Range", "bytes=0-,0-,0-"),
        ("If-None-Match", "*"),
        ("Cookie", "a=" + "b" * 15_000),
        ("X-Forwarded-For", "127.0.0.1\t, <script>"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Expect", "100-continue"),
        ("Host", "evil.example:99999"),
        ("X-A", "a" * 15_000),
    )
    name, value = dice.choice(odd)
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/json", name: value}
    path = dice.choice(UPLOADS)
    return Case(f"header {name}", "POST", path, server.request("POST", path, headers, image))


def _long_header(dice: random.Random, _: int) -> Case:
    """One header that a parser may take long for, on every route and on the page's own files."""
    names = (
        "Accept",
        "Accept-Encoding",
        "Content-Type",
        "If-None-Match",
        "If-Range",
        "Range",
        "Host",
        "Origin",
        "Date",
    )
    fill = dice.choice((" ", "\t", ",", ";", "a,", ' "', 'a="', "a=b;", ';q="', "\\", "/", "*", "bytes=0-,", 'W/"'))
    length, name = dice.choice((900, 1001, 5_000, 15_000, 62_000)), dice.choice(names)
    value = "a" + (fill * length)[:length] + "b"
    method, path = dice.choice(
        [("GET", path) for path in ("/", "/health", "/openapi.json", "/random", "/directions", "/style.css", "/none")]
        + [("POST", path) for path in (*UPLOADS, *JSON_ROUTES)]
    )
    # Spaces in a row are refused by the server, all else above 1,000 characters by the app.
    expected = frozenset({400, 431}) if length > 900 and name != "Date" else frozenset()
    described = path not in ("/", "/style.css", "/none") and method == "GET" and not expected and fill not in " \t"
    data = server.request(method, path, {name: value})
    return Case(f"long header {name}", method, path if described else "", data, expected)


@functools.cache
def smallest_bombs() -> tuple[str, ...]:
    """The names of bombs that are quick to make, for a short run."""
    slow = ("as large as", "cmyk", "noise", "400 mega")
    return tuple(name for name in pictures.BOMBS if not any(word in name for word in slow))
