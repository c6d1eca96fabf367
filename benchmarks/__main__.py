"""`python -m benchmarks`: measure, then write the JSON, the page and the plot."""

import argparse
import signal
import sys

from benchmarks.page import JSON, PAGE, RESULTS, page, write_page
from benchmarks.plan import NORMAL, QUICK
from benchmarks.plot import write_plot
from benchmarks.run import benchmark


def say(sentence: str) -> None:
    print(sentence, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Weedwatch against what it could be replaced by.")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten; the page is printed only")
    quick = parser.parse_args().quick
    # An end from outside unwinds as Ctrl-C does, so that what was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        summary = benchmark(QUICK if quick else NORMAL, say)
    except (RuntimeError, OSError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    if quick:
        say("\n" + page(summary))
        return 0
    summary.save(JSON)
    write_plot(summary, RESULTS / "throughput.svg")
    write_page(summary)
    say(f"Wrote {JSON.name}, throughput.svg and {PAGE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
