#!/bin/sh
# Options alone, or a file, are for redis-server, which does not stay root.
set -e

case "$1" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
    # The official build listens to all without a password unless told otherwise.
    case " $* " in
        *" --protected-mode "* | *.conf*) ;;
        *) set -- "$@" --protected-mode no ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
    fi
fi
umask 0077
exec "$@"
