"""The Python environment of the benchmark alone: captum and LitServe, in front of the project's own packages."""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".tools" / "bench-venv"
LOCK = ROOT / "requirements" / "benchmark.lock"


def benchmark_python() -> Path:
    """Its interpreter; makes the environment when it is absent or older than its lock.

    Raises:
        RuntimeError: It cannot be made; says why.
    """
    python, stamp = VENV / "bin" / "python", VENV / "weedwatch-lock"
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        own_uv = ROOT / ".tools" / "bin" / "uv"
        uv = str(own_uv) if own_uv.exists() else shutil.which("uv")
        if uv is None:
            raise RuntimeError("uv is missing. Run `make setup`.")
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "--no-deps", "-r", str(LOCK))
        _add_project_packages(python)
        stamp.write_text(digest)
    return python


def _add_project_packages(python: Path) -> None:
    """Take torch and the rest from the project's environment: the same build for all, and no second download."""
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    (Path(own.stdout.strip()) / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The benchmark's environment cannot be made: {done.stderr[-1000:]}")
