"""The small S3 client: its signature is botocore's, its answers are those of moto's server."""

import contextlib
import datetime
import pathlib
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest
import trustme
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handler import sources
from handler.bundle import Bundle, BundleError
from handler.s3 import Client, S3Error
from handler.settings import ENGINES

LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "carvae",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
}


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize("path", ["/models/v-1.2/manifest.json", "/with%20space/%C3%A9"])
def test_the_signature_is_botocores(token: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.datetime(2026, 3, 1, 12, 30, 5, tzinfo=datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None))
    request = AWSRequest("GET", f"https://cars.s3.eu-central-1.amazonaws.com{path}")
    credentials = Credentials(LAMBDA["AWS_ACCESS_KEY_ID"], LAMBDA["AWS_SECRET_ACCESS_KEY"], token or None)
    S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(request)
    client = Client.from_environment(LAMBDA | {"AWS_SESSION_TOKEN": token})
    assert client
    ours = client.signed("cars.s3.eu-central-1.amazonaws.com", path, now)
    assert request.headers["Authorization"] == ours["Authorization"]


@pytest.mark.parametrize("missing", list(LAMBDA))
def test_elsewhere_boto3_is_left_to_find_the_keys(missing: str) -> None:
    assert Client.from_environment({name: value for name, value in LAMBDA.items() if name != missing}) is None


def test_without_keys_and_without_boto3_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> None:
    for name in LAMBDA:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)  # importing it fails
    with pytest.raises(BundleError, match=r"no S3 client: .*boto3.*, and the environment has no keys or region"):
        Bundle.open("s3://cars/models/test-1", tmp_path)


@pytest.fixture
def inside_lambda(s3: t.Any, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    for name, value in (LAMBDA | {"AWS_ENDPOINT_URL": s3_server}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)  # importing it fails
    return s3


def test_a_bundle_is_read_without_boto3(inside_lambda: t.Any, bundle: t.Any, tmp_path: t.Any) -> None:
    inside_lambda.upload(bundle, "models/test 1é")
    opened = Bundle.open("s3://cars/models/test 1é", tmp_path)
    assert opened.read("decoder.onnx") == (bundle / "decoder.onnx").read_bytes()


@pytest.mark.parametrize(("address", "code"), [("s3://cars/none", "NoSuchKey"), ("s3://nobody/x", "NoSuchBucket")])
def test_a_refusal_is_named(inside_lambda: t.Any, tmp_path: t.Any, address: str, code: str) -> None:
    with pytest.raises(BundleError, match=f"manifest.json: S3 answered {code}$"):
        Bundle.open(address, tmp_path)


def test_a_refused_connection_is_named(inside_lambda: t.Any, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BundleError, match=r"manifest.json: S3 answered ConnectionRefusedError$"):
        Bundle.open("s3://cars/models/test-1", tmp_path)


class _Flaky(BaseHTTPRequestHandler):
    answers: t.ClassVar[list[tuple[int, bytes]]] = []

    def do_GET(self) -> None:
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


SLOW_DOWN = (503, b"<Error><Code>SlowDown</Code></Error>")


@contextlib.contextmanager
def serving(server: HTTPServer) -> t.Iterator[int]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def client(endpoint: str) -> Client:
    return Client("eu-central-1", "AKIDEXAMPLE", "secret", endpoint=endpoint)


@pytest.fixture
def flaky() -> t.Iterator[Client]:
    with serving(HTTPServer(("127.0.0.1", 0), _Flaky)) as port:
        yield client(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> t.Iterator[str]:
    """Address of a server."""
    server, context = HTTPServer(("127.0.0.1", 0), _Flaky), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield f"https://localhost:{port}"


def test_objects_are_read_over_tls(
    secure: str, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    _Flaky.answers = [(200, b"one"), (200, b"other")]
    reader = client(secure)
    assert [reader.get("cars", key, 100) for key in ("a", "b")] == [b"one", b"other"]


def test_a_server_that_nobody_vouches_for_is_told_nothing(secure: str) -> None:
    _Flaky.answers = [(200, b"content")]
    with pytest.raises(S3Error, match="SSLCertVerificationError"):
        client(secure).get("cars", "key", 100)
    assert len(_Flaky.answers) == 1


def test_a_busy_s3_is_asked_once_more(flaky: Client) -> None:
    _Flaky.answers = [SLOW_DOWN, (200, b"content")]
    assert flaky.get("cars", "key", 4) == b"cont"


def test_a_busy_s3_is_given_up_in_the_end(flaky: Client) -> None:
    _Flaky.answers = [SLOW_DOWN, SLOW_DOWN, (200, b"content")]
    with pytest.raises(S3Error, match="SlowDown"):
        flaky.get("cars", "key", 100)


ASKED_FOR = list(ENGINES["onnx"])


class Patient:
    """A bucket that keeps the manifest back until it was asked for `first` other files; at most for ten seconds."""

    def __init__(self, folder: pathlib.Path, first: int) -> None:
        self.names: list[str] = []
        self.came = False
        others = threading.Semaphore(0)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - self is the bucket
                name = handler.path.rpartition("/")[2]
                self.names.append(name)
                if name == "manifest.json":
                    self.came = all(others.acquire(timeout=10) for _ in range(first))
                else:
                    others.release()
                body = (folder / name).read_bytes()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def patient(
    request: pytest.FixtureRequest, bundle: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Patient]:
    made = Patient(bundle, getattr(request, "param", len(ASKED_FOR)))
    with serving(made.server) as port:
        for name, value in (LAMBDA | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}).items():
            monkeypatch.setenv(name, value)
        yield made


def test_files_are_asked_for_before_the_manifest_has_come(
    patient: Patient, bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    opened = Bundle.open("s3://cars/models/test-1", tmp_path, ASKED_FOR)
    assert patient.came
    for name in ASKED_FOR:
        assert opened.read(name) == (bundle / name).read_bytes()
    assert sorted(patient.names) == sorted([*ASKED_FOR, "manifest.json"])


@pytest.mark.parametrize("patient", [0], indirect=True)
def test_with_files_in_the_cache_only_the_manifest_is_asked_for(patient: Patient, tmp_path: pathlib.Path) -> None:
    for _ in range(2):
        opened = Bundle.open("s3://cars/models/test-1", tmp_path, ASKED_FOR)
        for name in ASKED_FOR:
            opened.read(name)
    assert patient.names.count("manifest.json") == 2
    assert sorted(patient.names) == sorted([*ASKED_FOR, "manifest.json", "manifest.json"])


def test_a_file_too_large_to_be_read_ahead_is_read_when_it_is_needed(
    patient: Patient, bundle: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_AHEAD", 10)
    opened = Bundle.open("s3://cars/models/test-1", tmp_path, ASKED_FOR)
    assert opened.read("decoder.onnx") == (bundle / "decoder.onnx").read_bytes()


def test_what_is_read_ahead_is_verified_like_all_else(inside_lambda: t.Any, bundle: t.Any, tmp_path: t.Any) -> None:
    inside_lambda.upload(bundle, "models/test-1")
    inside_lambda.put("models/test-1/decoder.onnx", b"something else")
    inside_lambda.delete("models/test-1/encoder.onnx")
    opened = Bundle.open("s3://cars/models/test-1", tmp_path, ASKED_FOR)
    with pytest.raises(BundleError, match=r"decoder\.onnx: 14 bytes, the manifest says"):
        opened.read("decoder.onnx")
    with pytest.raises(BundleError, match=r"encoder\.onnx: S3 answered NoSuchKey"):
        opened.read("encoder.onnx")
