import json
import logging
import sys

import pytest

from handler import logs
from handler.logs import JsonLines


def record(message: str, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    made = logging.LogRecord("carvae", logging.ERROR, __file__, 1, message, None, info)
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize("message", ["two\nlines", 'a "quote"', "\x1b[2J", "\u2028"])
def test_whatever_is_said_is_one_line_of_json(message: str) -> None:
    (line,) = JsonLines().format(record(message)).splitlines()
    assert json.loads(line) == {"level": "ERROR", "logger": "carvae", "message": message}


def test_a_traceback_is_in_the_same_line() -> None:
    line = json.loads(JsonLines().format(record("failed", ValueError("why"))))
    assert line["exception"] == "ValueError: why"


def test_the_lambda_runtime_gets_the_newline_that_it_does_not_add() -> None:
    assert JsonLines("\n").format(record("x")).endswith("}\n")


def test_a_request_line_is_the_fields_alone(caplog: pytest.LogCaptureFixture) -> None:
    logs.request_line({"route": "/random", "status": 200, "ms": 1.5})
    (line,) = (JsonLines().format(each) for each in caplog.records)
    assert json.loads(line) == {"route": "/random", "status": 200, "ms": 1.5}


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (422, 0), (503, 1)])
def test_on_lambda_a_request_line_is_an_embedded_metric(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: int, errors: int
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "carvae-dev-api")
    monkeypatch.setenv("STAGE", "dev")
    logs.request_line({"route": None, "status": status, "ms": 1.5})
    line = json.loads(JsonLines().format(caplog.records[0]))
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] > 1_600_000_000_000
    assert {metric["Name"] for metric in metrics["Metrics"]} == {"ms", "errors"}
    assert all(isinstance(line[metric["Name"]], (int, float)) for metric in metrics["Metrics"])
    # One metric per stage, whatever the route: CloudWatch takes no null for a dimension, and bills each value.
    assert metrics["Dimensions"] == [["stage"]]
    assert (line["stage"], line["errors"]) == ("dev", errors)


def test_install_reaches_the_handlers_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    logs.install()
    assert isinstance(handler.formatter, JsonLines)
