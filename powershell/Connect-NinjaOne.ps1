#Requires -Version 5.1

function Connect-NinjaOne {
    <#
    .SYNOPSIS
        Creates a new connection to a NinjaOne instance.
    .DESCRIPTION
        Creates a new connection to a NinjaOne instance and stores this in a PowerShell Session.
    .PARAMETER UseWebAuth
        Use the "Authorisation Code" flow with your web browser.
    .PARAMETER UseTokenAuth
        Use the "Token Authentication" flow - useful if you already have a refresh token.
    .PARAMETER UseClientAuth
        Use the "Client Credentials" flow - useful if you already have a client ID and secret.
    .PARAMETER Instance
        The NinjaOne instance to connect to. Choose from 'eu', 'oc', 'us', 'ca', 'us2' or 'fed'.
    .PARAMETER ClientId
        The Client Id for the application configured in NinjaOne.
    .PARAMETER ClientSecret
        The Client Secret for the application configured in NinjaOne.
    .PARAMETER Scopes
        The API scopes to request. If not set defaults to 'monitoring', 'management' and 'control', and with a
        refresh token or in the browser also 'offline_access', which asks for a refresh token. Pass a string
        or array of strings. Limited by the scopes granted to the application in NinjaOne.
    .PARAMETER RedirectURL
        The redirect URI to use, to the letter as it is registered in NinjaOne. If not set defaults to
        'http://localhost:9090/', with the port that -Port names and the slash at the end. Should be a full
        URI e.g. https://redirect.example.uk:9090/auth
    .PARAMETER Port
        The port to use for the redirect URI. Must match with the configuration set in NinjaOne. If not set
        defaults to '9090'.
    .PARAMETER RefreshToken
        The refresh token to use for "Token Authentication" flow. If not set the one of the present session is
        used.
    .PARAMETER ShowTokens
        Output the tokens - useful when using "Authorisation Code" flow - to use with "Token Authentication"
        flow.
    .PARAMETER UseSecretManagement
        Use the secret management module to retrieve credentials and store tokens. Check the docs on setting
        up the secret management module at https://docs.homotechsual.dev/common/secretmanagement.
    .PARAMETER VaultName
        The name of the secret vault to use. If no vault of that name is registered, the session is kept in
        the operating system's keyring under it.
    .PARAMETER WriteToSecretVault
        Write updated credentials to secret management vault.
    .PARAMETER ReadFromSecretVault
        Read the authentication information from secret management vault, and renew it if it has run out.
    .PARAMETER SecretPrefix
        The prefix to add to the name of the secrets stored in the secret vault. If not set defaults to
        'NinjaOne'.
    .PARAMETER ParseDateTimes
        Have the module turn the dates in NinjaOne's answers into DateTime objects.
    .EXAMPLE
        Connect-NinjaOne -Instance 'eu' -ClientId 'AAaaA1aaAaAA-aaAaaA11a1A-aA' -ClientSecret '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z' -UseClientAuth

        This logs into NinjaOne using the client credentials flow.
    .EXAMPLE
        Connect-NinjaOne -Instance 'eu' -ClientId 'AAaaA1aaAaAA-aaAaaA11a1A-aA' -ClientSecret '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z' -Port 9090 -UseWebAuth

        This logs into NinjaOne using the authorization code flow.
    .EXAMPLE
        Connect-NinjaOne -Instance 'eu' -ClientId 'AAaaA1aaAaAA-aaAaaA11a1A-aA' -ClientSecret '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z' -RefreshToken 'a1a11a11-aa11-11a1-a111-a1a111aaa111.11AaaAaaa11aA-AA1aaaAAA111aAaaaaA1AAAA1_AAa' -UseTokenAuth

        This logs into NinjaOne using the refresh token flow.
    .EXAMPLE
        Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -WriteToSecretVault -Instance 'eu' -ClientId 'AAaaA1aaAaAA-aaAaaA11a1A-aA' -ClientSecret '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z' -UseClientAuth

        This logs into NinjaOne using the client credentials flow and writes the connection information to the secret
        vault.
    .EXAMPLE
        Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault

        This reads the connection information from the secret vault.
    .EXAMPLE
        if ((Get-Date) -gt $NRAPIAuthenticationInformation.Expires) { Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault }

        This renews the session of a script that makes its own requests, once it has run out. The module's commands do
        that themselves.
    .EXAMPLE
        pwsh -NonInteractive -Command "Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault; ./Report.ps1"

        This is for a job that nobody watches: with -NonInteractive, no sign-in waits for a browser.
    .OUTPUTS
        Sets two script-scoped variables to hold connection and authentication information.
    .LINK
        https://docs.homotechsual.dev/modules/ninjaone/commandlets/Connect/ninjaone
    #>
    [CmdletBinding(DefaultParameterSetName = 'Authorisation Code', PositionalBinding = $false)]
    [Alias('cno')]
    [OutputType([pscustomobject])]
    param (
        [Parameter(Mandatory, ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [switch] $UseWebAuth,
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [Parameter(Mandatory, ParameterSetName = 'Token Authentication')]
        [switch] $UseTokenAuth,
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [Parameter(Mandatory, ParameterSetName = 'Client Credentials')]
        [switch] $UseClientAuth,
        [Parameter(Mandatory, ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(Mandatory, ParameterSetName = 'Token Authentication')]
        [Parameter(Mandatory, ParameterSetName = 'Client Credentials')]
        [ValidateSet('eu', 'oc', 'us', 'ca', 'us2', 'fed')]
        [string] $Instance,
        [Parameter(Mandatory, ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(Mandatory, ParameterSetName = 'Token Authentication')]
        [Parameter(Mandatory, ParameterSetName = 'Client Credentials')]
        [string] $ClientId,
        [Parameter(Mandatory, ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(Mandatory, ParameterSetName = 'Token Authentication')]
        [Parameter(Mandatory, ParameterSetName = 'Client Credentials')]
        [string] $ClientSecret,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [ArgumentCompleter({
                'monitoring', 'management', 'control', 'offline_access' -like "$($args[2].Trim('''"'))*"
            })]
        [string[]] $Scopes,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [uri] $RedirectURL,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [ValidateRange(1, 65535)]
        [int] $Port = 9090,
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [string] $RefreshToken,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [switch] $ShowTokens,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Read')]
        [switch] $UseSecretManagement,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Read')]
        [ArgumentCompleter({
                # The registered vaults, and the name of ninjaone-auth's own. No result would have PowerShell offer files.
                $word = $args[2].Trim('''"')
                $list = Get-Command Microsoft.PowerShell.SecretManagement\Get-SecretVault -ErrorAction Ignore
                $names = @('NinjaOne') + @(if ($list) { (& $list).Name })
                $fitting = @($names -like "$word*" | Select-Object -Unique)
                if (-not $fitting) { $fitting = $word }
                foreach ($name in $fitting) {
                    if ($name -match '^[\w.-]+$') { $name } else { "'$($name -replace "'", "''")'" }
                }
            })]
        [string] $VaultName,
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(Mandatory, ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [Parameter(ParameterSetName = 'Secret Vault Read')]
        [switch] $WriteToSecretVault,
        [Parameter(ParameterSetName = 'Secret Vault Read')]
        [switch] $ReadFromSecretVault,
        # From the pipeline only so that the engine settles the set after the dynamic parameter below is known.
        [Parameter(ParameterSetName = 'Secret Vault Write', ValueFromPipelineByPropertyName)]
        [Parameter(ParameterSetName = 'Secret Vault Read')]
        [string] $SecretPrefix = 'NinjaOne',
        [Parameter(ParameterSetName = 'Authorisation Code')]
        [Parameter(ParameterSetName = 'Secret Vault Write')]
        [Parameter(ParameterSetName = 'Token Authentication')]
        [Parameter(ParameterSetName = 'Client Credentials')]
        [Parameter(ParameterSetName = 'Secret Vault Read')]
        [switch] $ParseDateTimes
    )
    dynamicparam {
        # EXAMPLE 4 fits three sets: a mandatory parameter that nobody gives leaves Secret Vault Write alone complete.
        $bound = $PSBoundParameters.Keys
        if ('WriteToSecretVault' -in $bound) {
            & {
                $isVaultWrite = 'UseSecretManagement' -in $bound -and 'VaultName' -in $bound
                if (-not $isVaultWrite -or 'ShowTokens' -in $bound) { return }
                if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
                    throw 'Connect-NinjaOne does not run in Constrained Language Mode.'
                }
                $attributes = [System.Collections.ObjectModel.Collection[System.Attribute]]::new()
                foreach ($set in 'Token Authentication', 'Client Credentials') {
                    $attributes.Add([System.Management.Automation.ParameterAttribute] @{
                            ParameterSetName = $set; Mandatory = $true; DontShow = $true
                        })
                }
                $name = 'NotAVaultWrite'
                $parameters = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
                $parameter = [System.Management.Automation.RuntimeDefinedParameter]::new($name, [switch], $attributes)
                $parameters.Add($name, $parameter)
                $parameters
            }
        }
    }
    end {
        if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
            $failure = @{
                ErrorId = 'LanguageModeNotSupported'; Category = 'PermissionDenied'; TargetObject = 'Connect-NinjaOne'
                Message = 'Connect-NinjaOne does not run in Constrained Language Mode, which forbids calls of .NET.'
                RecommendedAction = 'Have this script allowed by the policy that sets the mode, such as App Control.'
            }
            Write-Error @failure -ErrorAction Stop
        }
        Set-StrictMode -Off
        $ErrorActionPreference = 'Stop'
        $WhatIfPreference = $false
        $ConfirmPreference = 'None'
        if ($DebugPreference -eq 'Inquire') { $DebugPreference = 'Continue' }
        $isAsked = 'InformationAction' -in $PSBoundParameters.Keys
        if ($InformationPreference -eq 'SilentlyContinue' -and -not $isAsked) { $InformationPreference = 'Continue' }

        # A new PowerShell compiles what it runs, at 1 to 3 ms for each .NET method or property: what an ordinary
        # connect runs is short, and the rest stands in functions of its own. A type's full name saves a search of 5 ms.

        # Ends Connect-NinjaOne with its one error.
        function Exit-Connect ($Talk, $Failure) {
            $category = $Failure.category -as [System.Management.Automation.ErrorCategory]
            if (-not $category) { $category = 'NotSpecified' }
            $exception = [System.InvalidOperationException]::new($Failure.message)
            $id, $target = $Failure.id, $Failure.target
            $record = [System.Management.Automation.ErrorRecord]::new($exception, $id, $category, $target)
            $shown = $Failure.message
            if ($PSVersionTable.PSVersion -lt [version] '7.5') { $shown = "$shown $($Failure.recommendation)" }
            $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new($shown)
            $record.ErrorDetails.RecommendedAction = $Failure.recommendation
            $Talk.Cmdlet.ThrowTerminatingError($record)
        }

        function Exit-ForProgram ($Talk, $Reason, $Advice) {
            if (-not $Advice) {
                $Advice = "Run '$($Talk.Program) version': it has to be of the same release as Connect-NinjaOne. " +
                    'Then run Connect-NinjaOne again with -Debug.'
            }
            Exit-Connect $Talk @{
                id = 'ProgramFailed'; category = 'ResourceUnavailable'; target = $Talk.Program
                message = "$($Talk.Program) $Reason"; recommendation = $Advice
            }
        }

        # Starts the program with the standard streams connected.
        function Open-Program ($Talk, $Arguments) {
            $start = [System.Diagnostics.ProcessStartInfo] @{
                FileName = $Talk.Program; Arguments = $Arguments; UseShellExecute = $false; CreateNoWindow = $true
                RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
                StandardErrorEncoding = [System.Text.Encoding]::UTF8
            }
            try {
                $Talk.Process = [System.Diagnostics.Process]::Start($start)
            } catch {
                $cause = $_.Exception.GetBaseException()
                $advice = if ($cause.NativeErrorCode -eq 13) { "Have its owner run: chmod +x '$($Talk.Program)'" }
                Exit-ForProgram $Talk "does not start: $($cause.Message)" $advice
            }
        }

        function Exit-WithoutAnswer ($Talk) {
            if (-not $Talk.Errors) { $Talk.Errors = $Talk.Process.StandardError.ReadToEndAsync() }
            $reason = if ($Talk.Errors.Wait(1000)) { @($Talk.Errors.Result -split '\r?\n')[0] }
            Exit-ForProgram $Talk "ended without an answer. $reason".Trim()
        }

        function Find-Program ($Talk, $Folder) {
            $place = if ($env:NINJAONE_AUTH_PATH) { Get-NamedPlace $Talk }
            elseif ($env:OS -eq 'Windows_NT') { "$Folder\ninjaone-auth.exe" }
            else { "$Folder/ninjaone-auth" }
            if ([System.IO.File]::Exists($place)) { return $place }
            Find-ProgramElsewhere $Talk -Folder $Folder -Place $place
        }

        function Get-NamedPlace ($Talk) {
            try {
                $place = $Talk.Cmdlet.GetUnresolvedProviderPathFromPSPath($env:NINJAONE_AUTH_PATH)
                if (-not [System.IO.Directory]::Exists($place)) { return $place }
                $reason = 'It is a folder.'
            } catch {
                $reason = $_.Exception.GetBaseException().Message
            }
            Exit-Connect $Talk @{
                id = 'ProgramNotFound'; category = 'ObjectNotFound'; target = $env:NINJAONE_AUTH_PATH
                message = "NINJAONE_AUTH_PATH names no program, but $($env:NINJAONE_AUTH_PATH): $reason"
                recommendation = 'Set $env:NINJAONE_AUTH_PATH to the path of ninjaone-auth, or remove it.'
            }
        }

        function Find-ProgramElsewhere ($Talk, $Folder, $Place) {
            $name = [System.IO.Path]::GetFileName($Place)
            $places = @($Place)
            if (-not $env:NINJAONE_AUTH_PATH) {
                $repository = [System.IO.Path]::GetDirectoryName($Folder)
                if ([System.IO.File]::Exists([System.IO.Path]::Combine($repository, 'go.mod'))) {
                    $built = [System.IO.Path]::Combine($repository, 'bin', $name)
                    if ([System.IO.File]::Exists($built)) { return $built }
                    $places += $built
                }
                $packaged = Get-PackagedPlace $Folder -Name $name
                if ([System.IO.File]::Exists($packaged)) { return $packaged }
                $command = $ExecutionContext.InvokeCommand.GetCommand($name, 'Application')
                if ($command) { return $command.Path }
                $places += $packaged, 'the folders of PATH'
            }
            Exit-Connect $Talk @{
                id = 'ProgramNotFound'; category = 'ObjectNotFound'; target = $name
                message = "The program $name is not where Connect-NinjaOne looks for it: $($places -join ', ')."
                recommendation = 'Put it there, or set $env:NINJAONE_AUTH_PATH to its path.'
            }
        }

        # The module NinjaOneAuth has the programs of all systems, in folders by .NET's runtime identifier.
        function Get-PackagedPlace ($Folder, $Name) {
            $runtime = if ($env:OS -eq 'Windows_NT') {
                if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') { 'win-arm64' } else { 'win-x64' }
            }
            else {
                # On Linux, it may name the distribution.
                [System.AppContext]::GetData('RUNTIME_IDENTIFIER') -replace '^(?!osx).*-', 'linux-'
            }
            [System.IO.Path]::Combine($Folder, 'bin', $runtime, $Name)
        }

        # JSON is read and written here, in one way for Windows PowerShell and PowerShell 7: its cmdlets would show
        # secrets to module logging, and make dates of texts. A table, which these functions take, shows nothing.
        function ConvertTo-JsonText ($Table) {
            $members = foreach ($name in $Table.Keys) {
                $value = $Table[$name]
                if ($value -is [hashtable]) { $text = ConvertTo-JsonText $value }
                elseif ($null -eq $value) { $text = 'null' }
                elseif ($value -is [int]) { $text = "$value" }
                elseif ($value -is [bool] -or $value -is [switch]) {
                    $text = if ("$value" -eq 'True') { 'true' } else { 'false' }
                }
                else {
                    $text = foreach ($one in $value) { '"' + ("$one" -replace '["\\]', '\$0') + '"' }
                    if ($value -is [System.Collections.IList]) { $text = "[$($text -join ',')]" }
                }
                "`"$($name -replace '["\\]', '\$0')`":$text"
            }
            "{$($members -join ',')}"
        }

        # A line is ASCII: no code page spoils it.
        function Send-Line ($Talk, $Line) {
            $json = ConvertTo-JsonText $Line
            if ($json -cmatch '[^ -~]') { $json = ConvertTo-Ascii @{ Text = $json } }
            try {
                $Talk.Process.StandardInput.Write("$json`n")
            } catch {
                $null = 'The program has ended: its output tells why.'
            }
        }

        function ConvertTo-Ascii ($Line) {
            [regex]::Replace($Line.Text, '[^ -~]', { '\u{0:x4}' -f [int] [char] $args[0].Value })
        }

        # Keeps the program's next line in $Talk.Line: nothing at the end of its output, or after the deadline. The line
        # stays there until it has been dealt with, so that Ctrl+C can't lose it.
        function Receive-Line ($Talk) {
            while (-not $Talk.Reading.Wait(50)) {
                if (-not $Talk.Errors) { $Talk.Errors = $Talk.Process.StandardError.ReadToEndAsync() }
                if ([datetime]::UtcNow -gt $Talk.Deadline) { return }
                # What a program wrote last is read some time after its end, on a busy machine seconds after.
                $patience = [datetime]::UtcNow.AddSeconds(10)
                if ($Talk.Process.HasExited -and $patience -lt $Talk.Deadline) { $Talk.Deadline = $patience }
            }
            $Talk.Line = $Talk.Reading.Result
            if ($null -ne $Talk.Line) { $Talk.Reading = $Talk.Process.StandardOutput.ReadLineAsync() }
        }

        # The line as a table. Of an object it makes a table, of an array an array; a text stays the text that it is.
        function ConvertFrom-Line ($Talk) {
            $holder = $outer = @()
            try {
                foreach ($token in $Talk.Line -split '("[^"\\]*(?:\\.[^"\\]*)*"\s*:?|[{}\[\]])|[\s,]+') {
                    if ($token -eq '') { continue }
                    if ($token -match '^".*"\s*:?$') {
                        $value = $token -replace '^"|"\s*:?$'
                        if ($value -match '\\') { $value = [regex]::Unescape($value) }
                        if ($token -match ':$') { $name = $value; continue }
                    }
                    elseif ($token -eq '{') { $outer = $holder, $name, $outer; $holder = @{}; continue }
                    elseif ($token -eq '[') { $outer = $holder, $name, $outer; $holder = @(); continue }
                    elseif ($token -match '^[}\]]') { $value = $holder; $holder, $name, $outer = $outer }
                    elseif ($token -match '^-?\d{1,9}$') { $value = $token -as [int] }
                    elseif ($token -match '^-?\d') { $value = $token -as [decimal] }
                    elseif ($token -eq 'null') { $value = $null }
                    elseif ($token -in 'true', 'false') { $value = $token -eq 'true' }
                    else { throw $token }
                    if ($holder -is [hashtable]) { $holder += @{ $name = $value } } else { $holder += , $value }
                }
            } catch {
                $holder = @()
            }
            if ($outer -or $holder.Count -ne 1 -or $holder[0] -isnot [hashtable] -or $holder[0].type -isnot [string]) {
                Exit-ForProgram $Talk 'printed a line that is not of the protocol.'
            }
            $holder[0]
        }

        # Does what a getSecrets or setSecrets line asks, and returns the reply to it.
        function Use-Vault ($Question) {
            $module = 'Microsoft.PowerShell.SecretManagement'
            $vault = $Question.vault
            $quietly = @{ ErrorAction = 'Stop'; WarningAction = 'Ignore' }
            $name = $module
            $found = @{}
            $reply = @{ secrets = $found }
            $stored = 0
            $value = $null
            try {
                # An import that Ctrl+C has ended says so; the engine's own says that there is no such module.
                Microsoft.PowerShell.Core\Import-Module $module -Global @quietly
                if ($Question.type -eq 'getSecrets' -and -not $Question.names.Count) {
                    foreach ($one in & $module\Get-SecretVault @quietly) {
                        if ($one.Name -eq $vault) { $reply.module = $one.ModuleName }
                    }
                }
                foreach ($name in $Question.names) {
                    try {
                        $secret = & $module\Get-Secret -Vault $vault -Name $name -AsPlainText @quietly
                        if ($secret -is [string]) { $found[$name] = "$secret" }
                    } catch {
                        if ($_.FullyQualifiedErrorId -notlike 'GetSecretNotFound*') { throw }
                    }
                }
                foreach ($secret in $Question.secrets) {
                    $name = $secret.name
                    $value = $secret.value
                    & $module\Set-Secret -Vault $vault -Name $name -Secret $value @quietly
                    $stored++
                }
            } catch {
                $exception = $_.Exception.GetBaseException()
                if ($exception -is [System.Management.Automation.PipelineStoppedException]) { throw }
                $id = if ($value) { 'SecretNotStored' } else { 'VaultFailed' }
                if ($_.FullyQualifiedErrorId -match 'VaultNotFound|^Modules_ModuleNotFound') { $id = 'VaultNotFound' }
                $message = if ($value) { $_.Exception.Message.Replace($value, '***') } else { $_.Exception.Message }
                return @{ error = @{ id = $id; name = $name; message = $message } }
            }
            if ($Question.type -eq 'setSecrets') { @{ stored = $stored } } else { $reply }
        }

        function Show-Message ($Talk, $Message) {
            if ($Message.type -eq 'progress') {
                $status = "$($Message.status) "
                $record = [System.Management.Automation.ProgressRecord]::new(0, $Message.activity, $status)
                $record.PercentComplete = [int] $Message.percent
                if ($Message.completed) { $record.RecordType = 'Completed' }
                $Talk.Cmdlet.WriteProgress($record)
                return
            }
            if ($DebugPreference -notin 'SilentlyContinue', 'Ignore') {
                & "Write-$($Message.stream)" $Message.message # with -Debug, WriteVerbose would ask at each line
                return
            }
            switch ($Message.stream) {
                'verbose' { $Talk.Cmdlet.WriteVerbose($Message.message) }
                'warning' { $Talk.Cmdlet.WriteWarning($Message.message) }
                'information' { $Talk.Cmdlet.WriteInformation($Message.message, [string[]] @()) }
            }
        }

        # What the program gets to know: what was given, what this caller can do, and the session that there is.
        function Get-Request ($Bound, $Connection, $Authentication) {
            $all = [hashtable] $Bound
            $given = @{}
            foreach ($name in $all.Keys) {
                if ($name -notin [System.Management.Automation.Cmdlet]::CommonParameters) { $given += @{ $name = $all[$name] } }
            }
            if ($given.RedirectURL) { $given.RedirectURL = $given.RedirectURL.OriginalString }
            $streams = 'warning', 'information'
            if ($VerbosePreference -notin 'SilentlyContinue', 'Ignore') { $streams += 'verbose' }
            if ($DebugPreference -notin 'SilentlyContinue', 'Ignore') { $streams += 'debug' }
            # pwsh -NonInteractive, in any of its spellings; what follows its script or command is not pwsh's own.
            $isUnattended = "$([System.Environment]::GetCommandLineArgs() -join "`n")`n" -match
                '^((?!\n(--?|/)(f|file|c|command|e|ec|enc\w*)\n)[^\0])*\n(--?|/)noni[nteractive]*\n'
            $request = @{
                version = 1; parameters = $given
                caller = @{
                    streams = $streams; vaults = $true; pending = $true
                    interactive = [System.Environment]::UserInteractive -and -not $isUnattended
                }
            }
            $isSession = $Connection -is [hashtable] -and $Authentication -is [hashtable]
            if ($isSession -and $Authentication.Expires -is [datetime]) {
                $request.session = ConvertFrom-Session $Connection $Authentication
            }
            $request
        }

        function ConvertFrom-Session ($Connection, $Authentication) {
            $Connection = $Connection.Clone()
            $Authentication = $Authentication.Clone()
            $uri = $Connection.RedirectURI
            $Connection.RedirectURI = if ($uri.OriginalString) { $uri.OriginalString } else { "$uri" }
            $Authentication.Expires = $Authentication.Expires.ToUniversalTime().ToString('o')
            @{ connection = $Connection; authentication = $Authentication }
        }

        # Gives what a session line holds the types that the module knows.
        function ConvertTo-Session ($Talk, $Answer) {
            $connection = $Answer.connection
            $authentication = $Answer.authentication
            try {
                $uri = $connection.RedirectURI
                $connection.RedirectURI = [System.UriBuilder] $uri
                # A UriBuilder changes addresses: the registered one is kept beside it.
                if ("$($connection.RedirectURI)" -ne $uri) {
                    $connection.RedirectURI.psobject.Members.Add([psnoteproperty]::new('OriginalString', $uri))
                }
                $authentication.Expires = [datetime] $authentication.Expires
            } catch {
                $authentication = $null
            }
            if (-not $authentication.Access) { Exit-ForProgram $Talk 'printed a session that lacks what it must hold.' }
        }

        # As in the module NinjaOne. Elsewhere, scripts that make requests of their own have to read the session.
        function Hide-Session {
            $variables = $ExecutionContext.SessionState.PSVariable
            $variables.Get('Script:NRAPIConnectionInformation').Visibility = 'Private'
            $variables.Get('Script:NRAPIAuthenticationInformation').Visibility = 'Private'
        }

        # Does what the line that is under way asks for.
        function Invoke-Line ($Talk) {
            $message = ConvertFrom-Line $Talk
            if ($message.type -eq 'session') {
                ConvertTo-Session $Talk $message
                $Script:NRAPIConnectionInformation = $message.connection
                $Script:NRAPIAuthenticationInformation = $message.authentication
                if ($ExecutionContext.SessionState.Module) { Hide-Session }
                if ($message.connection.ParseDateTimes) { $Script:ParseDateTimes = $true }
                $Talk.Answer = $message
            }
            elseif ($message.type -eq 'error') { $Talk.Answer = $message }
            else { Invoke-Request $Talk $message }
            $Talk.Line = $null
        }

        function Invoke-Request ($Talk, $Message) {
            switch ($Message.type) {
                'pending' {
                    $Talk.Patience = $Message.seconds
                    if ($Talk.IsEnding) { $Talk.Deadline = [datetime]::UtcNow.AddSeconds($Message.seconds) }
                }
                { $_ -in 'write', 'progress' } { if (-not $Talk.IsEnding) { Show-Message $Talk $Message } }
                'setSecrets' {
                    $reply = Use-Vault $Message
                    if (-not $Talk.IsEnding) { Send-Line $Talk $reply; break }
                    # Nobody is left to ask again: the file of a vault may be in use.
                    foreach ($pause in 300, 900) {
                        if ($reply.error) { [System.Threading.Thread]::Sleep($pause); $reply = Use-Vault $Message }
                    }
                }
                'getSecrets' { if (-not $Talk.IsEnding) { Send-Line $Talk (Use-Vault $Message) } }
                default { Exit-ForProgram $Talk 'printed a line of a type that this Connect-NinjaOne does not know.' }
            }
        }

        # Without an answer, this is Ctrl+C, or a warning that is an error. A program whose caller has gone ends at
        # once, unless something is pending, a token that would be lost: that is awaited, and kept.
        function Receive-Rest ($Talk) {
            try {
                try { $Talk.Process.StandardInput.Close() } catch { $null = 'The program has ended.' }
                $Talk.IsEnding = $true
                $Talk.Deadline = [datetime]::UtcNow.AddSeconds($Talk.Patience)
                while (-not $Talk.Answer -and $Talk.Reading -and [datetime]::UtcNow -lt $Talk.Deadline) {
                    if ($null -eq $Talk.Line) { Receive-Line $Talk }
                    if ($null -eq $Talk.Line) { break }
                    Invoke-Line $Talk
                }
            } catch {
                $null = 'What ended the conversation is being thrown already.'
            }
        }

        # What has been dealt with leaves no trace in $Error; it may quote a secret.
        function Clear-Trace ($Last) {
            while ($global:Error.Count -and $global:Error[0] -ne $Last) { $global:Error.RemoveAt(0) }
        }

        # The conversation: Line is under way, and Deadline ends the wait for the next one.
        $talk = @{
            Cmdlet = $PSCmdlet; Program = $null; Process = $null; Reading = $null; Errors = $null; Line = $null
            Answer = $null; IsEnding = $false; Patience = 2; Deadline = [datetime]::MaxValue
        }
        $lastError, $null = $global:Error # read so, as its members would have the engine look at all of its type
        $traces = $null
        if ('ErrorVariable' -in $PSBoundParameters.Keys) {
            $traces = $PSCmdlet.GetVariableValue($PSBoundParameters.ErrorVariable.TrimStart('+'))
            $earlier = $traces.Count
        }
        $talk.Program = Find-Program $talk $PSScriptRoot
        try {
            Open-Program $talk 'connect'
            $talk.Reading = $talk.Process.StandardOutput.ReadLineAsync()
            $connection, $authentication = $Script:NRAPIConnectionInformation, $Script:NRAPIAuthenticationInformation
            Send-Line $talk (Get-Request $PSBoundParameters -Connection $connection -Authentication $authentication)
            # What a session needs is compiled here, while NinjaOne is being asked.
            ConvertTo-Session $talk (ConvertFrom-Line @{
                    Line = '{"type":"","connection":{"RedirectURI":"http://localhost:9090/","a":1,"b":true,"c":null},' +
                        '"authentication":{"Access":"-","Expires":"2000-01-01T00:00:00Z"}}'
                })
            while (-not $talk.Answer) {
                Receive-Line $talk
                if ($null -eq $talk.Line) { Exit-WithoutAnswer $talk }
                Invoke-Line $talk
            }
        } finally {
            if ($talk.Process) {
                try {
                    if (-not $talk.Answer) { Receive-Rest $talk }
                } finally {
                    if (-not $talk.Process.WaitForExit(500)) { $talk.Process.Kill() }
                    $talk.Process.Dispose()
                }
            }
            $newest, $null = $global:Error
            if ($newest -ne $lastError) { Clear-Trace $lastError }
            if ($traces) { $traces.RemoveRange($earlier, $traces.Count - $earlier) }
        }

        $answer = $talk.Answer
        if ($answer.type -eq 'error') { Exit-Connect $talk $answer }
        if ($ShowTokens) {
            $shown = $answer.authentication
            [pscustomobject] @{
                Type = $shown.Type; Access = $shown.Access; Expires = $shown.Expires; Refresh = $shown.Refresh
                URL = $answer.connection.URL
            }
            $advice = 'Store these tokens in a safe place: whoever has them can use your NinjaOne instance.'
            Show-Message $talk @{ stream = 'warning'; message = $advice }
        }
    }
}
