#!/usr/bin/env bash
# Starts the control plane, or leaves it as it is where it already runs.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_engine
control up --detach
wait_healthy "$(control_container)"
cat <<TEXT
The control plane is up at http://${CHARTLY_BIND:-127.0.0.1}:8090/
  key    docker cp $(control_container | cut -c1-12):/app/data/admin.key .
  drone  $here/drone-up.sh --control-plane http://localhost:8090
  stop   $here/stop-all.sh
TEXT
