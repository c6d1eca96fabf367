-- Run once, when the database is made: whoever uses it is no superuser. Passwords come from files.
\set database_password `cat /run/secrets/database_password`
\set reader_password `cat /run/secrets/grafana_reader_password`
CREATE ROLE weedwatch LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'database_password';
CREATE DATABASE weedwatch OWNER weedwatch ENCODING 'UTF8' TEMPLATE template0;
-- For Grafana. The service lets it see its views for dashboards, and nothing else.
CREATE ROLE weedwatch_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT
    CONNECTION LIMIT 10 PASSWORD :'reader_password';
ALTER ROLE weedwatch_reader SET default_transaction_read_only = on;
ALTER ROLE weedwatch_reader SET statement_timeout = '15s';
ALTER ROLE weedwatch_reader SET idle_in_transaction_session_timeout = '15s';
