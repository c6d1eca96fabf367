"""What is wrong with an answer, in a sentence; None when nothing is."""

import json

from tests.hostile.contract import DOCUMENTED, OK
from tests.proofs.wire import Answer

# Traces of our inside that no error body may carry.
INTERNALS = ("Traceback", "site-packages", "org.pytorch", "psycopg", 'File "', "/handlers/", "SELECT ")


def fault_in(answer: Answer, allowed: frozenset[str]) -> str | None:
    """Judge one answer against the codes that the request may get."""
    if answer.status == 0:
        return f"no answer: {answer.code}"
    if answer.status == 500:
        return "a 500"
    if answer.code not in allowed:
        return f"{answer.status} {answer.code}, allowed: {', '.join(sorted(allowed))}"
    return None if answer.code == OK else _fault_in_refusal(answer)


def _fault_in_refusal(answer: Answer) -> str | None:
    if DOCUMENTED.get(answer.code) != answer.status:
        return f"{answer.code} came with status {answer.status}, documented is {DOCUMENTED.get(answer.code)}"
    if not answer.content_type.startswith("application/problem+json"):
        return f"{answer.code} is not problem+json but {answer.content_type!r}"
    if not answer.body.get("request_id"):
        return f"{answer.code} has no request_id"
    text = json.dumps(answer.body)
    leaked = [trace for trace in INTERNALS if trace in text]
    return f"{answer.code} shows internals: {leaked[0]}" if leaked else None
