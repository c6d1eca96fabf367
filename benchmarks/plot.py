"""The plot of the results: pictures a second by contestant and number of clients, with the spread over the rounds."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from benchmarks.measurement import Summary
from benchmarks.pictures import KINDS

COLOURS = {"a": "#1b7a3d", "b": "#4c78a8", "c": "#9ecae9", "d": "#8a8a8a", "e": "#e8a33d"}


def write_plot(summary: Summary, path: Path) -> None:
    """Write an SVG without a date, so that the same figures give the same file."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "weedwatch"
    from matplotlib import pyplot  # noqa: PLC0415 - it must come after the choice of the backend

    figure, axes = pyplot.subplots(1, len(KINDS), figsize=(10, 4), layout="constrained")
    for axis, kind in zip(axes, KINDS, strict=True):
        _bars(axis, summary, kind.key)
        axis.set_title(kind.title)
        axis.set_xlabel("clients")
    axes[0].set_ylabel("pictures a second")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _bars(axis: Axes, summary: Summary, kind: str) -> None:
    clients = sorted({row.clients for row in summary.rows if row.kind == kind})
    width = 0.8 / len(summary.names)
    for place, (key, name) in enumerate(summary.names.items()):
        rows = [summary.row(key, kind, number) for number in clients]
        heights = [row.throughput for row in rows]
        below = [max(0, row.throughput - min(row.throughputs)) for row in rows]
        above = [max(0, max(row.throughputs) - row.throughput) for row in rows]
        positions = [index + (place - (len(summary.names) - 1) / 2) * width for index in range(len(clients))]
        axis.bar(positions, heights, width, color=COLOURS.get(key), label=f"({key}) {name}")
        axis.errorbar(positions, heights, yerr=[below, above], fmt="none", ecolor="black", elinewidth=0.8)
    axis.set_xticks(range(len(clients)), [str(number) for number in clients])
    axis.spines[["top", "right"]].set_visible(False)
