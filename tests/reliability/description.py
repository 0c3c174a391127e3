"""Is an answer one that ``static/openapi.json`` names for its route?"""

import functools
import json
import typing as t

import jsonschema

from handler.status import OPENAPI

from .server import Answer

DOCUMENT: dict[str, t.Any] = json.loads(OPENAPI.read_text())
SIGNATURES = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF", "image/gif": b"GIF8"}


def resolved(node: dict[str, t.Any]) -> dict[str, t.Any]:
    """`node`, or what its reference points at."""
    while "$ref" in node:
        target: t.Any = DOCUMENT
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


@functools.cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**json.loads(schema), "components": DOCUMENT["components"]})


def complaint(method: str, path: str, answer: Answer) -> str | None:
    """What is wrong with `answer` to the operation; an empty path is no operation, only the form counts."""
    if answer.status == 0:
        return f"no answer: {answer.body.decode()[:200]}"
    if answer.status >= 500 and answer.status not in (501, 505):
        return f"{answer.status}: {answer.body[:300]!r}"
    if answer.headers.get("x-content-type-options") != "nosniff":
        return "no nosniff"
    kind = answer.headers.get("content-type", "")
    if not path or answer.status == 431:  # a header too long is so on every route
        if method == "HEAD":
            return f"a body of {len(answer.body)} bytes" if answer.body else None
        if answer.status >= 400:
            return _wrong_json(answer, {"$ref": "#/components/schemas/Problem"}, kind == "application/problem+json")
        return None
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    if str(answer.status) not in responses:
        return f"{answer.status} is not described for {method} {path}: {answer.body[:200]!r}"
    contents = resolved(responses[str(answer.status)])["content"]
    if kind not in contents:
        return f"{answer.status} as {kind!r} is not described for {method} {path}"
    if kind in SIGNATURES:
        return None if answer.body.startswith(SIGNATURES[kind]) else f"no {kind}: {answer.body[:20]!r}"
    return _wrong_json(answer, contents[kind]["schema"], True)


def _wrong_json(answer: Answer, schema: dict[str, t.Any], right_kind: bool) -> str | None:
    if not right_kind:
        return f"{answer.status} is no problem+json: {answer.headers.get('content-type')}"
    try:
        body = json.loads(answer.body)
    except ValueError:
        return f"no JSON: {answer.body[:100]!r}"
    # Checking thousands of numbers one by one takes longer than computing them; failures are short.
    if len(answer.body) > 20_000:
        return None
    error = jsonschema.exceptions.best_match(_validator(json.dumps(schema)).iter_errors(body))
    return f"not as described: {error.message[:200]}" if error else None
