"""AWS Lambda's entry point. A wrong import or setting fails here, at init, where Lambda reports it."""

import functools
import os
import typing as t

from . import logs
from .loading import Loader
from .settings import Settings

# The runtime's handler adds no newline.
logs.install(ending="\n")
# Before Flask and Pillow are imported: S3 answers meanwhile.
loader = Loader(Settings.from_environment(os.environ))


def _make_handler() -> t.Callable[[dict[str, t.Any], object], t.Any]:
    import serverless_wsgi

    from .app import create_app

    serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")
    return functools.partial(serverless_wsgi.handle_request, create_app(loader=loader))


#: Answers one API Gateway event, payload format 1.0 or 2.0, given with Lambda's context.
handler = _make_handler()

# Init has its own CPU and its own 10 s, of which the imports have used some. Loading that is unfinished by then goes on
# later. A copy that starts for a visitor answers as soon as it can draw; one started in advance loads completely.
for_a_visitor = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
loader.wait(8, to_draw=for_a_visitor)
