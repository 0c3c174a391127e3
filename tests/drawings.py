"""Cars drawn by code: pictures for tests that need no photographs."""

from model.data.drawings import car

__all__ = ["car"]
