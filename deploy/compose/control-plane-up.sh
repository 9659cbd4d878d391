#!/usr/bin/env bash
# Starts the control plane, or leaves it as it is where it already runs. With CHARTLY_TLS_DIR, a folder of tls.crt, tls.key
# and ca.crt, and CHARTLY_TLS_NAME, a name in that certificate, the gateway takes TLS only.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_engine
control up --detach
wait_healthy "$(control_container)"
url=http://${CHARTLY_BIND:-127.0.0.1}:8090 of_url=http://localhost:8090
[ -z "${CHARTLY_TLS_DIR:-}" ] || url=https://$CHARTLY_TLS_NAME:8090 of_url=https://$CHARTLY_TLS_NAME:8090
cat <<TEXT
The control plane is up at $url/
  key    docker cp $(control_container | cut -c1-12):/app/data/admin.key .
  drone  $here/drone-up.sh --control-plane $of_url
  token  docker exec $(control_container | cut -c1-12) /usr/bin/chartly drone token    (for a drone on another host)
  stop   $here/stop-all.sh
TEXT
