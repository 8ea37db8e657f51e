#Requires -Version 5.1

Set-StrictMode -Off
if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    throw 'NinjaOneAuth does not run in Constrained Language Mode, which forbids calls of .NET.'
}

# In the repository, the wrapper lies a folder above.
$wrapper = [System.IO.Path]::Combine($PSScriptRoot, 'Connect-NinjaOne.ps1')
if (-not [System.IO.File]::Exists($wrapper)) {
    $wrapper = [System.IO.Path]::Combine([System.IO.Path]::GetDirectoryName($PSScriptRoot), 'Connect-NinjaOne.ps1')
}
. $wrapper

# The wrapper is one function, as it must add nothing else to the module NinjaOne. The functions inside it that this
# module needs too are made here, from its text.
$common = 'Exit-Connect', 'Exit-ForProgram', 'Find-Program', 'Get-NamedPlace', 'Find-ProgramElsewhere',
'Get-PackagedPlace', 'Open-Program', 'Clear-Trace'
$functions = ${function:Connect-NinjaOne}.Ast.FindAll({
        $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] -and $args[0].Name -in $common
    }, $true)
. ([scriptblock]::Create($functions.Extent.Text -join "`n"))

# A package of the PowerShell Gallery is unpacked without the right to run what is in it. Where this user may not give
# it, Connect-NinjaOne says what to type.
$programs = [System.IO.Path]::Combine($PSScriptRoot, 'bin')
if ($env:OS -ne 'Windows_NT' -and [System.IO.Directory]::Exists($programs)) {
    $toRun = [System.IO.UnixFileMode] 'UserExecute, GroupExecute, OtherExecute'
    foreach ($program in [System.IO.Directory]::GetFiles($programs, 'ninjaone-auth', 'AllDirectories')) {
        $mode = [System.IO.File]::GetUnixFileMode($program)
        if ($mode -band $toRun) { continue }
        $last, $null = $global:Error
        try { [System.IO.File]::SetUnixFileMode($program, $mode -bor $toRun) } catch { Clear-Trace $last }
    }
}

# The modules that can hold a session: NinjaOne, if the Connect-NinjaOne in it is ninjaone-auth's, and this one.
function Get-SessionHolder {
    foreach ($module in @(Microsoft.PowerShell.Core\Get-Module NinjaOne) + $ExecutionContext.SessionState.Module) {
        if (& $module { "${function:Connect-NinjaOne}" -match 'ninjaone-auth' }) { $module }
    }
}

# Whether the module NinjaOne is loaded with a Connect-NinjaOne that is not ninjaone-auth's.
function Test-OtherCommand { (Microsoft.PowerShell.Core\Get-Module NinjaOne) -and @(Get-SessionHolder).Count -eq 1 }

# The session in a module, as a table: nothing if there is none.
function Get-HeldSession ($Module) {
    $held = & $Module {
        Set-StrictMode -Off
        @{ Connection = $Script:NRAPIConnectionInformation; Authentication = $Script:NRAPIAuthenticationInformation }
    }
    $isSession = $held.Connection -is [hashtable] -and $held.Authentication -is [hashtable]
    if ($isSession -and $held.Authentication.Expires -is [datetime]) { $held }
}

function Test-Life ($Held, $Seconds) {
    $Held.Authentication.Expires.ToUniversalTime() -gt [datetime]::UtcNow.AddSeconds($Seconds)
}

# Renews the session in a module as the module NinjaOne does, so that its other settings survive.
function Invoke-Renewal ($Module, $Held, $Talk) {
    $connection = $Held.Connection
    $arguments = $Talk.Common + @{
        Instance = $connection.Instance; ClientId = $connection.ClientId; ClientSecret = $connection.ClientSecret
    }
    if ($connection.AuthMode -eq 'Client Credentials') { $arguments.UseClientAuth = $true }
    else { $arguments.UseTokenAuth = $true; $arguments.RefreshToken = $Held.Authentication.Refresh }
    $last, $null = $global:Error
    try {
        & $Module { param ($Arguments) Connect-NinjaOne @Arguments } $arguments
        return
    } catch {
        $failed = $_
        Clear-Trace $last
    }
    Exit-Connect $Talk @{
        id = $failed.FullyQualifiedErrorId -replace ',.*'; category = $failed.CategoryInfo.Category
        target = $failed.TargetObject; message = $failed.Exception.Message
        recommendation = $failed.ErrorDetails.RecommendedAction
    }
}

function Get-NinjaOneToken {
    <#
    .SYNOPSIS
        Gets the access token of the present session, for requests of your own.
    .DESCRIPTION
        Gets the access token of the session that Connect-NinjaOne has made, for Invoke-RestMethod and the like. A
        token that lives for less than a minute is renewed before, with the settings that the session has.

        If the module NinjaOne is loaded and Connect-NinjaOne in it is that of ninjaone-auth, the session is the one
        that its commands use.
    .PARAMETER AsHeader
        Get a hashtable for the parameter Headers of Invoke-RestMethod instead, which Windows PowerShell 5.1 needs. It
        holds the token in plain text.
    .EXAMPLE
        $token = Get-NinjaOneToken
        Invoke-RestMethod "$($token.Url)/v2/organizations" -Authentication Bearer -Token $token.Token

        This gets the organizations in PowerShell 7.
    .EXAMPLE
        $url = (Get-NinjaOneToken).Url
        Invoke-RestMethod "$url/v2/organizations" -Headers (Get-NinjaOneToken -AsHeader)

        This gets the organizations in Windows PowerShell 5.1, and in PowerShell 7 too.
    .OUTPUTS
        An object with Token (SecureString), ExpiresOn (DateTimeOffset), Type and Url, which is the address of the
        NinjaOne instance. With AsHeader, a hashtable with the key Authorization.
    .LINK
        Connect-NinjaOne
    .LINK
        Disconnect-NinjaOne
    #>
    [CmdletBinding(PositionalBinding = $false)]
    [OutputType([pscustomobject], [hashtable])]
    param ([switch] $AsHeader)

    $ErrorActionPreference = 'Stop'
    $talk = @{ Cmdlet = $PSCmdlet; Common = @{} }
    foreach ($name in $PSBoundParameters.Keys) {
        if ($name -match '^Verbose$|^Debug$|Action$') { $talk.Common[$name] = $PSBoundParameters[$name] }
    }
    foreach ($module in Get-SessionHolder) {
        $held = Get-HeldSession $module
        if ($held) { break }
    }
    if (-not $held) {
        Exit-Connect $talk @{
            id = 'NotConnected'; category = 'ObjectNotFound'; target = 'Connect-NinjaOne'
            message = 'There is no session with NinjaOne.'
            recommendation = if (Test-OtherCommand) {
                "Run NinjaOneAuth\Connect-NinjaOne. The session of the module NinjaOne can't be had, as its " +
                    "Connect-NinjaOne is not ninjaone-auth's."
            }
            else { 'Run Connect-NinjaOne.' }
        }
    }
    $isRenewable = $held.Connection.AuthMode -eq 'Client Credentials' -or $held.Authentication.Refresh
    if ($isRenewable -and -not (Test-Life $held -Seconds 60)) {
        Invoke-Renewal $module -Held $held -Talk $talk
        $held = Get-HeldSession $module
    }
    if (-not $isRenewable -and -not (Test-Life $held -Seconds 0)) {
        Exit-Connect $talk @{
            id = 'SignInRequired'; category = 'AuthenticationError'; target = $held.Connection.Instance
            message = 'The session has run out, and without a refresh token it cannot be renewed.'
            recommendation = 'Sign in again with Connect-NinjaOne and -UseWebAuth. With the scope offline_access, NinjaOne ' +
                'gives a refresh token.'
        }
    }

    $authentication = $held.Authentication
    if ($AsHeader) { return @{ Authorization = '{0} {1}' -f $authentication.Type, $authentication.Access } }
    $token = [System.Security.SecureString]::new()
    foreach ($character in $authentication.Access.ToCharArray()) { $token.AppendChar($character) }
    $token.MakeReadOnly()
    [pscustomobject] @{
        Token = $token; ExpiresOn = [System.DateTimeOffset] $authentication.Expires; Type = $authentication.Type
        Url = $held.Connection.URL
    }
}

# Removes from a vault of SecretManagement what it has of a session. Returns how many secrets those were: nothing if there
# is no vault of that name.
function Clear-VaultSession ($Talk, $Vault, $Prefix) {
    $WhatIfPreference = $false
    $ConfirmPreference = 'None'
    $module = 'Microsoft.PowerShell.SecretManagement'
    $quietly = @{ ErrorAction = 'Stop'; WarningAction = 'Ignore' }
    # What gives access comes first.
    $fields = 'Refresh', 'Access', 'ClientSecret', 'ClientId', 'AuthMode', 'URL', 'Instance', 'AuthScopes', 'RedirectURI',
    'AuthListenerPort', 'UseSecretManagement', 'WriteToSecretVault', 'ReadFromSecretVault', 'VaultName',
    'ParseDateTimes', 'Type', 'Expires'
    $last, $null = $global:Error
    try {
        Microsoft.PowerShell.Core\Import-Module $module -Global @quietly
        if ($Vault -notin (& $module\Get-SecretVault @quietly).Name) { return }
        $stored = (& $module\Get-SecretInfo -Vault $Vault @quietly).Name
        $removed = 0
        foreach ($field in $fields) {
            if ("$Prefix$field" -notin $stored) { continue }
            & $module\Remove-Secret -Vault $Vault -Name "$Prefix$field" @quietly
            $removed++
        }
        return $removed
    } catch {
        $failed = $_
        Clear-Trace $last
    }
    if ($failed.FullyQualifiedErrorId -like 'Modules_ModuleNotFound*') { return }
    Exit-Connect $Talk @{
        id = 'VaultFailed'; category = 'ResourceUnavailable'; target = $Vault
        message = "The session could not be removed from the vault '$Vault': $($failed.Exception.Message)"
        recommendation = 'Run Disconnect-NinjaOne again: secrets may be left.'
    }
}

# Removes a session from the keyring.
function Clear-KeyringSession ($Talk, $Vault, $Prefix) {
    $Talk.Program = Find-Program $Talk -Folder ([System.IO.Path]::GetDirectoryName($wrapper))
    # Quoted as programs read their command line on Windows, and .NET elsewhere.
    $quoted = foreach ($argument in "--prefix=$Prefix", '--', $Vault) {
        '"' + ($argument -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"'
    }
    try {
        Open-Program $Talk "vault remove $quoted"
        $errors = $Talk.Process.StandardError.ReadToEndAsync()
        while (-not $Talk.Process.WaitForExit(50)) { $null = 'Ctrl+C ends this wait.' }
        if ($Talk.Process.ExitCode -eq 0) { return }
        $told = $errors.Result
    } finally {
        if ($Talk.Process) {
            if (-not $Talk.Process.HasExited) { $Talk.Process.Kill() }
            $Talk.Process.Dispose()
        }
    }
    if ($told -notmatch '(?m)^ninjaone-auth: (.+) \((\w+)\)\r?\n(.*)') {
        Exit-ForProgram $Talk "failed. $(@($told -split '\r?\n')[0])".Trim()
    }
    $id = $Matches[2]
    $categories = @{
        SessionNotStored = 'ObjectNotFound'; VaultLocked = 'PermissionDenied'; VaultTimedOut = 'OperationTimeout'
        VaultPassphraseMissing = 'InvalidArgument'; VaultPassphraseWrong = 'AuthenticationError'
        InvalidSetting = 'InvalidArgument'; VaultBusy = 'ResourceBusy'; Interrupted = 'OperationStopped'
    }
    Exit-Connect $Talk @{
        id = $id; category = if ($categories[$id]) { $categories[$id] } else { 'ResourceUnavailable' }
        target = $Vault; message = $Matches[1]; recommendation = $Matches[3]
    }
}

function Disconnect-NinjaOne {
    <#
    .SYNOPSIS
        Forgets the present session.
    .DESCRIPTION
        Forgets the session that Connect-NinjaOne has made in this PowerShell, if there is one. With VaultName, what is
        stored of it is removed first; if that fails, the session stays.

        NinjaOne is told nothing: an access token that somebody else has stays valid until it expires.
    .PARAMETER VaultName
        Also remove the session that Connect-NinjaOne has stored under this name: from the vault of SecretManagement,
        or if none of that name is registered, from the operating system's keyring. It is an error if there is none.
    .PARAMETER SecretPrefix
        The prefix with which the session was stored. If not set defaults to 'NinjaOne'.
    .EXAMPLE
        Disconnect-NinjaOne

        This forgets the session. Nothing happens if there is none.
    .EXAMPLE
        Disconnect-NinjaOne -VaultName 'NinjaOneVault'

        This forgets the session, and removes what is stored of it.
    .OUTPUTS
        None
    .LINK
        Connect-NinjaOne
    .LINK
        Get-NinjaOneToken
    #>
    [CmdletBinding(SupportsShouldProcess, PositionalBinding = $false, DefaultParameterSetName = 'Session')]
    param (
        [Parameter(Mandatory, ParameterSetName = 'Stored')]
        [string] $VaultName,
        [Parameter(ParameterSetName = 'Stored')]
        [string] $SecretPrefix = 'NinjaOne'
    )

    $ErrorActionPreference = 'Stop'
    $talk = @{ Cmdlet = $PSCmdlet }
    if ($VaultName -and $PSCmdlet.ShouldProcess("vault $VaultName, prefix $SecretPrefix", 'Remove the stored session')) {
        $removed = Clear-VaultSession $talk -Vault $VaultName -Prefix $SecretPrefix
        if ($null -eq $removed) { Clear-KeyringSession $talk -Vault $VaultName -Prefix $SecretPrefix }
        elseif (-not $removed) {
            Exit-Connect $talk @{
                id = 'SessionNotStored'; category = 'ObjectNotFound'; target = $VaultName
                message = "The vault '$VaultName' holds no session with the prefix '$SecretPrefix'."
                recommendation = 'Name the prefix with -SecretPrefix, or leave out -VaultName.'
            }
        }
    }
    foreach ($module in Get-SessionHolder) {
        $held = Get-HeldSession $module
        if ($held -and $PSCmdlet.ShouldProcess("session with $($held.Connection.URL)", 'Forget')) {
            & $module {
                foreach ($name in 'NRAPIConnectionInformation', 'NRAPIAuthenticationInformation', 'ParseDateTimes') {
                    $ExecutionContext.SessionState.PSVariable.Remove("Script:$name")
                }
            }
        }
    }
}

if (@(Get-SessionHolder).Count -gt 1) {
    # Connect-NinjaOne is the one in NinjaOne, whose commands have to see its session.
    Export-ModuleMember -Function Disconnect-NinjaOne, Get-NinjaOneToken
    return
}
Export-ModuleMember -Function Connect-NinjaOne, Disconnect-NinjaOne, Get-NinjaOneToken
if (Test-OtherCommand) {
    Write-Warning ('Two modules have a Connect-NinjaOne. A call gets that of NinjaOneAuth, unless this import was given ' +
        "-Prefix or -NoClobber. The commands of NinjaOne need the session of NinjaOne\Connect-NinjaOne. To have one " +
        "for all, run 'ninjaone-auth install'.")
}
