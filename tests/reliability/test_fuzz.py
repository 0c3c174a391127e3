"""A few hundred hostile requests; ``make fuzz`` sends 20,000."""

import itertools
import typing as t
from pathlib import Path

import pytest

from .. import bundles
from . import cases, fuzz, pictures
from .server import Answer, Server, request

CASES = 150
LATENT = 3 * bundles.GRID**2


@pytest.fixture(scope="module")
def server(bundle: Path) -> t.Iterator[Server]:
    with Server(bundle, "onnx") as server:
        yield server


def failures(server: Server, drawn: t.Iterable[cases.Case], folder: Path) -> list[str]:
    return fuzz.run(server, drawn, folder, "fuzz").failures


def test_hostile_requests_get_described_answers(server: Server, tmp_path: Path) -> None:
    # Bombs have a test of their own: large ones take long to make.
    drawn = (cases.draw(7, number, LATENT) for number in itertools.count())
    few = itertools.islice((case for case in drawn if case.name not in pictures.BOMBS), CASES)
    assert failures(server, few, tmp_path) == []


def test_bombs_do_no_harm(server: Server, tmp_path: Path) -> None:
    drawn = [
        cases.Case(name, "POST", "/encode", cases.post("/encode", pictures.bomb(name), "application/octet-stream"))
        for name in cases.smallest_bombs()
    ]
    assert failures(server, drawn, tmp_path) == []


def test_every_ordinary_picture_is_answered(server: Server, tmp_path: Path) -> None:
    ok = frozenset({200})
    drawn = [
        cases.Case(name, "POST", "/encode", cases.post("/encode", pictures.good(name), "image/x"), ok)
        for name in pictures.GOOD
    ]
    assert failures(server, drawn, tmp_path) == []


def test_the_same_seed_draws_the_same_case() -> None:
    for number in range(40):
        case, again = (cases.draw(1, number, LATENT) for _ in range(2))
        assert case == again


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500, {}, b"{}", 0), "500"),
        (Answer(0, {}, b"reset", 0), "no answer"),
        (Answer(200, {"content-type": "application/json"}, b"{}", 0), "nosniff"),
        (Answer(404, {"x-content-type-options": "nosniff"}, b"{}", 0), "404 is not described"),
        (
            Answer(422, {"x-content-type-options": "nosniff", "content-type": "text/html"}, b"<p>", 0),
            "'text/html' is not",
        ),
        (
            Answer(422, {"x-content-type-options": "nosniff", "content-type": "application/problem+json"}, b"{}", 0),
            "not as described",
        ),
    ],
)
def test_a_wrong_answer_is_noticed(answer: Answer, said: str) -> None:
    reason = fuzz.judge(cases.Case("x", "POST", "/encode", b""), answer, 0)
    assert reason
    assert said in reason


def test_a_slow_answer_is_noticed() -> None:
    assert fuzz.judge(cases.Case("x", "GET", "/", b""), Answer(200, {}, b"", 0), 2.1) == "2.1 s of CPU, 0.0 s in all"


def test_a_failing_case_can_be_replayed(server: Server, tmp_path: Path) -> None:
    case = cases.Case("wrong on purpose", "GET", "/health", request("GET", "/health"), frozenset({404}))
    result = fuzz.run(server, [case], tmp_path, "fuzz")
    assert len(result.failures) == 1
    assert fuzz.replayed(tmp_path / "fuzz-0.http") == case
