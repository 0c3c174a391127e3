"""Objects of S3 inside Lambda: plain GET requests with AWS Signature Version 4.

Lambda puts the function's keys into its environment, and a cold start needs a handful of objects. boto3 would do the
same, but it takes as much CPU time to start as numpy, Flask and the model together. It is used where keys come from
elsewhere.
"""

import datetime
import hashlib
import hmac
import http.client
import re
import ssl
import typing as t
import urllib.parse
from collections.abc import Mapping

#: Seconds that any one wait for the network may take.
TIMEOUT_S = 10

#: Attempts at a request that fails for a transient reason.
TRIES = 2

_NOTHING = hashlib.sha256(b"").hexdigest()


class S3Error(Exception):
    """An object can't be read; the text is S3's code, such as ``NoSuchKey``, or the kind of error in reaching it."""


class Client:
    """Reads objects.

    Parameters
    ----------
    region : str
        Of the buckets.
    key_id, secret, token : str
        Credentials; the token is empty for those that need none.
    endpoint : str, optional
        Address of another server than AWS' own.
    """

    def __init__(self, region: str, key_id: str, secret: str, token: str = "", endpoint: str | None = None) -> None:
        self._region, self._id, self._secret, self._token = region, key_id, secret, token
        self._endpoint = endpoint
        # Read once, and here: the system's authorities take 30 ms of CPU time, and requests run side by side.
        secure = endpoint is None or endpoint.startswith("https://")
        self._trusted = ssl.create_default_context() if secure else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> t.Self | None:
        """Make a client with the keys that Lambda gives a function; None where it gave none, as under SnapStart."""
        names = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        if not all(name in environment for name in names):
            return None
        _, region, key_id, secret = (environment[name] for name in names)
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
        return cls(region, key_id, secret, environment.get("AWS_SESSION_TOKEN", ""), endpoint)

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        """Read at most `limit` bytes of an object.

        Raises
        ------
        S3Error
            If S3 refuses or can't be reached.
        """
        for left in reversed(range(TRIES)):
            try:
                status, body = self._try(bucket, key, limit)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise S3Error(type(error).__name__) from error
                continue
            if status == 200:
                return body
            if status < 500 or not left:
                code = re.search(rb"<Code>([A-Za-z0-9]{1,64})</Code>", body)
                raise S3Error(code[1].decode() if code else f"status {status}")
        raise AssertionError  # the last try returns or raises

    def _try(self, bucket: str, key: str, limit: int) -> tuple[int, bytes]:
        address = self._endpoint or f"https://s3.{self._region}.{_domain(self._region)}"
        path = f"/{bucket}/{key}"
        # A certificate of S3 covers one label below its name, so a bucket with dots stays in the path.
        if not self._endpoint and "." not in bucket:
            address, path = address.replace("https://", f"https://{bucket}."), f"/{key}"
        url = urllib.parse.urlsplit(address)
        path = urllib.parse.quote(path, safe="/-_.~")
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(url.netloc, timeout=TIMEOUT_S, context=self._trusted)
        else:
            connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers=self.signed(url.netloc, path, datetime.datetime.now(datetime.UTC)))
            response = connection.getresponse()
            return response.status, response.read(limit)
        finally:
            connection.close()

    def signed(self, host: str, path: str, now: datetime.datetime) -> dict[str, str]:
        """Headers, ``Authorization`` among them, of a GET of `path`, which is percent-encoded, from `host`."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": host, "x-amz-content-sha256": _NOTHING, "x-amz-date": stamp}
        if self._token:
            headers["x-amz-security-token"] = self._token
        names = ";".join(headers)
        canonical = ["GET", path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, _NOTHING]
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        signature = _hmac(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
        credential = f"AWS4-HMAC-SHA256 Credential={self._id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers | {"Authorization": credential}


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
