"""schemathesis over the whole OpenAPI document: every answer is one that the document describes, and none is a 500.

The service is thrown away afterwards, so nothing is left out.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, is_true, none_of

FULL_EXAMPLES = 100
FULL_SECONDS = 400
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance",
)  # fmt: skip


def run(ground: Ground) -> list[Figure]:
    figures: list[Figure] = []
    key = ground.place.make_key("read", name="for the document")
    known = {"name": "plants", "version": "1", "request_id": ground.record, "key_id": key["id"]}
    nobody: dict[str, str] = {}
    for who, headers, places in (
        ("nobody", nobody, known),
        ("an admin", ground.admin, known),
        ("an admin, of anything", ground.admin, {}),
    ):
        report = _run(ground, headers, places)
        faults = [f"{', '.join(each['operations'])}: {each['title']}" for each in report["failures"]]
        faults += [str(each)[:300] for each in report["errors"]]
        asked, total = report["operations"]["tested"], report["operations"]["total"]
        name = f"by {who}: answers that the document does not describe, or 500"
        figures += [
            none_of(name, faults, report["test_cases"]["generated"], ground.context.say),
            is_true(
                f"by {who}: every operation was asked", asked == total == len(ground.operations), f"{asked} of {total}"
            ),
        ]
    return figures


def _run(ground: Ground, headers: Mapping[str, str], places: Mapping[str, str]) -> dict[str, Any]:
    """What schemathesis reports; the credential goes by a file, as command lines can be read by everybody."""
    folder = ground.context.folder / "schemathesis"
    folder.mkdir(exist_ok=True)
    tables = {"headers": {**headers, "X-Forwarded-For": "10.77.0.1"}, "parameters": dict(places)}
    lines = [
        line
        for table, values in tables.items()
        for line in (f"[{table}]", *(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in values.items()))
    ]
    (folder / "schemathesis.toml").write_text("\n".join(lines) + "\n")
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    command = [
        str(Path(sys.executable).with_name("st")), "--no-color", "--config-file", str(folder / "schemathesis.toml"),
        "run", f"http://127.0.0.1:{ground.place.stack.port}/openapi.json", "--phases", "coverage,fuzzing",
        "--max-examples", str(ground.context.count(FULL_EXAMPLES, at_least=3)),
        "--max-time", str(ground.context.count(FULL_SECONDS, at_least=40)), "--checks", ",".join(CHECKS),
        "--seed", "1", "--no-shrink", "--continue-on-failure", "--suppress-health-check", "all",
        "--request-timeout", "60", "--report", "json", "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800, check=False)
    if not report.exists():
        raise RuntimeError(f"schemathesis gave no report: {done.stdout[-1500:]}{done.stderr[-500:]}")
    if done.returncode:
        ground.context.say(done.stdout[-5000:])
    found: dict[str, Any] = json.loads(report.read_text())
    return found
