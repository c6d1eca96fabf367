"""Looks for what should not be in the code, the packages and the history: `python -m tests.audit`, or `make audit`.

bandit over the code that runs, pip-audit over the pinned packages, detect-secrets over all that is tracked. A finding
is mended, or explained: in its line, as ruff's `noqa` of the same check, or below.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 600
CODE = (
    *("backup", "control_plane", "deploy", "handlers", "quarantine", "standalone", "training", "weedwatch"),
    "benchmarks",
)
LOCKS = ("base", "torch", "benchmark")
NO_SECRETS_IN = r"\.lock$|package-lock\.json$"  # digests of packages

EVERYWHERE = {
    "B101": "asserts say what types cannot; nothing is checked by them",
    "B404": "processes are started by list, never through a shell",
    "B603": "processes are started by list, never through a shell",
    "B607": "java, git and the like are what the operator's PATH says",
}
HERE = {
    ("observability/channels.py", "Secret Keyword"): "what a variable is for",
    ("observability/generated/prometheus/tests.yml", "Secret Keyword"): "a sentence of a runbook",
    ("observability/generated/prometheus/weedwatch.rules.yml", "Secret Keyword"): "a sentence of a runbook",
    **{
        (f"tests/{file}.py", "Hex High Entropy String"): "the trace id of the standard's example"
        for file in (
            *("acceptance/test_logs", "acceptance/test_metrics", "unit/control_plane/test_requests"),
            *("unit/control_plane/test_spans", "unit/control_plane/test_tracing"),
        )
    },
    ("tests/integration/observability/test_alertmanager.py", "Hex High Entropy String"): "a stand-in's key",
    ("tests/reading.py", "Secret Keyword"): "of a database that the tests make",
    ("quarantine/pickles.py", "B403"): "imports the scanner of pickles, no unpickler",
    ("standalone/postgres.py", "B105"): "the name of a method",
    ("standalone/postgres.py", "Secret Keyword"): "the name of a method",
    ("weedwatch/settings.py", "B105"): "the path of a file",
    ("control_plane/access/keyring.py", "Base64 High Entropy String"): "the letters of key ids",
    ("control_plane/settings.py", "Basic Auth Credentials"): "how an address looks, in an error",
    ("docs/running.md", "Basic Auth Credentials"): "how an address looks",
    ("docs/backup.md", "Basic Auth Credentials"): "how an address looks",
    ("docs/proofs/stack.md", "Hex High Entropy String"): "the digest of an audit row",
    (".github/workflows/ci.yml", "Secret Keyword"): "the name of a file",
    ("tests/unit/deploy/test_secret_files.py", "Basic Auth Credentials"): "made up, to see that it is used",
    **{
        (f"deploy/kubernetes/{file}.yaml", "Secret Keyword"): "the name of a Secret, which holds it"
        for file in (
            *("base/backup", "base/control-plane", "base/redis"),
            *("overlays/kserve/inference-service", "overlays/production/ingress"),
        )
    },
    ("deploy/nginx/templates/policies.conf.template", "Base64 High Entropy String"): "the digest of a script",
    ("tests/integration/backup/test_commands.py", "Basic Auth Credentials"): "made up, to see that it is not told",
    ("tests/integration/backup/test_object_store.py", "Basic Auth Credentials"): "made up, to see that it is refused",
    ("tests/kubernetes/breaks_references.py", "Basic Auth Credentials"): "made up, to see that it is found",
    ("tests/unit/proofs/test_line_4_images.py", "Private Key"): "made up, to see that it is found",
    **{
        ("tests/unit/stack/test_probing.py", what): "made up, to see that it is found"
        for what in ("Secret Keyword", "Base64 High Entropy String", "Basic Auth Credentials")
    },
    ("tests/unit/control_plane/test_small_parts.py", "Basic Auth Credentials"): "made up, to see that it is not shown",
    ("tests/unit/control_plane/test_logs.py", "Base64 High Entropy String"): "made up, to see that it is not logged",
    ("tests/unit/control_plane/test_secret_files.py", "Basic Auth Credentials"): "made up, to see that it is not told",
    ("tests/unit/standalone/test_settings.py", "Basic Auth Credentials"): "made up, to see who gets it",
    ("tests/integration/control_plane/test_stores.py", "Basic Auth Credentials"): "made up, to see that it is refused",
    ("tests/unit/faults/test_faults.py", "Basic Auth Credentials"): "made up",
}


@dataclass(frozen=True)
class Finding:
    file: str
    line: int
    what: str
    sentence: str

    @property
    def explanation(self) -> str | None:
        return EVERYWHERE.get(self.what) or HERE.get((self.file, self.what)) or self._in_its_line()

    def _in_its_line(self) -> str | None:
        if not self.what.startswith("B") or not self.file.endswith(".py"):
            return None
        lines = (ROOT / self.file).read_text().splitlines()
        said = re.search(rf"# noqa: [^#]*\bS{self.what[1:]}\b[^#]*", lines[self.line - 1])
        return said[0].removeprefix("# ") if said else None


@dataclass(frozen=True)
class Packages:
    """Of `pinned` packages the index told of `known`; `vulnerable` says which have what."""

    pinned: int
    known: int
    vulnerable: list[str]


def main() -> int:
    found, told = findings(), packages()
    unexplained = [each for each in found if each.explanation is None]
    for each in unexplained:
        print(f"{each.file}:{each.line}: {each.what} {each.sentence}")
    print(f"Code and secrets: {len(found)} findings, {len(found) - len(unexplained)} of them explained.")
    for sentence in told.vulnerable:
        print(sentence)
    print(f"Packages: {told.known} of {told.pinned} could be looked up, {len(told.vulnerable)} known vulnerabilities.")
    if told.known == 0:
        print("The package index here tells nothing of vulnerabilities; run this where the public one is reached.")
    return 1 if unexplained or told.vulnerable else 0


def findings() -> list[Finding]:
    """Of the code and of what looks like a secret, explained or not."""
    return [*_code(), *_secrets()]


def _code() -> Iterator[Finding]:
    for each in _asked("bandit", "-q", "-r", "-f", "json", *CODE, "setup_environment.py")["results"]:
        yield Finding(each["filename"].removeprefix("./"), each["line_number"], each["test_id"], each["issue_text"])


def _secrets() -> Iterator[Finding]:
    for file, found in _asked("detect_secrets", "scan", "--exclude-files", NO_SECRETS_IN)["results"].items():
        for each in found:
            yield Finding(file, each["line_number"], each["type"], "looks like a secret")


def packages() -> Packages:
    """The pinned ones, as far as the index tells of them."""
    asked: list[dict[str, Any]] = []
    for lock in LOCKS:
        said = _asked("pip_audit", "--no-deps", "--disable-pip", "-f", "json", "-r", f"requirements/{lock}.lock")
        asked += said["dependencies"]
    vulnerable = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'none'}"
        for package in asked
        for each in package.get("vulns", ())
    ]
    return Packages(len(asked), sum("vulns" in each for each in asked), vulnerable)


def _asked(module: str, *arguments: str) -> Any:
    """What a tool says as JSON; each of them ends with 1 when it found something."""
    command: Sequence[str] = (sys.executable, "-m", module, *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"{module} did not work: {done.stderr[-2000:]}") from None


if __name__ == "__main__":
    raise SystemExit(main())
