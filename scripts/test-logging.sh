#!/usr/bin/env bash
# Follows one request by its id through the logs, the trace, the history and the metrics. A minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."
exec make prove-observability LINE=3
