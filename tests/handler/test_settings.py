import os
from pathlib import Path

import pytest

from handler.settings import Settings, SettingsError


def test_all_variables_are_read() -> None:
    settings = Settings.from_environment(
        {
            "CARVAE_BUNDLE": "s3://cars/models/current.json",
            "CARVAE_ENGINE": "torchscript",
            "CARVAE_ORIGINS": "https://cars.example, http://localhost:8000",
            "CARVAE_CACHE": "/var/cache/carvae",
            "CARVAE_THREADS": "2",
            "OMP_NUM_THREADS": "4",
            "PATH": "/usr/bin",
        }
    )
    assert settings == Settings(
        bundle="s3://cars/models/current.json",
        engine="torchscript",
        origins=("https://cars.example", "http://localhost:8000"),
        cache=Path("/var/cache/carvae"),
        threads=2,
    )


def test_threads_default_to_omp_num_threads() -> None:
    assert Settings.from_environment({"CARVAE_BUNDLE": "b", "OMP_NUM_THREADS": "3"}).threads == 3
    for other in ("4,2", "0", "128", ""):
        assert Settings.from_environment({"CARVAE_BUNDLE": "b", "OMP_NUM_THREADS": other}).threads == 1


def test_every_core_can_compute_while_one_request_more_comes_in() -> None:
    settings = Settings.from_environment({"CARVAE_BUNDLE": "b"})
    assert settings.concurrency == min((os.cpu_count() or 1) + 1, 64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARVAE_BUNDLE", ""),
        ("CARVAE_BUNDLE", "https://cars.example/bundle"),
        ("CARVAE_BUNDLE", "s3://cars"),
        ("CARVAE_ENGINE", "tensorflow"),
        ("CARVAE_ORIGINS", "cars.example"),
        ("CARVAE_ORIGINS", "https://cars.example/"),
        ("CARVAE_ORIGINS", "https://*.example"),
        ("CARVAE_THREADS", "0"),
        ("CARVAE_THREADS", "two"),
        ("CARVAE_THREADS", "65"),
        ("CARVAE_BUNDEL", "build/bundle"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as failure:
        Settings.from_environment({"CARVAE_BUNDLE": "build/bundle", name: value})
    assert name in str(failure.value)
    assert repr(value) in str(failure.value)


def test_a_missing_bundle_is_an_error() -> None:
    with pytest.raises(SettingsError, match="CARVAE_BUNDLE is not set"):
        Settings.from_environment({})
