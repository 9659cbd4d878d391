# Deletes what the control plane and the drone of this host keep. Without -Yes it only says what that would be.
param([switch]$Yes)
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Engine
$volumes = @($ControlProject, $DroneProject | ForEach-Object { docker volume ls --quiet --filter "label=com.docker.compose.project=$_" })
if (-not $volumes) { Write-Output 'there is no data'; exit 0 }
if (-not $Yes) { Write-Output 'would delete, with -Yes:' $volumes; exit 0 }
$running = @($ControlProject, $DroneProject | ForEach-Object { docker ps --quiet --filter "label=com.docker.compose.project=$_" })
if ($running) { throw 'Chartly is running; run stop-all.ps1 first' }
docker volume rm $volumes | Out-Null
