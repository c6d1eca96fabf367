"""What containers prove their health with: `healthcheck.py http PORT PATH`, or `healthcheck.py fresh FILE SECONDS`.

Standard library only, and nothing of ours: it runs every few seconds, by `python -IS`.
"""

import http.client
import os
import sys
import time

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
    good = answers(int(rest[0]), rest[1]) if kind == "http" else is_fresh(rest[0], float(rest[1]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
