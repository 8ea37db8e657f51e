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
    $start.Environment['NO_COLOR'] = '1'
    $start.Environment['TERM'] = 'dumb'
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

# What Ctrl+C does to a shell.
function Stop-Shell ($Shell) { & sh -c "kill -INT $($Shell.Process.Id)" }

function Invoke-Shell ([string] $Script, [string[]] $Arguments = '-NonInteractive', [hashtable] $Environment = @{}) {
    Wait-Shell (Start-Shell $Script $Arguments $Environment)
}

# A runspace of its own that dot-sources the wrapper and runs a script: what it put out, and its errors.
function Invoke-Runspace ([string] $Script) {
    $shell = [powershell]::Create().AddScript(". '$(Get-WrapperPath)'`n$Script")
    try {
        $shell.Invoke()
        $shell.Streams.Error
    } finally {
        $shell.Dispose()
    }
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

# Whether this machine has SecretManagement: the tests that need it are skipped without it, and listed as not run.
function Test-SecretManagement { [bool] (Get-Module -ListAvailable -Name Microsoft.PowerShell.SecretManagement) }

# Registers a vault of tests/TestVault in a folder, under a name that nobody else has.
function Register-TestVault ([string] $Folder) {
    $vault = @{ Name = "NinjaOneVault-$([guid]::NewGuid())"; Path = Join-Path $Folder 'vault.xml' }
    $null = New-Item -ItemType Directory -Path $Folder -Force
    if (Test-SecretManagement) {
        Register-SecretVault -Name $vault.Name -ModuleName (Join-Path $PSScriptRoot 'TestVault') -VaultParameters @{ Path = $vault.Path } -DefaultVault:$false
    }
    $vault
}

function Unregister-TestVault ($Vault) { if (Test-SecretManagement) { Unregister-SecretVault -Name $Vault.Name } }

# Makes a vault empty, with nothing to go wrong and no call noted.
function Clear-TestVault ($Vault) { foreach ($file in $Vault.Path, "$($Vault.Path).calls", "$($Vault.Path).faults") { [IO.File]::Delete($file) } }

# Makes calls of a function for a name fail or wait, so many times, or always.
function Set-VaultFault ($Vault, [string] $Function, [string] $Name, [int] $Times = 0, [int] $DelayMilliseconds = 0) {
    $fault = @{ function = $Function; name = $Name; times = $Times; kind = if ($DelayMilliseconds) { 'delay' } else { 'throw' }; milliseconds = $DelayMilliseconds }
    [IO.File]::WriteAllText("$($Vault.Path).faults", (ConvertTo-Json @($fault)))
}

# The names that a function of a vault was called with, in order.
function Get-VaultCall ($Vault, [string] $Function) {
    if (-not [IO.File]::Exists("$($Vault.Path).calls")) { return }
    [IO.File]::ReadAllLines("$($Vault.Path).calls") | Where-Object { $_.StartsWith("$Function ") } | ForEach-Object { $_.Substring($Function.Length + 1) }
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
