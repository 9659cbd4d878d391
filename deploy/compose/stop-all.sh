#!/usr/bin/env bash
# Stops the drone and the control plane of this host. What they keep stays.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_engine
drone down --timeout 20
control down --timeout 20
say "stopped"
