#!/usr/bin/env bash
# usage: restore-data.sh FILE
#
# Brings up the control plane with what backup-data.sh wrote to FILE. It replaces nothing: where there is data, run
# reset-data.sh first. Drones that had joined by then go on, and send again what they still hold.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

file=${1:?usage: restore-data.sh FILE}
tar --list --file="$file" ./admin.key >/dev/null 2>&1 || fail "$file is not what backup-data.sh writes"
need_engine
[ -z "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT")" ] ||
  fail "there is data already; look at it, then run reset-data.sh --yes"
control up --no-start
docker cp - "$(control_container):/app/data/" <"$file"
control up --detach
wait_healthy "$(control_container)"
say "restored from $file"
