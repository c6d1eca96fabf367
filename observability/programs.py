"""Prometheus, promtool, Alertmanager and amtool: those of this machine when new enough, else Debian's newest packages.

The packages are unpacked beside the system, into `.tools/monitoring`; nothing is installed.
"""

import re
import shutil
import subprocess
from pathlib import Path

from observability.debian import CannotFetch, alone_with, mirror, unpack

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".tools" / "monitoring"
PACKAGES = ("prometheus", "promtool", "prometheus-alertmanager")
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
OTHER_NAMES = {"prometheus-alertmanager": "alertmanager"}
"""What everybody but Debian calls it."""
SUITES = ("forky", "sid")


def program(name: str) -> Path:
    """The path of one of PROGRAMS, fetched if it must be.

    Raises:
        CannotFetch: It is neither here nor to be had.
    """
    fetched = FOLDER / "usr" / "bin" / name
    if not fetched.exists() and (own := _own(name)):
        return own
    if not fetched.exists():
        fetch()
    return fetched


def _own(name: str) -> Path | None:
    """This machine's, when it is Prometheus 3 or newer, and Alertmanager of its time."""
    found = shutil.which(name) or shutil.which(OTHER_NAMES.get(name, name))
    prometheus = shutil.which("prometheus")
    if not found or not prometheus:
        return None
    said = subprocess.run([prometheus, "--version"], capture_output=True, text=True, timeout=30, check=False)
    version = re.search(r"version (\d+)\.", said.stdout + said.stderr)
    return Path(found) if version and int(version[1]) >= 3 else None


def fetch() -> None:
    """Download and unpack Debian's newest packages; several at once take turns."""
    with alone_with(FOLDER):
        if all((FOLDER / "usr" / "bin" / name).exists() for name in PROGRAMS):
            return
        if mirror() is None:
            raise CannotFetch(
                "Prometheus 3 and Alertmanager are not installed, and this is no Debian from whose packages they "
                "could be taken. Install both so that `prometheus`, `promtool`, `alertmanager` and `amtool` are found."
            )
        unpack(PACKAGES, SUITES, FOLDER, finish=_with_its_templates)


def _with_its_templates(unpacked: Path) -> None:
    """Let Debian's Alertmanager find its templates, which it wants at a fixed place in the system.

    In our copy that path becomes one as long that leads nowhere but to the working directory; a script goes there.
    """
    program, fixed = unpacked / "usr" / "bin" / "prometheus-alertmanager", b"/usr/share/prometheus/alertmanager"
    here = b"./" * (len(fixed) // 2)
    inner = program.with_name("prometheus-alertmanager-unpacked")
    inner.write_bytes(program.read_bytes().replace(fixed, here))
    inner.chmod(0o755)
    program.write_text(
        "#!/bin/sh\n"
        'usr=$(dirname "$(dirname "$(readlink -f "$0")")")\n'
        'cd "$usr/share/prometheus/alertmanager" && exec "$usr/bin/prometheus-alertmanager-unpacked" "$@"\n'
    )
