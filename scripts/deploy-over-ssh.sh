#!/usr/bin/env bash
# Deploys a release to a host over SSH and looks at it from outside; if something fails, the host goes back.
#   scripts/deploy-over-ssh.sh v1.2.3
# From the environment:
#   DEPLOY_TARGET       USER@HOST, whose key is bound to scripts/deploy-gate.sh (docs/releasing.md)
#   DEPLOY_KNOWN_HOSTS  the host's own key, as a line of known_hosts
#   DEPLOY_KEY          the private key
#   SERVICE_URL         https://NAME, as its users know it
#   WEEDWATCH_API_KEY   a key with the scope predict, for the prediction that is tried
# Ends with 0: it runs. 1: it does not, and the version before answers. 2: nothing was done. 3: going back failed.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1-}
if ! [[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "'$tag' is no tag of a release; write v1.2.3." >&2
  exit 2
fi
for name in DEPLOY_TARGET DEPLOY_KNOWN_HOSTS DEPLOY_KEY SERVICE_URL; do
  if [ -z "${!name-}" ]; then
    echo "$name is not set; docs/releasing.md says what the environment needs." >&2
    exit 2
  fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(
  umask 077
  printf '%s\n' "$DEPLOY_KEY" >"$folder/key"
  printf '%s\n' "$DEPLOY_KNOWN_HOSTS" >"$folder/known_hosts"
)
unset DEPLOY_KEY

host() { # host WORDS…: what the gate on the host is asked for
  ssh -i "$folder/key" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
    -o UserKnownHostsFile="$folder/known_hosts" -o GlobalKnownHostsFile=/dev/null \
    -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=8 -- "$DEPLOY_TARGET" "$*"
}

verify() {
  python3 -m deploy verify "$SERVICE_URL" --wait "${VERIFY_SECONDS:-180}" "$@"
}

echo "== $tag to the host"
if host deploy "$tag" && echo "== from outside" && verify --version "$tag"; then
  echo "$tag runs."
  exit 0
fi
echo "== $tag does not run as it should; back to the version before"
if host rollback "$tag" && verify; then
  echo "The version before answers; $tag is not deployed." >&2
  exit 1
fi
echo "Going back failed: look at the host now (docs/operations.md)." >&2
exit 3
