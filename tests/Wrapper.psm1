# What the tests of the wrapper share.

$root = Split-Path $PSScriptRoot
$suffix = if ($IsWindows) { '.exe' }
$processes = [Collections.Generic.List[Diagnostics.Process]]::new()
$environment = @{}
foreach ($name in 'NINJAONE_AUTH_PATH', 'HTTPS_PROXY', 'SSL_CERT_FILE', 'SECRETMANAGEMENT_STANDIN_HOME') { $environment[$name] = [Environment]::GetEnvironmentVariable($name) }

# Ends what a failed test has left running, and restores the environment. Pester itself removes the test drive.
function Clear-Leftover {
    $drive = (Get-PSDrive TestDrive).Root
    foreach ($process in $processes | Where-Object HasExited -EQ $false) {
        # Each removes its temporary files if it is not killed. The end of its stdin is enough for the stand-in.
        $process.StandardInput.Close()
        if (-not $IsWindows -and -not $process.WaitForExit(1000)) { Stop-Shell @{ Process = $process } }
        if (-not $process.WaitForExit(10000)) { $process.Kill($true) }
    }
    Get-Process | Where-Object { "$($_.Path)".StartsWith($drive) } | Stop-Process -Force
    foreach ($name in $environment.Keys) { [Environment]::SetEnvironmentVariable($name, $environment[$name]) }
}

# The path of powershell/Connect-NinjaOne.ps1.
function Get-WrapperPath { Join-Path $root 'powershell' 'Connect-NinjaOne.ps1' }

# The path of a Go program of this repository: the environment variable's, else one built now.
function Get-BuiltProgram ([string] $Variable, [string] $Package) {
    $path = [Environment]::GetEnvironmentVariable($Variable)
    if ($path) { return $path }
    $path = Join-Path $root 'bin' 'tests' "$(Split-Path $Package -Leaf)$suffix"
    if (-not $built.Contains($path)) {
        Push-Location $root
        try { go build -o $path $Package } finally { Pop-Location }
        if ($LASTEXITCODE) { throw "go build $Package failed." }
        $null = $built.Add($path)
    }
    $path
}
$built = [Collections.Generic.HashSet[string]]::new()

function Get-PlayPath { Get-BuiltProgram PLAY_PATH ./tests/cmd/play }

# Makes PATH (with .exe on Windows) a program that plays a script, and returns its full path. See tests/cmd/play for the
# script and for the notes beside it, which are removed first, like any other file PATH.*.
function New-FakeProgram ([string] $Path, [string[]] $Script = @()) {
    $null = New-Item -ItemType Directory -Path (Split-Path $Path) -Force
    Get-ChildItem "$Path.*" | Where-Object FullName -ne "$Path$suffix" | Remove-Item
    if (-not [IO.File]::Exists("$Path$suffix")) { [IO.File]::Copy((Get-PlayPath), "$Path$suffix") }
    [IO.File]::WriteAllLines("$Path.script", $Script)
    "$Path$suffix"
}

# The step of a script that prints a line of the protocol.
function Get-PrintStep ($Value) { "print $(ConvertTo-Json $Value -Depth 6 -Compress -EscapeHandling EscapeNonAscii)" }

# The program's answer with a session, some fields changed.
function New-Session ([hashtable] $Connection = @{}, [hashtable] $Authentication = @{}) {
    $session = @{
        type = 'session'; parameterSet = 'Client Credentials'
        connection = @{
            AuthMode = 'Client Credentials'; URL = 'https://eu.ninjarmm.com'; Instance = 'eu'; ClientId = 'id'; ClientSecret = 'client-secret-0'
            AuthListenerPort = 9090; AuthScopes = 'monitoring management control'; RedirectURI = 'http://localhost:9090/'
            UseSecretManagement = $false; VaultName = $null; WriteToSecretVault = $false; ReadFromSecretVault = $false; SecretPrefix = 'NinjaOne'
        }
        authentication = @{ Type = 'Bearer'; Access = 'access-token-0'; Expires = '2026-11-24T08:00:00.5Z'; Refresh = $null }
    }
    foreach ($key in $Connection.Keys) { $session.connection[$key] = $Connection[$key] }
    foreach ($key in $Authentication.Keys) { $session.authentication[$key] = $Authentication[$key] }
    $session
}

# A value as JSON with its names in order, to compare it whole; what JSON has no type for is a text.
function Format-Json ($Value) { ConvertTo-Json (ConvertTo-Plain $Value) -Depth 8 -Compress }

function ConvertTo-Plain ($Value) {
    if ($Value -is [hashtable]) { $Value = [pscustomobject] $Value }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $plain = [ordered] @{}
        foreach ($property in $Value.PSObject.Properties | Sort-Object Name) { $plain[$property.Name] = ConvertTo-Plain $property.Value }
        return $plain
    }
    if ($Value -is [array]) { return , @(foreach ($element in $Value) { ConvertTo-Plain $element }) }
    if ($Value -is [datetime]) { return $Value.ToString('o') }
    if ($Value -is [UriBuilder]) { return "$Value" }
    $Value
}

# A pwsh of its own that dot-sources the wrapper and runs a script; both outputs are kept. It is started so that it can be
# interrupted even if these tests can't.
function Start-Shell ([string] $Script, [string[]] $Arguments = '-NonInteractive', [hashtable] $Environment = @{}) {
    $file = Join-Path (Get-PSDrive TestDrive).Root "$([guid]::NewGuid()).ps1"
    [IO.File]::WriteAllText($file, ". '$(Get-WrapperPath)'`n$Script`n")
    $start = [Diagnostics.ProcessStartInfo]::new((Get-PlayPath))
    foreach ($argument in @([Environment]::ProcessPath, '-NoProfile') + $Arguments + @('-File', $file)) { $start.ArgumentList.Add($argument) }
    $start.Environment['NO_COLOR'] = '1'
    $start.Environment['TERM'] = 'dumb'
    foreach ($name in $Environment.Keys) { $start.Environment[$name] = $Environment[$name] }
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $processes.Add($process)
    $process.StandardInput.Close()
    @{ Process = $process; Out = $process.StandardOutput.ReadToEndAsync(); Error = $process.StandardError.ReadToEndAsync() }
}

# Waits for a shell to end and returns everything that it wrote.
function Wait-Shell ($Shell, [int] $Seconds = 120) {
    if (-not $Shell.Process.WaitForExit($Seconds * 1000)) {
        $Shell.Process.Kill($true)
        throw "The shell did not end within $Seconds s: $($Shell.Out.Result) $($Shell.Error.Result)"
    }
    $Shell.Out.Result + $Shell.Error.Result
}

# Does to a shell what Ctrl+C does.
function Stop-Shell ($Shell) { & (Get-PlayPath) -interrupt $Shell.Process.Id }

function Invoke-Shell ([string] $Script, [string[]] $Arguments = '-NonInteractive', [hashtable] $Environment = @{}) {
    Wait-Shell (Start-Shell $Script $Arguments $Environment)
}

# A runspace of its own that dot-sources the wrapper and runs a script.
function New-Runspace ([string] $Script) { [powershell]::Create().AddScript(". '$(Get-WrapperPath)'`n$Script") }

# What a script puts out in such a runspace, and its errors.
function Invoke-Runspace ([string] $Script) {
    $runspace = New-Runspace $Script
    try { $runspace.Invoke(); $runspace.Streams.Error } finally { $runspace.Dispose() }
}

# Waits until a condition holds.
function Wait-Until ([scriptblock] $Condition, [double] $Seconds = 60) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    while (-not (& $Condition)) {
        if ($clock.Elapsed.TotalSeconds -gt $Seconds) { throw "Not within $Seconds s: $Condition" }
        Start-Sleep -Milliseconds 20
    }
}

# The error record that a script block ends with.
function Get-Failure ([scriptblock] $Block) { try { $null = & $Block } catch { return $_ }; throw "It did not fail: $Block" }

# Removes the session that the caller's connects have set.
function Clear-Session {
    [CmdletBinding()] param ()
    foreach ($name in 'NRAPIConnectionInformation', 'NRAPIAuthenticationInformation', 'ParseDateTimes') { $PSCmdlet.SessionState.PSVariable.Remove("Script:$name") }
}

# Starts the stand-in NinjaOne, which programs reach through the environment; returns what it says of itself.
function Start-Standin {
    $start = [Diagnostics.ProcessStartInfo]::new((Get-BuiltProgram STANDIN_PATH ./tests/cmd/standin))
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    $processes.Add($process)
    $script:service = $process.StandardOutput.ReadLine() | ConvertFrom-Json
    $env:HTTPS_PROXY = $service.proxy
    $env:SSL_CERT_FILE = $service.certFile
    $service
}

# Calls the stand-in's control API.
function Invoke-Standin ([string] $Method, [string] $Path, $Body) {
    $arguments = @{ Method = $Method; Uri = "$($service.control)$Path"; NoProxy = $true }
    if ($Body) { $arguments.Body = ConvertTo-Json $Body; $arguments.ContentType = 'application/json' }
    $result = Invoke-RestMethod @arguments
    $result
}

# The secrets, of all that the stand-in ever registered or issued, that an output shows.
function Find-Secret ($Output) {
    $text = $Output | ForEach-Object { $_; if ($_ -is [System.Management.Automation.ErrorRecord]) { $_, $_.Exception, $_.ErrorDetails | Format-List * -Force } } | Out-String -Width 5000
    Invoke-Standin GET /secrets | Where-Object { $text.Contains($_) }
}

# Whether this machine has SecretManagement: the tests that need it are skipped without it, and listed as not run.
function Test-SecretManagement { [bool] (Get-Module -ListAvailable -Name Microsoft.PowerShell.SecretManagement) }

# Whether that is the stand-in.
function Test-StandinSecretManagement { (Get-Module -ListAvailable -Name Microsoft.PowerShell.SecretManagement | Select-Object -First 1).Version -eq '1.1.99' }

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

# What a script has that the language of Windows PowerShell 5.1 lacks.
function Find-NewSyntax ([string] $Script) {
    $tokens = $errors = $null
    $null = [System.Management.Automation.Language.Parser]::ParseInput($Script, [ref] $tokens, [ref] $errors)
    $tokens | Where-Object Kind -in 'AndAnd', 'OrOr', 'QuestionMark', 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'Clean', 'Ampersand' |
        Where-Object { $_.Kind -ne 'Ampersand' -or -not ($_.TokenFlags -band 'CommandName' -or $Script.Substring($_.Extent.EndOffset) -match '^ [$"{]') } | ForEach-Object { $_.Text }
    $tokens | Where-Object { $_.Kind -eq 'Number' -and $_.Text -match '(?<!0x\w*)(y|s|n|u|ul|us|uy)$' } | ForEach-Object { $_.Text }
    $tokens | Where-Object { $_.Kind -in 'StringExpandable', 'HereStringExpandable' -and $_.Text -match '(?<!`)(``)*`(e|u\{)' } | ForEach-Object { $_.Text }
    $tokens | Where-Object { $_.Kind -eq 'Variable' -and $_.Name -match '^(Is(Windows|Linux|MacOS|CoreCLR)|PSStyle|PSNative.*|EnabledExperimentalFeatures)$' } | ForEach-Object { $_.Text }
}

# A TCP port that nobody listened on a moment ago.
function Get-FreePort {
    $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $listener.Start()
    $listener.LocalEndpoint.Port
    $listener.Stop()
}

Export-ModuleMember -Function *
