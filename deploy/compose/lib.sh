# shellcheck shell=bash
# What the scripts of this folder share. Sourced, not run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export COMPOSE_IGNORE_ORPHANS=1
CONTROL_PROJECT=chartly-control
DRONE_PROJECT=chartly-drone

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

compose() {  # compose ARGUMENT...
  if docker compose version >/dev/null 2>&1; then docker compose "$@"
  elif command -v docker-compose >/dev/null; then docker-compose "$@"
  else fail "neither the plugin 'docker compose' nor docker-compose is installed"
  fi
}

control() {
  [ "$1" != up ] || need_safe_gateway
  local files=(--file "$here/docker-compose.control.yml")
  [ -z "${CHARTLY_TLS_DIR:-}" ] || files+=(--file "$here/docker-compose.tls.yml")
  compose --project-name "$CONTROL_PROJECT" "${files[@]}" "$@"
}
drone() { compose --project-name "$DRONE_PROJECT" --file "$here/docker-compose.drone.yml" "$@"; }

need_engine() { docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or set DOCKER_HOST"; }

container_of() {  # container_of PROJECT SERVICE
  docker ps --all --quiet --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" | head -n 1
}
control_container() { container_of "$CONTROL_PROJECT" control; }
join_container() { container_of "$DRONE_PROJECT" join; }
drone_container() { container_of "$DRONE_PROJECT" drone; }

is_loopback() { [[ $1 =~ ^(localhost|127(\.[0-9]+){3}|::1|\[::1\])$ ]]; }

# Keys, tokens and records leave this host over TLS or not at all, and a gateway with TLS does not lose it because a variable
# is not set in another shell.
need_safe_gateway() {
  [ -z "${CHARTLY_TLS_DIR:-}" ] || return 0
  is_loopback "${CHARTLY_BIND:-127.0.0.1}" ||
    fail "CHARTLY_BIND=$CHARTLY_BIND opens the gateway to other hosts; set CHARTLY_TLS_DIR and CHARTLY_TLS_NAME, too"
  local environment
  environment=$(docker inspect --format '{{.Config.Env}}' "$(control_container)" 2>/dev/null || true)
  case $environment in
    *CHARTLY_TLS_CERT=*) fail "the gateway takes TLS; set CHARTLY_TLS_DIR and CHARTLY_TLS_NAME as before, or run stop-all.sh first";;
  esac
}

wait_healthy() {  # wait_healthy CONTAINER
  local state
  for _ in $(seq 1 120); do
    state=$(docker inspect --format '{{.State.Health.Status}}' "$1" 2>/dev/null || true)
    [ "$state" = healthy ] && return 0
    sleep 0.5
  done
  docker logs --tail 20 "$1" >&2
  fail "the control plane did not become healthy within 60 s"
}
