"""AWS Lambda's way in. Whatever is wrong with an import or a setting fails here, at init, where it is reported."""

import typing as t

import serverless_wsgi

from . import logs
from .app import create_app

# The runtime's handler adds no newline.
logs.install(ending="\n")
app = create_app()
# Init has its own CPU and its own 10 s, of which the imports took some; what is not done by then goes on later.
app.extensions["carvae"].wait(8)
serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")


def handler(event: dict[str, t.Any], context: object) -> t.Any:
    """Answer one API Gateway event, payload format 1.0 or 2.0."""
    return serverless_wsgi.handle_request(app, event, context)
