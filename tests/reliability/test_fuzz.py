"""A few hundred hostile cases; ``make fuzz`` has 40,000."""

import itertools
import random
import typing as t
from pathlib import Path

import pytest

from carvae_client import answers as bounds

from .. import bundles
from . import answers, cases, fuzz, photographs, pictures
from .case import Case
from .server import Answer, Server, request

CASES = 150
LATENT = 3 * bundles.GRID**2


@pytest.fixture(scope="module")
def server(bundle: Path) -> t.Iterator[Server]:
    with Server(bundle, "onnx") as server:
        yield server


def failures(server: Server, drawn: t.Iterable[Case], folder: Path) -> list[str]:
    return fuzz.run(server, drawn, folder, "fuzz").failures


def test_hostile_requests_get_described_answers(server: Server, tmp_path: Path) -> None:
    # Bombs have a test of their own: large ones take long to make.
    drawn = (cases.draw(7, number, LATENT) for number in itertools.count())
    few = itertools.islice((case for case in drawn if case.name not in pictures.BOMBS), CASES)
    assert failures(server, few, tmp_path) == []


def test_bombs_do_no_harm(server: Server, tmp_path: Path) -> None:
    drawn = [
        Case(name, "POST", "/encode", cases.post("/encode", pictures.bomb(name), "application/octet-stream"))
        for name in cases.smallest_bombs()
    ]
    assert failures(server, drawn, tmp_path) == []


def test_every_ordinary_picture_is_answered(server: Server, tmp_path: Path) -> None:
    ok = frozenset({200})
    drawn = [
        Case(name, "POST", "/encode", cases.post("/encode", pictures.good(name), "image/x"), ok)
        for name in pictures.GOOD
    ]
    assert failures(server, drawn, tmp_path) == []


def test_the_same_seed_draws_the_same_case() -> None:
    for number in range(40):
        case, again = (fuzz.draw(1, number, LATENT) for _ in range(2))
        assert case == again


def test_hostile_answers_are_refused_by_the_client() -> None:
    drawn = [answers.draw(random.Random(number)) for number in range(30)]
    assert [reason for case in drawn if (reason := answers.judge(case))] == []


def test_hostile_photographs_are_left_out() -> None:
    drawn = [photographs.draw(random.Random(number)) for number in range(12)]
    assert [reason for case in drawn if (reason := photographs.judge(case))] == []


def test_a_client_that_takes_anything_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "check", lambda *_: None)
    html = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    assert "taken for image/png" in (answers.judge(Case("html", "image/png", "", html, target="client")) or "")


def test_preparing_that_gives_up_is_noticed() -> None:
    reason = photographs.judge(Case("photographs", "", "zip", b"no zip", target="preparation"))
    assert reason
    assert "it gave up" in reason


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
    reason = fuzz.judge(Case("x", "POST", "/encode", b""), answer, 0)
    assert reason
    assert said in reason


def test_an_answer_to_head_has_no_body() -> None:
    nosniff = {"x-content-type-options": "nosniff", "content-type": "application/problem+json"}
    case = Case("x", "HEAD", "", b"")
    assert fuzz.judge(case, Answer(404, nosniff, b"", 0), 0) is None
    assert fuzz.judge(case, Answer(404, nosniff, b"{}", 0), 0) == "a body of 2 bytes"


def test_a_slow_answer_is_noticed() -> None:
    assert fuzz.judge(Case("x", "GET", "/", b""), Answer(200, {}, b"", 0), 2.1) == "2.1 s of CPU, 0.0 s in all"


def test_a_failing_case_can_be_replayed(server: Server, tmp_path: Path) -> None:
    case = Case("wrong on purpose", "GET", "/health", request("GET", "/health"), frozenset({404}))
    result = fuzz.run(server, [case], tmp_path, "fuzz")
    assert len(result.failures) == 1
    assert fuzz.replayed(tmp_path / "fuzz-0.http") == case
