"""Grafana's role in an embedded PostgreSQL of the tests."""

import psycopg
from psycopg.conninfo import make_conninfo

from observability.reader import GRANTS, MAKES_ROLE, ROLE
from standalone import postgres

PASSWORD = "of-the-reader"


def make_role(prepared: postgres.Postgres) -> None:
    """While the server does not run: its superuser cannot log in."""
    postgres.single_user(prepared.home, prepared.data, *MAKES_ROLE, f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")


def grant(database_url: str) -> str:
    """Let the role read what dashboards may, in a database whose tables are there; gives its URL."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in GRANTS:
            connection.execute(statement.encode())
    return make_conninfo(database_url, user=ROLE, password=PASSWORD)
