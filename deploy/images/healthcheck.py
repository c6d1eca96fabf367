"""What containers prove their health with: `healthcheck.py http PORT PATH`, `fresh FILE SECONDS` or `loaded PORT`.

Standard library only, and nothing of ours: it runs every few seconds, by `python -IS`.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time

TYPE_CHECKING = False  # typing itself would take longer than what this asks
if TYPE_CHECKING:
    from typing import Any

TIMEOUT_SECONDS = 4


def answers(port: int, path: str) -> bool:
    """Whether this container answers the path with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as problem:
        print(f"{path}: {problem}")
        return False
    finally:
        connection.close()
    print(f"{path}: {answer.status} {said}")
    return answer.status == 200


def is_loaded(port: int) -> bool:
    """Whether each model of TorchServe has a worker that is ready, by its management API; /ping is 200 without any."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        models = [each["modelName"] for each in _asked(connection, "/models?limit=1000")["models"]]
        versions = {name: _asked(connection, f"/models/{name}/all") for name in models}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as problem:
        print(f"{type(problem).__name__}: {problem}")
        return False
    finally:
        connection.close()
    empty = [name for name, said in versions.items() if not _has_worker(said)]
    print(f"models: {', '.join(models) or 'none'}; without a worker that is ready: {', '.join(empty) or 'none'}")
    return bool(models) and not empty


def _asked(connection: http.client.HTTPConnection, path: str) -> Any:
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def _has_worker(versions: list[dict[str, Any]]) -> bool:
    return any(worker["status"] == "READY" for version in versions for worker in version["workers"])


def is_fresh(file: str, seconds: float) -> bool:
    """Whether somebody has touched the file within so many seconds."""
    try:
        age = time.time() - os.stat(file).st_mtime  # noqa: PTH116 - pathlib would double the time that this takes
    except OSError as problem:
        print(problem)
        return False
    print(f"{file}: touched {age:.1f} s ago")
    return age < seconds


def main(arguments: list[str]) -> int:
    kind, *rest = arguments
    if kind == "http":
        good = answers(int(rest[0]), rest[1])
    elif kind == "loaded":
        good = is_loaded(int(rest[0]))
    else:
        good = is_fresh(rest[0], float(rest[1]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
