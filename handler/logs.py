"""The log: one JSON object per line, whatever it is about; on AWS, request lines are metrics, too."""

import json
import logging
import os
import time
import typing as t

log = logging.getLogger("carvae")
log.setLevel(logging.INFO)

#: A few lines of CloudWatch's embedded metric format; importing AWS Powertools would take 64 ms. Each value of a
#: dimension is billed as a metric, so the route is not a dimension.
_METRICS = [
    {
        "Namespace": "carvae",
        "Dimensions": [["stage"]],
        "Metrics": [{"Name": "ms", "Unit": "Milliseconds"}, {"Name": "errors", "Unit": "Count"}],
    }
]


class JsonLines(logging.Formatter):
    """A record as one line of JSON: newlines in a message or traceback can't begin another.

    Parameters
    ----------
    ending : str
        What to put after each: the Lambda runtime's handler adds no newline of its own.
    """

    def __init__(self, ending: str = "") -> None:
        super().__init__()
        self._ending = ending

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON for a record, a traceback inside it; what is JSON already passes as it is."""
        if getattr(record, "is_json", False):
            return record.getMessage() + self._ending
        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line) + self._ending


def install(ending: str = "") -> None:
    """Let every handler of the root logger write `JsonLines`."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines(ending))


def request_line(fields: dict[str, t.Any]) -> None:
    """Log what became of a request; `fields` hold its route, status and ms."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and (stage := os.environ.get("STAGE")):
        metrics = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": _METRICS}
        fields = {"_aws": metrics, "stage": stage, **fields, "errors": int(fields["status"] >= 500)}
    log.info("%s", json.dumps(fields), extra={"is_json": True})
