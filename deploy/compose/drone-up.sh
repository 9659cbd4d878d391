#!/usr/bin/env bash
# usage: drone-up.sh --control-plane URL [--key-file FILE] [--id ID]
#
# Starts a drone for the control plane at URL. Without --key-file it takes the key of the control plane that runs on this
# host. The key goes into the drone's volume, readable by its user alone.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

url="" key_file=""
while [ $# -gt 0 ]; do
  case $1 in
    --control-plane) url=${2:?--control-plane needs a URL}; shift 2;;
    --key-file) key_file=${2:?--key-file needs a file}; shift 2;;
    --id) export CHARTLY_DRONE_ID=${2:?--id needs a name}; shift 2;;
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0;;
    *) fail "unknown argument $1; see --help";;
  esac
done
[ -n "$url" ] || fail "say where the control plane is: --control-plane http://localhost:8090"
export CHARTLY_CONTROL_PLANE=$url

key_archive() {  # a tar of admin.key, as it has to lie in the volume
  if [ -n "$key_file" ]; then
    [ -s "$key_file" ] || fail "$key_file cannot be read or is empty"
    tar --create --owner=10440 --group=10440 --mode=0600 --directory="$(dirname "$key_file")" \
      --transform='s/.*/admin.key/' "$(basename "$key_file")"
  else
    docker cp "$(control_container):/app/data/admin.key" -
  fi
}

need_engine
[ -n "$key_file" ] || [ -n "$(control_container)" ] || fail "no control plane runs on this host; give its key with --key-file"
drone up --no-start
key_archive | docker cp - "$(drone_container):/app/data/"
drone up --detach
echo "The drone ${CHARTLY_DRONE_ID:-local} works for $url; its log: docker logs $(drone_container | cut -c1-12)"
