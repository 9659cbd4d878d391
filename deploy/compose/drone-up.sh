#!/usr/bin/env bash
# usage: drone-up.sh --control-plane URL [--id ID] [--token-file FILE] [--ca-file FILE] [--again]
#
# Starts a drone for the control plane at URL, or leaves it as it is where it already runs. It joins first, with the token in
# FILE, of which each lets one drone in once; without --token-file the control plane that runs on this host makes one.
# --ca-file names the authority of the gateway where that is none that everybody trusts. --again joins anew also with an
# identity that looks good: after the drone was revoked, or the control plane restored from before the drone was there.
set -euo pipefail
# shellcheck source=deploy/compose/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

url="" token_file="" ca_file="" again=no
while [ $# -gt 0 ]; do
  case $1 in
    --control-plane) url=${2:?--control-plane needs a URL}; shift 2;;
    --token-file) token_file=${2:?--token-file needs a file}; shift 2;;
    --ca-file) ca_file=${2:?--ca-file needs a file}; shift 2;;
    --id) export CHARTLY_DRONE_ID=${2:?--id needs a name}; shift 2;;
    --again) again=yes; shift;;
    -h|--help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0;;
    *) fail "unknown argument $1; see --help";;
  esac
done
[ -n "$url" ] || fail "say where the control plane is: --control-plane http://localhost:8090"
case $url in
  https://*) ;;
  http://*) host=${url#http://} host=${host%%/*}
            is_loopback "${host%:*}" || fail "$url would send the token in the clear; give the gateway TLS and use https://";;
  *) fail "--control-plane takes http:// or https://, not $url";;
esac
id=${CHARTLY_DRONE_ID:-local}
[ -n "$ca_file" ] || [ -z "${CHARTLY_TLS_DIR:-}" ] || ca_file=$CHARTLY_TLS_DIR/ca.crt
export CHARTLY_CONTROL_PLANE=$url
[ -z "$ca_file" ] || export CHARTLY_JOIN_CA_FILE=/app/data/gateway-ca.crt

put() {  # put FILE NAME: into the volume of the drone, readable by its user alone
  tar --create --owner=10440 --group=10440 --mode=0600 --directory="$(dirname "$1")" \
    --transform="s/.*/$2/" "$(basename "$1")" | docker cp - "$(join_container):/app/data/"
}

need_engine
for file in "$token_file" "$ca_file"; do
  [ -z "$file" ] || [ -s "$file" ] || fail "$file cannot be read or is empty"
done
if [ -z "$token_file" ]; then
  [ -n "$(control_container)" ] || fail "no control plane runs on this host; give a token that it made with --token-file"
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  token_file=$made/join.token
  docker exec "$(control_container)" /usr/bin/chartly drone token "$id" >"$token_file" 2>"$made/said" ||
    fail "the control plane made no token: $(cat "$made/said")"
fi
drone up --no-start join
put "$token_file" join.token
[ -z "$ca_file" ] || put "$ca_file" gateway-ca.crt
if [ "$again" = yes ]; then drone stop --timeout 20 drone; export CHARTLY_JOIN_AGAIN=true; fi
drone up --detach ||
  { docker logs --tail 5 "$(join_container)" >&2 || true; fail "the drone $id did not join or start"; }
echo "The drone $id works for $url; its log: docker logs $(drone_container | cut -c1-12)"
