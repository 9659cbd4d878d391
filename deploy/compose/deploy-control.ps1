# Starts the control plane, or leaves it as it is where it already runs.
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Engine
Invoke-Control up --detach
Wait-Healthy (Get-ControlContainer)
$bind = if ($env:CHARTLY_BIND) { $env:CHARTLY_BIND } else { '127.0.0.1' }
Write-Output "The control plane is up at http://${bind}:8090/"
