# What the scripts of this folder share. Read with a dot, not run.
$env:COMPOSE_IGNORE_ORPHANS = '1'
$ControlProject = 'chartly-control'
$DroneProject = 'chartly-drone'

function Invoke-Compose($project, $file, $arguments) {
  docker compose --project-name $project --file (Join-Path $PSScriptRoot $file) @arguments
  if ($LASTEXITCODE -ne 0) { throw "docker compose $arguments failed" }
}
function Invoke-Control { Invoke-Compose $ControlProject 'docker-compose.control.yml' $args }
function Invoke-Drone { Invoke-Compose $DroneProject 'docker-compose.drone.yml' $args }

function Assert-Engine {
  docker info *> $null
  if ($LASTEXITCODE -ne 0) { throw 'no Docker engine answers; start it, or set DOCKER_HOST' }
}

function Get-ControlContainer { docker ps --all --quiet --filter "label=com.docker.compose.project=$ControlProject" | Select-Object -First 1 }
function Get-DroneContainer { docker ps --all --quiet --filter "label=com.docker.compose.project=$DroneProject" | Select-Object -First 1 }

function Wait-Healthy($container) {
  foreach ($i in 1..120) {
    if ((docker inspect --format '{{.State.Health.Status}}' $container) -eq 'healthy') { return }
    Start-Sleep -Milliseconds 500
  }
  docker logs --tail 20 $container
  throw 'the control plane did not become healthy within 60 s'
}
