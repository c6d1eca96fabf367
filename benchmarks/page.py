"""The page of the results, made from their JSON: `python -m benchmarks.page` writes it again."""

from pathlib import Path

from benchmarks.archive import ROOT
from benchmarks.measurement import Row, Summary, load_summary
from benchmarks.pictures import KINDS

RESULTS = ROOT / "benchmarks" / "results"
JSON = RESULTS / "latest.json"
PAGE = ROOT / "docs" / "benchmarks.md"
OTHERS = "bcde"

INTRODUCTION = """# Benchmark

Written by `make bench` from `benchmarks/results/latest.json`; measure on your own machine, since only ratios travel.

All are asked about the same two pictures with the same weights, in one run: round after round, and within a round one
right after another. One load generator, a process of its own, asks them all in a closed loop. TorchServe and LitServe
have one worker a core, and each worker one thread.

- **(a) Weedwatch**: `POST /predict` as `make run` starts it; every answer is in its history before it is given.
- **(b) TorchServe with our handler**, asked directly, one picture a call. No history, no queue of ours, no checks.
- **(c) TorchServe with its `image_classifier`**, in eager mode.
- **(d) A bare loop** of our handler's functions, one process a core and no server: the limit.
- **(e) LitServe** with the same functions.
"""


def page(summary: Summary) -> str:
    """The whole page; ratios are medians over the rounds with their extremes."""
    text = [INTRODUCTION, _circumstances(summary), "", "![Pictures a second](../benchmarks/results/throughput.svg)", ""]
    for kind in KINDS:
        text += [
            f"## {kind.title}",
            "",
            *_throughput_table(summary, kind.key),
            "",
            *_ratio_table(summary, kind.key),
            "",
        ]
    text += ["## Memory", "", *_memory_table(summary), ""]
    return "\n".join(text)


def _circumstances(summary: Summary) -> str:
    about = summary.about
    where = (
        f"{about['cores']} cores ({about['processor']}), Python {about['python']}, load {about['load_before']} before"
    )
    return f"Measured {about['date']} on {where}: {about['rounds']} rounds, {about['minutes']} minutes."


def _clients(summary: Summary, kind: str) -> list[int]:
    return sorted({row.clients for row in summary.rows if row.kind == kind})


def _throughput_table(summary: Summary, kind: str) -> list[str]:
    table = [
        "| | Clients | Pictures/s | p50 ms | p99 ms | CPU ms a picture | Answers | Failures |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for clients in _clients(summary, kind):
        table += [_throughput_row(summary, summary.row(key, kind, clients)) for key in summary.names]
    return table


def _throughput_row(summary: Summary, row: Row) -> str:
    parts = ", ".join(f"{part} {cpu:.1f}" for part, cpu in row.cpu_ms.items() if cpu >= 0.05)
    name = f"({row.key}) {summary.names[row.key]}"
    figures = f"{row.throughput:.1f} | {row.p50:.0f} | {row.p99:.0f} | {parts} | {row.answers} | {row.failures}"
    return f"| {name} | {row.clients} | {figures} |"


def _ratio_table(summary: Summary, kind: str) -> list[str]:
    others = [key for key in summary.names if key in OTHERS]
    table = ["| Clients | " + " | ".join(f"(a) ÷ ({key})" for key in others) + " |", "|---" * (len(others) + 1) + "|"]
    for clients in _clients(summary, kind):
        cells = [
            _spread(summary.ratios("a", key, kind, clients), summary.ratio("a", key, kind, clients)) for key in others
        ]
        table.append(f"| {clients} | " + " | ".join(cells) + " |")
    return table


def _spread(values: list[float], middle: float) -> str:
    return f"{middle:.2f} ({min(values):.2f} to {max(values):.2f})"


def _memory_table(summary: Summary) -> list[str]:
    table = ["Resident, all processes of a contestant; what several share counts once.", "", "| | MiB |", "|---|---|"]
    return table + [f"| ({key}) {summary.names[key]} | {mib:.0f} |" for key, mib in summary.memory_mib.items()]


def write_page(summary: Summary, path: Path = PAGE) -> None:
    path.write_text(page(summary))


if __name__ == "__main__":
    write_page(load_summary(JSON))
