"""A caller that sends at a steady rate and never waits as it is told; in a process of its own, beside who measures:
that is why it is not the load of tests/load.py.

`python -m tests.proofs.doors_lines.flood PORT RATE PICTURE`, its key in the environment. Each line of its input
begins or ends the sending, the end of its input ends it; then it says what it was answered.
"""

import http.client
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

CONNECTIONS = 8


def main() -> None:
    port, rate, picture = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]).read_bytes()
    stop, on = threading.Event(), threading.Event()
    counts: Counter[str] = Counter()
    lock = threading.Lock()
    headers = {"Content-Type": "image/jpeg", "Authorization": os.environ["FLOOD_AUTHORIZATION"]}

    def send(first: float) -> None:
        due = first
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + CONNECTIONS / rate, time.monotonic() - CONNECTIONS / rate)
            if not on.is_set():
                continue
            try:
                connection.request("POST", "/predict", picture, headers)
                answer = connection.getresponse()
                answer.read()
                status = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status = type(error).__name__
            with lock:
                counts[status] += 1

    began = time.monotonic()
    threads = [threading.Thread(target=send, args=(began + n / rate,), daemon=True) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    seconds, since = 0.0, 0.0
    for _ in sys.stdin:
        if on.is_set():
            on.clear()
            seconds += time.monotonic() - since
        else:
            since = time.monotonic()
            on.set()
    stop.set()
    for thread in threads:
        thread.join(60)
    print(json.dumps({"seconds": seconds, **counts}))


if __name__ == "__main__":
    main()
