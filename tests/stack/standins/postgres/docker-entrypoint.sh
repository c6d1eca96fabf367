#!/bin/bash
# Makes the cluster on the first start, as the environment says, and runs what lies in /docker-entrypoint-initdb.d.
set -Eeo pipefail

from_file() { # from_file NAME [DEFAULT]: the variable, or the content of the file that NAME_FILE names
    local name=$1 file=${1}_FILE
    if [ "${!name:-}" ] && [ "${!file:-}" ]; then
        echo "Set $name or $file, not both." >&2
        exit 1
    fi
    if [ "${!file:-}" ]; then
        export "$name=$(<"${!file}")"
    else
        export "$name=${!name:-${2:-}}"
    fi
    unset "$file"
}

make_cluster() {
    local options=()
    eval "options=($POSTGRES_INITDB_ARGS)"
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${options[@]}"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    # This build looks for sockets in /tmp, the official one here.
    printf "\nunix_socket_directories = '/var/run/postgresql'\n" >>"$PGDATA/postgresql.conf"
}

sql() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password "$@"
}

fill_cluster() {
    # Only through the socket: nobody must meet a database that is half filled.
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    if [ "$POSTGRES_DB" != postgres ]; then
        sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        # shellcheck disable=SC1090
        case "$file" in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
        esac
    done
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
}

case " $* " in
    *" --version "* | *" --help "* | *" -V "* | *" -C "*) exec "$@" ;;
esac
[ "${1:0:1}" = - ] && set -- postgres "$@"
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        echo "Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to a superuser's password." >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    make_cluster
    export PGPASSWORD=$POSTGRES_PASSWORD
    fill_cluster
    unset PGPASSWORD
fi
# A password that the environment carried is of no use any more.
unset POSTGRES_PASSWORD
exec "$@"
