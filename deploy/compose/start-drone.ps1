# Starts a drone for the control plane at -ControlPlane. Without -KeyFile it takes the key of the control plane that runs
# on this host.
param(
  [Parameter(Mandatory = $true)][string]$ControlPlane,
  [string]$KeyFile = '',
  [string]$Id = ''
)
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

$env:CHARTLY_CONTROL_PLANE = $ControlPlane
if ($Id) { $env:CHARTLY_DRONE_ID = $Id }
Assert-Engine
if (-not $KeyFile -and -not (Get-ControlContainer)) { throw 'no control plane runs on this host; give its key with -KeyFile' }
$archive = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
try {
  if ($KeyFile) {
    tar --create --owner=10440 --group=10440 --mode=0600 --file=$archive --directory=(Split-Path $KeyFile) --transform='s/.*/admin.key/' (Split-Path -Leaf $KeyFile)
  } else {
    cmd /c "docker cp $(Get-ControlContainer):/app/data/admin.key - > `"$archive`""
  }
  Invoke-Drone up --no-start
  cmd /c "docker cp - $(Get-DroneContainer):/app/data/ < `"$archive`""
} finally {
  Remove-Item -Force -ErrorAction SilentlyContinue $archive
}
Invoke-Drone up --detach
Write-Output "The drone works for $ControlPlane"
