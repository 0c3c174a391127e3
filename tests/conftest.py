import io
import shutil
import typing as t
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient

from handler.app import create_app
from handler.settings import Settings

from . import bundles, drawings

# No test is about time, and a busy machine must not fail one.
hypothesis.settings.register_profile("carvae", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("carvae")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle on disk, not to be changed."""
    return bundles.make(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def own_bundle(bundle: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def start_app() -> t.Callable[..., Flask]:
    """Make an app of a bundle and wait until loading it has ended."""

    def start(address: Path | str, **settings: t.Any) -> Flask:
        app = create_app(Settings(bundle=str(address), **settings))
        app.extensions["carvae"].wait(60)
        return app

    return start


@pytest.fixture(scope="session")
def client(start_app: t.Callable[..., Flask], bundle: Path) -> FlaskClient:
    """A client of an app with the tiny bundle."""
    return start_app(bundle).test_client()


@pytest.fixture(scope="session")
def car_png() -> bytes:
    """A drawn car, 176 x 117 pixels."""
    buffer = io.BytesIO()
    drawings.car(1).save(buffer, "PNG")
    return buffer.getvalue()
