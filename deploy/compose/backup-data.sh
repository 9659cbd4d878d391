#!/usr/bin/env bash
# usage: backup-data.sh FILE
#
# Writes everything that the control plane of this host keeps to FILE, a tar. It is stopped for that and started again;
# drones spool meanwhile. The file holds the admin key and the authority that lets drones in: keep it as you keep those.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

file=${1:?usage: backup-data.sh FILE}
[ ! -e "$file" ] || fail "$file is there already"
need_engine
[ -n "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT")" ] || fail "there is no data"
umask 077
running=$(docker ps --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT")
if [ -n "$running" ]; then control stop --timeout 20; else control up --no-start; fi
docker cp "$(control_container):/app/data/." - >"$file.part" || { rm -f "$file.part"; fail "the data could not be read"; }
mv "$file.part" "$file"
if [ -n "$running" ]; then control start; wait_healthy "$(control_container)"; fi
say "$file: $(wc -c <"$file") bytes"
