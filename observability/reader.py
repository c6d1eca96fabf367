"""The role that Grafana reads PostgreSQL with: it sees the views made for dashboards, and can write nothing."""

ROLE = "weedwatch_reader"
SECONDS = 15
CONNECTIONS = 10
VIEWS = ("sightings_for_dashboards", "versions_for_dashboards", "evaluations_for_dashboards")
FUNCTIONS = ("statements_for_dashboards()", "request_id_at(timestamptz)")

MAKES_ROLE = (
    f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE}; "
    "END IF; END $$",
    f"ALTER ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT "
    f"CONNECTION LIMIT {CONNECTIONS}",
    f"ALTER ROLE {ROLE} SET default_transaction_read_only = on",
    f"ALTER ROLE {ROLE} SET statement_timeout = '{SECONDS}s'",
    f"ALTER ROLE {ROLE} SET idle_in_transaction_session_timeout = '{SECONDS}s'",
)
"""For who may make roles; once a server."""

GRANTS = (
    f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}",
    f"GRANT USAGE ON SCHEMA public TO {ROLE}",
    f"GRANT SELECT ON {', '.join(VIEWS)} TO {ROLE}",
    f"GRANT EXECUTE ON FUNCTION {', '.join(FUNCTIONS)} TO {ROLE}",
)
"""For the owner of the tables; once a database."""


def script() -> str:
    """Both, to be run by a superuser on the service's database; again and again does no harm."""
    lines = "".join(f"{statement};\n" for statement in (*MAKES_ROLE, *GRANTS))
    return (
        "-- Made by `python -m observability write`.\n"
        "-- Run it as superuser on Weedwatch's database, after the service's first start:\n"
        "--   psql -d weedwatch -v ON_ERROR_STOP=1 -1 -f reader.sql\n"
        f"-- Then give the role a password that nobody else knows, and Grafana the same: \\password {ROLE}\n"
        "-- Running it again changes nothing.\n" + lines
    )
