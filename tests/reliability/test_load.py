"""A few seconds of load; ``make load`` is minutes of it."""

from pathlib import Path

from . import load
from .server import Answer, Server


def test_under_load_answers_are_right_or_refusals_and_slow_clients_starve_nobody(bundle: Path) -> None:
    with Server(bundle, "onnx", concurrency=1) as server:
        # How long /health takes is `make load`'s to say; here the machine may be busy.
        figures, failures = load.run(server, seconds=4, slow_clients=60, calibration_s=1, patience_s=60)
    assert failures == [], figures


def test_another_answer_than_before_is_noticed() -> None:
    tally = load.Tally()
    load.judge(tally, Answer(200, {}, b"other", 0.1), "digest")
    load.judge(tally, Answer(503, {}, b"", 0.1), "digest")
    load.judge(tally, Answer(500, {}, b"oops", 0.1), "digest")
    assert [failure.partition(":")[0] for failure in tally.failures] == [
        "another answer than before the load",
        "503 without Retry-After",
        "status 500",
    ]
