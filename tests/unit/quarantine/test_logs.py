"""The quarantine's log has the keys of every other part's."""

import json
import logging

from quarantine.logs import JsonLines


def test_a_verdict_and_a_failure_are_lines_of_json() -> None:
    facts = {"name": "quarantine.watch", "levelname": "INFO", "msg": "verdict", "facts": {"upload": "1", "good": False}}
    line = json.loads(JsonLines().format(logging.makeLogRecord(facts)))
    assert list(line) == ["timestamp", "level", "logger", "message", "upload", "good"]
    try:
        raise OSError("no space")
    except OSError as error:
        failed = logging.makeLogRecord({"msg": "a check failed", "exc_info": (OSError, error, error.__traceback__)})
    text = JsonLines().format(failed)
    assert "\n" not in text
    assert json.loads(text)["exception"].endswith("OSError: no space")
