# Stops the drone and the control plane of this host. What they keep stays.
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Engine
Invoke-Drone down --timeout 20
Invoke-Control down --timeout 20
