"""AWS Lambda's way in. Whatever is wrong with an import or a setting fails here, at init, where it is reported."""

import os
import typing as t

import serverless_wsgi

from . import logs
from .app import create_app

# The runtime's handler adds no newline.
logs.install(ending="\n")
app = create_app()
# Init has its own CPU and its own 10 s, of which the imports took some; what is not done by then goes on later. A copy
# that starts for a visitor answers as soon as it can draw; one that is made in advance is made whole.
for_a_visitor = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
app.extensions["carvae"].wait(8, to_draw=for_a_visitor)
serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")


def handler(event: dict[str, t.Any], context: object) -> t.Any:
    """Answer one API Gateway event, payload format 1.0 or 2.0."""
    return serverless_wsgi.handle_request(app, event, context)
