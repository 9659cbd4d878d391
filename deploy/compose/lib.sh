# shellcheck shell=bash
# What the scripts of this folder share. Sourced, not run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export COMPOSE_IGNORE_ORPHANS=1
CONTROL_PROJECT=chartly-control
DRONE_PROJECT=chartly-drone

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

compose() {  # compose PROJECT FILE ARGUMENT...
  local project=$1 file=$here/$2; shift 2
  if docker compose version >/dev/null 2>&1; then docker compose --project-name "$project" --file "$file" "$@"
  elif command -v docker-compose >/dev/null; then docker-compose --project-name "$project" --file "$file" "$@"
  else fail "neither the plugin 'docker compose' nor docker-compose is installed"
  fi
}

control() { compose "$CONTROL_PROJECT" docker-compose.control.yml "$@"; }
drone() { compose "$DRONE_PROJECT" docker-compose.drone.yml "$@"; }

need_engine() { docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or set DOCKER_HOST"; }

control_container() { docker ps --all --quiet --filter "label=com.docker.compose.project=$CONTROL_PROJECT" | head -n 1; }
drone_container() { docker ps --all --quiet --filter "label=com.docker.compose.project=$DRONE_PROJECT" | head -n 1; }

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
