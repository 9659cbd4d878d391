#!/usr/bin/env bash
# usage: reset-data.sh [--yes]
#
# Deletes what the control plane and the drone of this host keep. Without --yes it only says what that would be.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  ""|--dry-run) really=no;;
  --yes) really=yes;;
  *) fail "unknown argument $1; --yes deletes, without it nothing is";;
esac
need_engine
volumes=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT"
          docker volume ls --quiet --filter "label=com.docker.compose.project=$DRONE_PROJECT")
[ -n "$volumes" ] || { say "there is no data"; exit 0; }
if [ "$really" = no ]; then
  say "would delete, with --yes:"
  printf '%s\n' "$volumes"
  exit 0
fi
[ -z "$(docker ps --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT")$(docker ps --quiet --filter "label=com.docker.compose.project=$DRONE_PROJECT")" ] ||
  fail "Chartly is running; run stop-all.sh first"
# shellcheck disable=SC2086
docker volume rm $volumes >/dev/null
say "deleted: $(echo "$volumes" | tr '\n' ' ')"
