"""Line 6: weak code, vulnerable packages and secrets are looked for, and what was found is mended or explained."""

import json
import subprocess
import sys
from pathlib import Path

from tests import audit
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record, is_true, none_of

WEAK = "import pickle\n\n\ndef load(data):\n    return pickle.loads(data)\n"
KEY = "AKIA" + "QWERTYUIOPASDFGH"


def run(context: Context) -> list[Figure]:
    findings = audit.findings()
    unexplained = [f"{each.file}:{each.line}: {each.what}" for each in findings if each.explanation is None]
    packages = audit.packages()
    return [
        none_of("findings of bandit and detect-secrets that nothing explains", unexplained, len(findings), context.say),
        is_true("a weakness and a key that are planted are found", _finds_what_is_planted(context)),
        for_the_record("packages whose vulnerabilities the index here tells", f"{packages.known} of {packages.pinned}"),
        Figure("known vulnerabilities", str(len(packages.vulnerable)), "0", not packages.vulnerable),
    ]


def _finds_what_is_planted(context: Context) -> bool:
    weak, key = context.folder / "weak.py", context.folder / "key.txt"
    weak.write_text(WEAK)
    key.write_text(f"aws_access_key_id = {KEY}\n")
    code = json.loads(_said(context.folder, "bandit", "-q", "-f", "json", weak.name))["results"]
    secrets = json.loads(_said(context.folder, "detect_secrets", "scan", "--all-files", "."))["results"]
    return {each["test_id"] for each in code} >= {"B301"} and key.name in secrets


def _said(folder: Path, module: str, *arguments: str) -> str:
    command = (sys.executable, "-m", module, *arguments)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=audit.SECONDS, check=False)
    return done.stdout
