"""One process of the bare loop: `python -m benchmarks.bare_loop <unpacked archive>`.

Reads jobs, one JSON object a line, and answers each with one line: how long every picture took, in milliseconds.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.classifier import Classifier


def loop(classifier: Classifier, picture: bytes, warm_up: float, seconds: float) -> list[float]:
    """Answer one picture again and again; gives the milliseconds of those that ended within the measured time."""
    begin = perf_counter() + warm_up
    latencies: list[float] = []
    while (started := perf_counter()) < begin + seconds:
        classifier.answer(picture)
        if begin <= (ended := perf_counter()) < begin + seconds:
            latencies.append(round(1000 * (ended - started), 2))
    return latencies


def main() -> None:
    classifier = Classifier(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        picture = Path(job["picture"]).read_bytes()
        print(json.dumps(loop(classifier, picture, job["warm_up"], job["seconds"])), flush=True)


if __name__ == "__main__":
    main()
