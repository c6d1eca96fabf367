"""The table of a proof, on the terminal and as a page of the documentation."""

import os
from pathlib import Path

from tests.proofs.results import Figure, Result


def verdict(figure: Figure) -> str:
    if figure.target == "-":
        return ""
    return "holds" if figure.holds else "FALLS SHORT"


def print_result(result: Result) -> None:
    """One row per figure; the columns are as wide as they must be."""
    rows = [("figure", "measured", "target", "verdict")]
    rows += [(figure.name, figure.measured, figure.target, verdict(figure)) for figure in result.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"  Line {result.number} {'holds' if result.holds else 'FALLS SHORT'}; {_circumstances(result)}", flush=True)


def _circumstances(result: Result) -> str:
    load = f"load {result.load_before:.1f} before and {result.load_after:.1f} after on {os.cpu_count()} cores"
    return f"{result.minutes:.1f} minutes, {load}"


def write_report(path: Path, title: str, results: dict[int, Result]) -> None:
    """Write the page anew from all results that are known, also those of earlier runs."""
    ordered = [results[number] for number in sorted(results)]
    text = [f"# {title}", "", "Written by the proof itself; each line says when and at which commit it ran.", ""]
    for result in ordered:
        text += _section(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text))


def _section(result: Result) -> list[str]:
    where = f"{result.date}, commit {result.commit}, share {result.share:g}, {_circumstances(result)}."
    table = ["| Figure | Measured | Target | Verdict |", "|---|---|---|---|"]
    for f in result.figures:
        cells = (f.name, f.measured, f.target, verdict(f))
        table.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    heading = f"## Line {result.number}: {result.title}"
    return [heading, "", f"**{'Holds' if result.holds else 'Falls short'}.** {where}", "", *table, ""]
