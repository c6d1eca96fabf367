#!/usr/bin/env bash
# All that the key of a deployment may do on this host. In ~/.ssh/authorized_keys of the account that deploys:
#   restrict,command="/srv/weedwatch/scripts/deploy-gate.sh" ssh-ed25519 …
# Then `ssh HOST deploy v1.2.3`, `ssh HOST rollback v1.2.3` (only if that runs) and `ssh HOST status` work.
set -euo pipefail

refuse() {
  echo "Only 'deploy vX.Y.Z', 'rollback vX.Y.Z' and 'status' are done here." >&2
  exit 64
}

recorded() { cat ".git/weedwatch-$1" 2>/dev/null || true; }

record() { # record WHAT VALUE; no value: it is forgotten
  if [ -n "$2" ]; then echo "$2" >".git/weedwatch-$1"; else rm -f ".git/weedwatch-$1"; fi
}

deploy() { # What is checked out and what is recorded must be what runs, so a failure puts both back.
  local before deployed_before before_that
  before=$(git rev-parse HEAD)
  deployed_before=$(recorded deployed)
  before_that=$(recorded before)
  git fetch --quiet origin "refs/tags/$1:refs/tags/$1"
  git checkout --quiet --detach "$1"
  # The same once more leaves what was before it.
  [ "$deployed_before" = "$1" ] || record before "$before"
  record deployed "$1"
  if make fetch TAG="${1#v}" && make deploy TAG="${1#v}"; then return; fi
  git checkout --quiet --detach "$before"
  record deployed "$deployed_before"
  record before "$before_that"
  echo "$1 was not started; what ran before goes on." >&2
  return 1
}

rollback() {
  if [ "$(recorded deployed)" != "$1" ]; then
    echo "$1 does not run here, so there is nothing to go back from."
    return
  fi
  git checkout --quiet --detach "$(recorded before)"
  make rollback
  record deployed ""
}

main() { # Read to its end before anything runs: a checkout changes this very file.
  local verb tag rest
  cd "$(dirname "$0")/.."
  read -r verb tag rest <<<"${SSH_ORIGINAL_COMMAND-$*}" || true
  [ -z "$rest" ] || refuse
  case $verb in
    deploy | rollback) [[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || refuse ;;
    status) [ -z "$tag" ] || refuse ;;
    *) refuse ;;
  esac
  exec 9>.git/weedwatch-deploying
  flock --wait 900 9 || { echo "Another deployment is at work on this host." >&2; exit 75; }
  case $verb in
    deploy) deploy "$tag" ;;
    rollback) rollback "$tag" ;;
    status) git describe --tags --always && docker compose ps ;;
  esac
}

main "$@"
exit
