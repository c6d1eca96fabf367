#!/bin/sh
# Beside nginx: its logs go to the output, and another certificate is taken up.
#
# nginx writes to files and never to the output itself: whoever reads that may stop, and then nginx would wait, and
# everybody with it. The files are in memory, and are emptied when they have grown.
set -eu

logs="/tmp/access.log /tmp/error.log"
most_bytes=16777216
every_seconds=5

seen() {
    cat /certificates/fullchain.pem /certificates/privkey.pem 2>/dev/null | cksum
}

watch() {
    before=$(seen)
    while sleep "$every_seconds"; do
        for log in $logs; do
            [ "$(stat -c %s "$log")" -le "$most_bytes" ] || : > "$log"
        done
        now=$(seen)
        # Half a pair does not fit together, and is looked at again.
        if [ "$now" != "$before" ] && nginx -t -q 2>/dev/null; then
            nginx -s reload && before=$now
        fi
    done
}

for log in $logs; do
    : > "$log"
done
# shellcheck disable=SC2086 # names without spaces
tail -q -n 0 -F $logs 2>/dev/null &
watch &
