# Runs tests/*.Tests.ps1 under Pester 5; a skipped test is listed by `make test`, never passed over. SecretManagement is all
# that a test is skipped for.
$ErrorActionPreference = 'Stop'
Import-Module Pester -MinimumVersion 5.5 -MaximumVersion 5.999
$env:NO_COLOR = '1'
$configuration = New-PesterConfiguration
$configuration.Run.Path = $PSScriptRoot
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Normal'
$result = Invoke-Pester -Configuration $configuration
foreach ($test in $result.Skipped) {
    $path = if ($test.ExpandedPath) { $test.ExpandedPath } else { $test.Path -join '.' }
    if ($env:NOT_RUN_LIST) { Add-Content -Path $env:NOT_RUN_LIST -Value "Pester: $path (Install-Module Microsoft.PowerShell.SecretManagement)" }
}
if ($result.Result -ne 'Passed' -or $result.PassedCount -eq 0) { exit 1 }
