"""Some seconds of the soak; ``make soak`` is half an hour of it."""

from pathlib import Path

from .. import bundles
from . import soak
from .server import Server


def test_beside_all_kinds_of_clients_nothing_fails(bundle: Path) -> None:
    with Server(bundle, "onnx") as server:
        samples, failures = soak.run(server, 3, 3 * bundles.GRID**2)
    assert failures == []
    assert samples[-1].answered > 0


def test_growth_is_noticed() -> None:
    flat = [soak.Sample(100, 50, 40, number) for number in range(8)]
    assert soak.grown(flat, 1800) == []
    assert soak.grown([*flat, soak.Sample(200, 90, 60, 9)], 1800) == [
        "memory_mb grew from 100 to 200",
        "descriptors grew from 50 to 90",
        "threads grew from 40 to 60",
    ]


def test_a_short_run_says_nothing_of_memory() -> None:
    flat = [soak.Sample(100, 50, 40, number) for number in range(8)]
    assert soak.grown([*flat, soak.Sample(200, 50, 40, 9)], 300) == []
