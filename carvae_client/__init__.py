"""The API from Python: ``from carvae_client import Client``."""

from .client import Client, ClientError, Refused

__all__ = ["Client", "ClientError", "Refused"]
