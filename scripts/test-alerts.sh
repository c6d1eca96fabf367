#!/usr/bin/env bash
# Provokes alerts by real faults and sees them fire, arrive and resolve: `scripts/test-alerts.sh DatabaseDown`.
# Without a name it lists the alerts and asks which; an empty answer means all of them (half an hour).
set -euo pipefail
cd "$(dirname "$0")/.."
alert=${1-}
if [ $# -eq 0 ] && [ -t 0 ]; then
  make setup >/dev/null
  .venv/bin/python -c 'from observability.topics import ALERTS; print(*(each.name for each in ALERTS), sep="\n")' | column
  read -rp "Which alert (empty: all)? " alert
fi
exec make prove-observability LINE=1 ${alert:+CASE="$alert"}
