#!/bin/sh
# Beside nginx: its log goes to the output, and another certificate is taken up.
#
# nginx writes to a file and never to the output itself: whoever reads that may stop, and then nginx would wait, and
# everybody with it. The file is in memory, and is emptied when it has grown.
set -eu

log=/tmp/access.log
most_bytes=16777216
every_seconds=5

seen() {
    cat /certificates/fullchain.pem /certificates/privkey.pem 2>/dev/null | cksum
}

watch() {
    before=$(seen)
    while sleep "$every_seconds"; do
        [ "$(stat -c %s "$log")" -le "$most_bytes" ] || : > "$log"
        now=$(seen)
        # Half a pair does not fit together, and is looked at again.
        if [ "$now" != "$before" ] && nginx -t -q 2>/dev/null; then
            nginx -s reload && before=$now
        fi
    done
}

: > "$log"
tail -q -n 0 -F "$log" 2>/dev/null &
watch &
