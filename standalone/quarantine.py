"""The quarantine as a child: it checks uploads, and gets nothing of the environment that it does not need."""

import sys
from pathlib import Path

from standalone.child import Program
from standalone.settings import ROOT, Settings, secret_files, without_secrets

PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_", "TZ", "LD_", "JAVA_HOME", "PYTHON")


def program(settings: Settings, private: Path) -> Program:
    """Build the program; a check works in the private folder and does not see the state folder."""
    environment = settings.environment
    folder = ROOT / (environment.get("WEEDWATCH_QUARANTINE_DIR") or settings.state_dir / "quarantine")
    secrets = [settings.state_dir, ROOT / ".env", *secret_files(environment)]
    hidden = [part for path in secrets for part in ("--hide", str(path))]
    passed = {name: value for name, value in without_secrets(environment).items() if name.startswith(PASSED_ON)}
    return Program(
        name="quarantine",
        command=(sys.executable, "-m", "quarantine", str(folder), "--temporary", str(private), *hidden),
        environment={**passed, "PYTHONUNBUFFERED": "1", "TEMP": str(private)},
        folder=ROOT,
        log=settings.logs / "quarantine.log",
    )
