"""Connections with a time limit for the head of an answer: status, headers, and anything sent before them."""

import contextlib
import socket
import threading
import typing as t

import requests
import urllib3
from requests.adapters import HTTPAdapter

#: Seconds until an answer's headers have come: a cold start included, with room. A socket's own timeout begins anew
#: with every byte, and a server may send "100 Continue" for ever.
LONGEST_HEAD_S = 60.0


class _Connection(urllib3.connection.HTTPConnection):
    def getresponse(self) -> t.Any:
        timer = threading.Timer(LONGEST_HEAD_S, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # it was closed just now
            self.sock.shutdown(socket.SHUT_RDWR)


class _SecureConnection(_Connection, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


class Session(requests.Session):
    """Follows no redirects: photographs go to nobody else, and requests would read their bodies without a bound."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Nowhere."""
        return None
