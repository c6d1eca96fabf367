#!/usr/bin/env bash
# Starts the service with a real Prometheus and asks every query of every dashboard: each must have data. Minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
exec make prove-observability LINE=1 CASE=panels
