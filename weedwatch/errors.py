"""What a caller can go on with: the service said no, or it was not reached."""

from typing import Any


class WeedwatchError(Exception):
    """Base of both; its text is a sentence for people."""


class Unreachable(WeedwatchError):
    """No answer: the sentence names the address, where it comes from, and how to start the service."""


class Refused(WeedwatchError):
    """The service's own answer; `code` is one of docs/errors.md, `retry_after_seconds` what it asks to wait."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after_seconds: float | None) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.request_id = str(problem.get("request_id", ""))
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
        title = str(problem.get("title", f"The service answered {status}"))
        super().__init__(f"{title}: {problem.get('detail', 'it gave no reason')}")
