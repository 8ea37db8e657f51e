# Runs tests/*.Tests.ps1 under Pester 5; a skipped test is listed by `make test`, never passed over. A test is skipped only for
# want of SecretManagement, and on Windows for want of signals.
param ([string] $Only = '*')
$ErrorActionPreference = 'Stop'
Import-Module Pester -MinimumVersion 5.5 -MaximumVersion 5.999
$env:NO_COLOR = '1'
$configuration = New-PesterConfiguration
$configuration.Run.Path = $PSScriptRoot
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Normal'
$configuration.Filter.FullName = $Only
$result = Invoke-Pester -Configuration $configuration
$needs = if ($IsWindows) { 'a Unix, or Install-Module Microsoft.PowerShell.SecretManagement' } else { 'Install-Module Microsoft.PowerShell.SecretManagement' }
foreach ($test in $result.Skipped) {
    $path = if ($test.ExpandedPath) { $test.ExpandedPath } else { $test.Path -join '.' }
    if ($env:NOT_RUN_LIST) { Add-Content -Path $env:NOT_RUN_LIST -Value "Pester: $path ($needs)" }
}
if ($result.Result -ne 'Passed' -or $result.PassedCount -eq 0) { exit 1 }
