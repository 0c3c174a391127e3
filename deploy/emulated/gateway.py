"""API Gateway and Lambda beside an emulated AWS: plain HTTP, answered by what the function's alias points at.

The alias, the versions and their environment are the emulated AWS's; the code of a version runs under AWS's own runtime
client. Where CARVAE_GATEWAY names this server, a deployment asks it instead of the stack's own address.
"""

import base64
import contextlib
import json
import threading
import typing as t
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deploy import Failure

from . import lambda_runtime

#: What the function gets of the emulated AWS: its keys are in Lambda's own variables.
Environment = dict[str, str]


class Gateway:
    """A running gateway; `address` is where.

    Parameters
    ----------
    functions : boto3 client
        Of the emulated Lambda.
    name, alias : str
        Of the function.
    code : Path
        Its unpacked archive.
    client : Path
        AWS's runtime client, see `lambda_runtime.copy_client`.
    tmp : Path
        Folder for the copies' own /tmp.
    environment : dict
        What the function needs to reach the emulated AWS.
    """

    def __init__(
        self, functions: t.Any, name: str, alias: str, code: Path, client: Path, tmp: Path, environment: Environment
    ) -> None:
        self._functions, self._name, self._alias = functions, name, alias
        self._code, self._client, self._tmp, self._environment = code, client, tmp, environment
        self._copies: dict[str, lambda_runtime.RuntimeApi] = {}
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, event: dict[str, t.Any]) -> dict[str, t.Any]:
        """Have the version that the alias points at answer an event; one at a time, as each version has one copy."""
        with self._lock:
            found = self._functions.get_alias(FunctionName=self._name, Name=self._alias)
            version = str(found["FunctionVersion"])
            if version not in self._copies:
                self._copies[version] = self._start(version)
            return t.cast(dict[str, t.Any], self._copies[version].invoke(event))

    def _start(self, version: str) -> lambda_runtime.RuntimeApi:
        found = self._functions.get_function_configuration(FunctionName=self._name, Qualifier=version)
        tmp = self._tmp / f"{version}-{uuid.uuid4().hex}"
        tmp.mkdir(parents=True)
        variables = found["Environment"]["Variables"] | self._environment | {"AWS_LAMBDA_FUNCTION_VERSION": version}
        api, _ = self._stack.enter_context(lambda_runtime.start(self._code, self._client, tmp, **variables))
        return api

    def close(self) -> None:
        """End the server and every copy."""
        self._server.shutdown()
        self._server.server_close()
        self._stack.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    gateway: Gateway

    def do_GET(self) -> None:
        try:
            answer = self.gateway.answer(self._event())
        except Failure:
            answer = {"statusCode": 502, "body": '{"message":"Internal Server Error"}'}
        except Exception as error:  # as where the stack has no function yet
            answer = {"statusCode": 404, "body": json.dumps({"message": str(error)})}
        body = answer.get("body", "")
        data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        self.send_response(answer["statusCode"])
        for name, value in answer.get("headers", {}).items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def do_POST(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def _event(self) -> dict[str, t.Any]:
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": url.path,
            "rawQueryString": url.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {
                "http": {"method": self.command, "path": url.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
                "requestId": uuid.uuid4().hex,
                "stage": "$default",
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def log_message(self, *_: object) -> None:
        pass
