# What the tests of the wrapper share.

$root = Split-Path $PSScriptRoot

# The path of powershell/Connect-NinjaOne.ps1.
function Get-WrapperPath { Join-Path $root 'powershell' 'Connect-NinjaOne.ps1' }

# The path of a Go program of this repository: the environment variable's, else one built now.
function Get-BuiltProgram ([string] $Variable, [string] $Package) {
    $path = [Environment]::GetEnvironmentVariable($Variable)
    if ($path) { return $path }
    $path = Join-Path ([IO.Path]::GetTempPath()) "ninjaone-auth-tests-$PID-$(Split-Path $Package -Leaf)"
    if ($env:OS -eq 'Windows_NT') { $path += '.exe' }
    if (-not (Test-Path -LiteralPath $path)) {
        Push-Location $root
        try { go build -o $path $Package } finally { Pop-Location }
        if ($LASTEXITCODE) { throw "go build $Package failed." }
    }
    $path
}

# A pwsh of its own that dot-sources the wrapper and runs a script; both outputs are kept.
function Start-Shell ([string] $Script, [string[]] $Arguments = '-NonInteractive', [hashtable] $Environment = @{}) {
    $file = Join-Path ([IO.Path]::GetTempPath()) "ninjaone-auth-tests-$([guid]::NewGuid()).ps1"
    [IO.File]::WriteAllText($file, "`$null = 0`n. '$(Get-WrapperPath)'`n$Script`n")
    $start = [Diagnostics.ProcessStartInfo]::new((Get-Process -Id $PID).Path)
    foreach ($argument in @('-NoProfile') + $Arguments + @('-File', $file)) { $start.ArgumentList.Add($argument) }
    foreach ($name in $Environment.Keys) { $start.Environment[$name] = $Environment[$name] }
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $process.StandardInput.Close()
    @{ Process = $process; Out = $process.StandardOutput.ReadToEndAsync(); Error = $process.StandardError.ReadToEndAsync(); File = $file }
}

# Waits for a shell to end and returns everything that it wrote.
function Wait-Shell ($Shell, [int] $Seconds = 60) {
    if (-not $Shell.Process.WaitForExit($Seconds * 1000)) {
        $Shell.Process.Kill($true)
        throw "The shell did not end within $Seconds s: $($Shell.Out.Result) $($Shell.Error.Result)"
    }
    [IO.File]::Delete($Shell.File)
    $Shell.Out.Result + $Shell.Error.Result
}

function Invoke-Shell ([string] $Script, [string[]] $Arguments = '-NonInteractive', [hashtable] $Environment = @{}) {
    Wait-Shell (Start-Shell $Script $Arguments $Environment)
}

# Waits until a condition holds.
function Wait-Until ([scriptblock] $Condition, [double] $Seconds = 20) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    while (-not (& $Condition)) {
        if ($clock.Elapsed.TotalSeconds -gt $Seconds) { throw "Not within $Seconds s: $Condition" }
        Start-Sleep -Milliseconds 20
    }
    $clock.Elapsed
}

# A program that plays the other side: it notes the request (in .request beside it) and its pid (.pid), then runs a shell script.
function New-FakeProgram ([string] $Path, [string] $Script) {
    [IO.File]::WriteAllText($Path, "#!/bin/sh`necho `$`$ > '$Path.pid'`nprintf '%s\n' `"`$*`" > '$Path.arguments'`nenv > '$Path.environment'`n" +
        "IFS= read -r request`nprintf '%s\n' `"`$request`" > '$Path.request'`n$Script`n")
    [IO.File]::SetUnixFileMode($Path, 'UserRead, UserWrite, UserExecute')
    $Path
}

# The answer line with a session, some fields changed.
function Get-SessionLine ([hashtable] $Connection = @{}, [hashtable] $Authentication = @{}) {
    $line = @{
        type = 'session'; parameterSet = 'Client Credentials'
        connection = @{
            AuthMode = 'Client Credentials'; URL = 'https://eu.ninjarmm.com'; Instance = 'eu'; ClientId = 'id'; ClientSecret = 'client-secret-0'
            AuthListenerPort = 9090; AuthScopes = 'monitoring management control'; RedirectURI = 'http://localhost:9090/'
            UseSecretManagement = $false; VaultName = $null; WriteToSecretVault = $false; ReadFromSecretVault = $false; SecretPrefix = 'NinjaOne'
        }
        authentication = @{ Type = 'Bearer'; Access = 'access-token-0'; Expires = '2026-11-24T08:00:00.5Z'; Refresh = $null }
    }
    foreach ($key in $Connection.Keys) { $line.connection[$key] = $Connection[$key] }
    foreach ($key in $Authentication.Keys) { $line.authentication[$key] = $Authentication[$key] }
    ConvertTo-Json $line -Depth 6 -Compress -EscapeHandling EscapeNonAscii
}

# A shell command that prints a line of JSON.
function Get-PrintCommand ([string] $Line) { "printf '%s\n' '$($Line.Replace("'", '\u0027'))'" }

Export-ModuleMember -Function *
