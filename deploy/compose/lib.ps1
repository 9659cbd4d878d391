# What the scripts of this folder share. Read with a dot, not run.
$env:COMPOSE_IGNORE_ORPHANS = '1'
$ControlProject = 'chartly-control'
$DroneProject = 'chartly-drone'

function Invoke-Compose($project, $files, $arguments) {
  $named = $files | ForEach-Object { '--file'; Join-Path $PSScriptRoot $_ }
  docker compose --project-name $project @named @arguments
  if ($LASTEXITCODE -ne 0) { throw "docker compose $arguments failed" }
}
function Invoke-Control {
  if ($args[0] -eq 'up') { Assert-SafeGateway }
  $files = @('docker-compose.control.yml')
  if ($env:CHARTLY_TLS_DIR) { $files += 'docker-compose.tls.yml' }
  Invoke-Compose $ControlProject $files $args
}
function Invoke-Drone { Invoke-Compose $DroneProject @('docker-compose.drone.yml') $args }

function Assert-Engine {
  docker info *> $null
  if ($LASTEXITCODE -ne 0) { throw 'no Docker engine answers; start it, or set DOCKER_HOST' }
}

function Get-Container($project, $service) {
  docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" |
    Select-Object -First 1
}
function Get-ControlContainer { Get-Container $ControlProject 'control' }
function Get-JoinContainer { Get-Container $DroneProject 'join' }

function Test-Loopback($address) { $address -match '^(localhost|127(\.[0-9]+){3}|::1|\[::1\])$' }

# Keys, tokens and records leave this host over TLS or not at all, and a gateway with TLS does not lose it because a variable
# is not set in another shell.
function Assert-SafeGateway {
  if ($env:CHARTLY_TLS_DIR) { return }
  if ($env:CHARTLY_BIND -and -not (Test-Loopback $env:CHARTLY_BIND)) {
    throw "CHARTLY_BIND=$env:CHARTLY_BIND opens the gateway to other hosts; set CHARTLY_TLS_DIR and CHARTLY_TLS_NAME, too"
  }
  $container = Get-ControlContainer
  if ($container -and "$(docker inspect --format '{{.Config.Env}}' $container)" -match 'CHARTLY_TLS_CERT=') {
    throw 'the gateway takes TLS; set CHARTLY_TLS_DIR and CHARTLY_TLS_NAME as before, or run stop-all.ps1 first'
  }
}

function Wait-Healthy($container) {
  foreach ($i in 1..120) {
    if ((docker inspect --format '{{.State.Health.Status}}' $container) -eq 'healthy') { return }
    Start-Sleep -Milliseconds 500
  }
  docker logs --tail 20 $container
  throw 'the control plane did not become healthy within 60 s'
}
