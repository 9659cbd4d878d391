# Starts a drone for the control plane at -ControlPlane, or leaves it as it is where it already runs. It joins first, with the
# token in -TokenFile, of which each lets one drone in once; without it the control plane that runs on this host makes one.
# -CaFile names the authority of the gateway where that is none that everybody trusts. -Again joins anew also with an
# identity that looks good: after the drone was revoked, or the control plane restored from before the drone was there.
param(
  [Parameter(Mandatory = $true)][string]$ControlPlane,
  [string]$TokenFile = '',
  [string]$CaFile = '',
  [string]$Id = '',
  [switch]$Again
)
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

$at = [Uri]$ControlPlane
if ($at.Scheme -ne 'https' -and -not ($at.Scheme -eq 'http' -and (Test-Loopback $at.Host))) {
  throw "$ControlPlane would send the token in the clear; give the gateway TLS and use https://"
}
if ($Id) { $env:CHARTLY_DRONE_ID = $Id }
$name = if ($env:CHARTLY_DRONE_ID) { $env:CHARTLY_DRONE_ID } else { 'local' }
if (-not $CaFile -and $env:CHARTLY_TLS_DIR) { $CaFile = Join-Path $env:CHARTLY_TLS_DIR 'ca.crt' }
$env:CHARTLY_CONTROL_PLANE = $ControlPlane
if ($CaFile) { $env:CHARTLY_JOIN_CA_FILE = '/app/data/gateway-ca.crt' }

$made = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())

# Into the volume of the drone, readable by its user alone.
function Put-File($file, $as) {
  $archive = Join-Path $made 'archive.tar'
  tar --create --owner=10440 --group=10440 --mode=0600 --file=$archive --directory=(Split-Path -Parent (Resolve-Path $file)) --transform="s/.*/$as/" (Split-Path -Leaf $file)
  cmd /c "docker cp - $(Get-JoinContainer):/app/data/ < `"$archive`""
}

Assert-Engine
New-Item -ItemType Directory -Path $made | Out-Null
try {
  if (-not $TokenFile) {
    if (-not (Get-ControlContainer)) { throw 'no control plane runs on this host; give a token that it made with -TokenFile' }
    $TokenFile = Join-Path $made 'join.token'
    $token = docker exec (Get-ControlContainer) /usr/bin/chartly drone token $name
    if ($LASTEXITCODE -ne 0) { throw 'the control plane made no token' }
    [IO.File]::WriteAllText($TokenFile, "$token")
  }
  Invoke-Drone up --no-start join
  Put-File $TokenFile 'join.token'
  if ($CaFile) { Put-File $CaFile 'gateway-ca.crt' }
} finally {
  Remove-Item -Recurse -Force -ErrorAction SilentlyContinue $made
}
if ($Again) { Invoke-Drone stop --timeout 20 drone; $env:CHARTLY_JOIN_AGAIN = 'true' }
Invoke-Drone up --detach
Write-Output "The drone $name works for $ControlPlane"
