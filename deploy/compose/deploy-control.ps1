# Starts the control plane, or leaves it as it is where it already runs. With CHARTLY_TLS_DIR, a folder of tls.crt, tls.key
# and ca.crt, and CHARTLY_TLS_NAME, a name in that certificate, the gateway takes TLS only.
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Engine
Invoke-Control up --detach
Wait-Healthy (Get-ControlContainer)
$bind = if ($env:CHARTLY_BIND) { $env:CHARTLY_BIND } else { '127.0.0.1' }
$url = if ($env:CHARTLY_TLS_DIR) { "https://${env:CHARTLY_TLS_NAME}:8090" } else { "http://${bind}:8090" }
Write-Output "The control plane is up at $url/"
Write-Output "A token for a drone on another host: docker exec $(Get-ControlContainer) /usr/bin/chartly drone token"
