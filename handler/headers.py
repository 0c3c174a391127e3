"""Bounds on headers that are parsed: some parsers take quadratic time."""

import typing as t

from .errors import Problem

#: Characters of a header that is parsed; browsers send up to 200.
LONGEST = 1000

#: What the app, werkzeug and the page's server parse, by their names in a WSGI environment.
PARSED = (
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "HTTP_HOST",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_ORIGIN",
    "HTTP_RANGE",
    "HTTP_TRANSFER_ENCODING",
)

_TOO_LONG = "carvae.header_too_long"

Environ: t.TypeAlias = dict[str, t.Any]


def bound(environ: Environ) -> bool:
    """Take parsed headers that are longer than `LONGEST` out of a request; returns whether there were any."""
    for name in PARSED:
        if len(environ.get(name, "")) > LONGEST:
            environ[_TOO_LONG] = name, len(environ.pop(name))
    return _TOO_LONG in environ


def check(environ: Environ) -> None:
    """Refuse a request that `bound` took a header out of.

    Raises
    ------
    Problem
        431.
    """
    if _TOO_LONG in environ:
        name, length = environ[_TOO_LONG]
        name = name.removeprefix("HTTP_").replace("_", "-").title()
        detail = f"the header {name} has {length} characters; at most {LONGEST} are accepted"
        raise Problem(431, detail, parameter=name, value=length)


def before(app: t.Any) -> t.Any:
    """Put `bound` before a WSGI application."""

    def bounded(environ: Environ, start_response: t.Any) -> t.Any:
        bound(environ)
        return app(environ, start_response)

    return bounded
