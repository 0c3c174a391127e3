"""The API from Python: ``from carvae_client import Client``."""

from .client import Client
from .errors import ClientError, Refused

__all__ = ["Client", "ClientError", "Refused"]
