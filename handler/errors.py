"""Every failure that a client can see, as RFC 9457 problem+json."""

import json
import logging
import typing as t
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

log = logging.getLogger("carvae")

#: nginx's status for a client that went away before its answer; nobody but the log sees it.
CLIENT_GONE = 499


class Problem(Exception):  # noqa: N818 - the RFC's own name
    """A failure that is reported to the client.

    Parameters
    ----------
    status : int
        HTTP status, 400 to 599.
    detail : str
        What is wrong and what was expected.
    parameter, value
        The offending field and what it held, where one is at fault; the value is cut to 80 characters.
    headers
        Headers the status asks for, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        parameter: str | None = None,
        value: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.value = value
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as an answer."""
        body: dict[str, t.Any] = {
            "type": "about:blank",
            "title": "Client Closed Request" if self.status == CLIENT_GONE else HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.parameter is not None:
            body["parameter"] = self.parameter
        if self.value is not None:
            body["value"] = short(self.value)
        return Response(
            json.dumps(body) + "\n", self.status, headers=self.headers, content_type="application/problem+json"
        )


def short(value: object) -> str:
    """`value` as text of at most 80 characters."""
    if isinstance(value, (list, dict)):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def install(app: Flask) -> None:
    """Answer every exception of `app`, werkzeug's own included, with a problem."""
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(Exception, _from_bug)


def _from_werkzeug(error: HTTPException) -> Response | HTTPException:
    if isinstance(error, RequestRedirect):
        return error
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{short(request.path)} accepts {allowed}"
        return Problem(405, detail, parameter="method", value=request.method, headers={"Allow": allowed}).response()
    if isinstance(error, RequestEntityTooLarge):
        return _too_large().response()
    if error.code == 404:
        return Problem(404, "there is no such route; GET / lists them", parameter="path", value=request.path).response()
    return Problem(error.code or 500, error.description or error.name).response()


def _too_large() -> Problem:
    limit = request.max_content_length or 0
    if (request.content_length or 0) > limit:
        detail = f"the request body has {request.content_length} bytes; at most {limit} are accepted"
        return Problem(413, detail, parameter="Content-Length", value=request.content_length)
    return Problem(
        413, f"the form has more than {request.max_form_parts} parts, or a text field above 500 kB; send files"
    )


def _from_bug(error: Exception) -> Response:
    log.error("request %s failed", g.get("request_id"), exc_info=error)
    detail = f"this is a bug; please report it with the request id {g.get('request_id')}"
    return Problem(500, detail).response()
