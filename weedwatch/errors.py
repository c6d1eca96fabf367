"""What a caller can go on with: the service said no, it was not reached, or a wait came to its end."""

from typing import Any


class WeedwatchError(Exception):
    """Base of all; its text is a sentence for people."""


class WrongSettings(WeedwatchError):
    """A setting cannot be used; the sentence names it and where it stands."""


class Unreachable(WeedwatchError):
    """No answer: the sentence names the address, where it comes from, and how to start the service."""

    may_have_arrived = False  # the request, though no answer came


class Unfinished(WeedwatchError):
    """A wait reached its deadline; what was waited for goes on."""


class Refused(WeedwatchError):
    """The service's own answer; each code has a class of its own in `weedwatch.refusals`.

    `retry` says whether the same request may succeed later, `retry_after_seconds` how long the service asks to wait.
    """

    remedy = ""

    def __init__(self, status: int, problem: dict[str, Any], retry_after_seconds: float | None) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.request_id = str(problem.get("request_id", ""))
        self.retry = problem.get("retry") is True
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
        title = str(problem.get("title", f"The service answered {status}"))
        super().__init__(f"{title}: {problem.get('detail', 'it gave no reason')}")
