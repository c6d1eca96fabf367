-- Made by `python -m observability write`.
-- Run it as superuser on Weedwatch's database, after the service's first start:
--   psql -d weedwatch -v ON_ERROR_STOP=1 -1 -f reader.sql
-- Then give the role a password that nobody else knows, and Grafana the same: \password weedwatch_reader
-- Running it again changes nothing.
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weedwatch_reader') THEN CREATE ROLE weedwatch_reader; END IF; END $$;
ALTER ROLE weedwatch_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 10;
ALTER ROLE weedwatch_reader SET default_transaction_read_only = on;
ALTER ROLE weedwatch_reader SET statement_timeout = '15s';
ALTER ROLE weedwatch_reader SET idle_in_transaction_session_timeout = '15s';
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM weedwatch_reader;
GRANT USAGE ON SCHEMA public TO weedwatch_reader;
GRANT SELECT ON sightings_for_dashboards, versions_for_dashboards, evaluations_for_dashboards TO weedwatch_reader;
GRANT EXECUTE ON FUNCTION statements_for_dashboards(), request_id_at(timestamptz) TO weedwatch_reader;
