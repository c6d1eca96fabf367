#!/bin/sh
# Before nginx: what lies in /docker-entrypoint.d, in the order of the names. `.envsh` may change the environment.
set -e

if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for file in /docker-entrypoint.d/*; do
        [ -x "$file" ] || continue
        # shellcheck disable=SC1090
        case "$file" in
            *.envsh) . "$file" ;;
            *.sh) "$file" ;;
        esac
    done
fi
exec "$@"
