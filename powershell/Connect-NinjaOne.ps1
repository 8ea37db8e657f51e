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
        The NinjaOne instance to connect to. Choose from 'eu', 'oc' or 'us'.
    .PARAMETER ClientId
        The Client Id for the application configured in NinjaOne.
    .PARAMETER ClientSecret
        The Client Secret for the application configured in NinjaOne.
    .PARAMETER Scopes
        The API scopes to request, if this isn't passed the scope is assumed to be "all". Pass a string or array of strings. Limited by the scopes granted to the application in NinjaOne.
    .PARAMETER RedirectURL
        The redirect URI to use. If not set defaults to 'http://localhost'. Should be a full URI e.g. https://redirect.example.uk:9090/auth
    .PARAMETER Port
        The port to use for the redirect URI. Must match with the configuration set in NinjaOne. If not set defaults to '9090'.
    .PARAMETER RefreshToken
        The refresh token to use for "Token Authentication" flow.
    .PARAMETER ShowTokens
        Output the tokens - useful when using "Authorisation Code" flow - to use with "Token Authentication" flow.
    .PARAMETER UseSecretManagement
        Use the secret management module to retrieve credentials and store tokens. Check the docs on setting up the secret management module at https://docs.homotechsual.dev/common/secretmanagement.
    .PARAMETER VaultName
        The name of the secret vault to use.
    .PARAMETER WriteToSecretVault
        Write updated credentials to secret management vault.
    .PARAMETER ReadFromSecretVault
        Read the authentication information from secret management vault.
    .PARAMETER SecretPrefix
        The prefix to add to the name of the secrets stored in the secret vault.
    .PARAMETER ParseDateTimes
        Turn the dates in NinjaOne's answers into DateTime objects.
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

        This logs into NinjaOne using the client credentials flow and writes the connection information to the secret vault.
    .EXAMPLE
        Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault

        This reads the connection information from the secret vault.
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
                param ($CommandName, $ParameterName, $WordToComplete)
                'monitoring', 'management', 'control', 'offline_access' -like "$($WordToComplete.Trim('''"'))*"
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
        $isVaultWrite = $PSBoundParameters.ContainsKey('WriteToSecretVault') -and
            $PSBoundParameters.ContainsKey('UseSecretManagement') -and
            $PSBoundParameters.ContainsKey('VaultName') -and -not $PSBoundParameters.ContainsKey('ShowTokens')
        if ($isVaultWrite) {
            $attributes = [System.Collections.ObjectModel.Collection[Attribute]]::new()
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
    end {
        Set-StrictMode -Off
        $ErrorActionPreference = 'Stop'
        $WhatIfPreference = $false
        $ConfirmPreference = 'None'
        if ($DebugPreference -eq 'Inquire') { $DebugPreference = 'Continue' }
        $isAsked = $PSBoundParameters.ContainsKey('InformationAction')
        if ($InformationPreference -eq 'SilentlyContinue' -and -not $isAsked) { $InformationPreference = 'Continue' }

        function Stop-Connect ($Id, $Category, $Message, $Recommendation, $Target) {
            $exception = [InvalidOperationException]::new($Message)
            $record = [System.Management.Automation.ErrorRecord]::new($exception, $Id, $Category, $Target)
            $shown = if ($PSVersionTable.PSVersion -lt [version] '7.5') { "$Message $Recommendation" } else { $Message }
            $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new($shown)
            $record.ErrorDetails.RecommendedAction = $Recommendation
            $PSCmdlet.ThrowTerminatingError($record)
        }

        function Stop-Program ($Message) {
            $advice = "Run '$program version': it has to be of the same release as Connect-NinjaOne. " +
                'Then run Connect-NinjaOne again with -Debug.'
            Stop-Connect ProgramFailed ResourceUnavailable $Message $advice $program
        }

        function Find-Program {
            $name = if ([IO.Path]::DirectorySeparatorChar -eq '\') { 'ninjaone-auth.exe' } else { 'ninjaone-auth' }
            $places = @(
                if ($env:NINJAONE_AUTH_PATH) {
                    $PSCmdlet.GetUnresolvedProviderPathFromPSPath($env:NINJAONE_AUTH_PATH)
                } elseif ($PSScriptRoot) {
                    [IO.Path]::Combine($PSScriptRoot, $name)
                    [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', 'bin', $name))
                }
            )
            foreach ($place in $places) { if ([IO.File]::Exists($place)) { return $place } }
            if (-not $env:NINJAONE_AUTH_PATH) {
                $command = $ExecutionContext.InvokeCommand.GetCommand($name, 'Application')
                if ($command) { return $command.Path }
                $places += 'the folders of PATH'
            }
            $message = "The program $name is not where Connect-NinjaOne looks for it: $($places -join ', ')."
            $advice = 'Put it there, or set $env:NINJAONE_AUTH_PATH to its path.'
            Stop-Connect ProgramNotFound ObjectNotFound $message $advice $name
        }

        # JSON is read and written here, in one way for Windows PowerShell and PowerShell 7: its cmdlets would show
        # secrets to module logging, and make dates of texts. A hashtable, which these functions take, shows nothing.
        function ConvertTo-JsonText ([hashtable] $Table) {
            $members = foreach ($entry in $Table.GetEnumerator()) {
                $value = $entry.Value
                $text = if ($null -eq $value) { 'null' }
                elseif ($value -is [bool] -or $value -is [switch]) { if ($value) { 'true' } else { 'false' } }
                elseif ($value -is [int] -or $value -is [long]) { "$value" }
                elseif ($value -is [hashtable]) { ConvertTo-JsonText $value }
                elseif ($value -is [System.Collections.IList]) {
                    $texts = foreach ($one in $value) { '"' + "$one".Replace('\', '\\').Replace('"', '\"') + '"' }
                    '[' + ($texts -join ',') + ']'
                }
                else { '"' + "$value".Replace('\', '\\').Replace('"', '\"') + '"' }
                '"' + "$($entry.Key)".Replace('\', '\\').Replace('"', '\"') + '":' + $text
            }
            '{' + ($members -join ',') + '}'
        }

        function Send-Line ([hashtable] $Line) {
            $json = ConvertTo-JsonText $Line
            # Control characters have to be escaped; all else but ASCII is, so that no code page can spoil it.
            if ($json -cmatch '[^ -~]') {
                $json = [regex]::Replace($json, '[^ -~]', { '\u{0:x4}' -f [int] [char] $args[0].Value })
            }
            $bytes = [Text.Encoding]::ASCII.GetBytes("$json`n")
            try {
                $stream = $process.StandardInput.BaseStream
                $stream.Write($bytes, 0, $bytes.Length)
                $stream.Flush()
            } catch [IO.IOException] {
                $null = 'The program has ended: its output tells why.'
            }
        }

        # Keeps the program's next line in $Talk.Line: nothing at the end of its output, or after the deadline. The line
        # stays there until it has been dealt with, so that Ctrl+C can't lose it.
        function Receive-Line ([hashtable] $Talk) {
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

        # The line as a table. Of an object it makes a table, of an array a list, and a text stays the text that it is.
        function ConvertFrom-Line ([hashtable] $Talk) {
            $string = '"([^"\\]*(?:\\.[^"\\]*)*)"'
            $pattern = "$string\s*:|$string|[^\s{}\[\],:`"]+|[{}\[\]]"
            $open = [System.Collections.Stack]::new()
            $message = $name = $null
            # Nothing but blanks and commas stands between the tokens, and nothing after the object.
            $isWhole = [regex]::Replace($Talk.Line, $pattern, '').Trim(' ', ',', "`t") -eq ''
            foreach ($token in [regex]::Matches($Talk.Line, $pattern)) {
                if (-not $open.Count -and ($message -or $token.Value -ne '{')) { $isWhole = $false; break }
                $text = "$($token.Groups[1].Value)$($token.Groups[2].Value)"
                if ($text.Contains('\')) { try { $text = [regex]::Unescape($text) } catch { $isWhole = $false; break } }
                if ($token.Groups[1].Success) { $name = $text; continue }
                $value = $token.Value
                if ($value -eq '}' -or $value -eq ']') { if ($open.Count) { $message = $open.Pop() }; continue }
                $isHolder = $value -eq '{' -or $value -eq '['
                if ($token.Groups[2].Success) { $value = $text }
                elseif ($value -eq '{') { $value = @{} }
                elseif ($value -eq '[') { $value = [System.Collections.ArrayList]::new() }
                elseif ($value -eq 'null') { $value = $null }
                elseif ($value -eq 'true' -or $value -eq 'false') { $value = $value -eq 'true' }
                elseif ($value -match '^-?\d{1,18}$') { $value = [long] $value }
                else { $value = $value -as [double] }
                if ($open.Count) {
                    $holder = $open.Peek()
                    if ($holder -is [hashtable]) { $holder[$name] = $value } else { $null = $holder.Add($value) }
                }
                if ($isHolder) { $open.Push($value) }
            }
            if (-not $isWhole -or $open.Count -or $message -isnot [hashtable] -or $message.type -isnot [string]) {
                Stop-Program "$program printed a line that is not of the protocol."
            }
            $message
        }

        # Does what a getSecrets or setSecrets line asks, and returns the reply to it.
        function Use-Vault ([hashtable] $Question) {
            $module = 'Microsoft.PowerShell.SecretManagement'
            if (-not $ExecutionContext.InvokeCommand.GetCommand("$module\Get-Secret", 'Cmdlet')) {
                $message = "The module $module is not installed."
                return @{ error = @{ id = 'VaultNotFound'; name = $module; message = $message } }
            }
            $vault = $Question.vault
            $quietly = @{ ErrorAction = 'Stop'; WarningAction = 'Ignore' }
            $found = @{}
            $reply = @{ secrets = $found }
            $stored = 0
            $value = $null
            try {
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
                $id = if ($value) { 'SecretNotStored' } else { 'VaultFailed' }
                if ($_.FullyQualifiedErrorId -like '*VaultNotFound*') { $id = 'VaultNotFound' }
                $message = if ($value) { $_.Exception.Message.Replace($value, '***') } else { $_.Exception.Message }
                return @{ error = @{ id = $id; name = $name; message = $message } }
            }
            if ($Question.type -eq 'setSecrets') { @{ stored = $stored } } else { $reply }
        }

        function Show-Message ([hashtable] $Message) {
            if ($Message.type -eq 'progress') {
                $status = "$($Message.status) "
                $record = [System.Management.Automation.ProgressRecord]::new(0, $Message.activity, $status)
                $record.PercentComplete = [int] $Message.percent
                if ($Message.completed) { $record.RecordType = 'Completed' }
                $PSCmdlet.WriteProgress($record)
                return
            }
            if ($DebugPreference -notin 'SilentlyContinue', 'Ignore') {
                & "Write-$($Message.stream)" $Message.message # with -Debug, the methods below would ask at each line
                return
            }
            switch ($Message.stream) {
                'verbose' { $PSCmdlet.WriteVerbose($Message.message) }
                'warning' { $PSCmdlet.WriteWarning($Message.message) }
                'information' { $PSCmdlet.WriteInformation($Message.message, [string[]] @()) }
            }
        }

        # Sets both variables, or neither.
        function Set-Session ([hashtable] $Answer) {
            $connection = $Answer.connection
            $authentication = $Answer.authentication
            try {
                if (-not $authentication.Access) { throw 'There is no access token.' }
                $connection.AuthListenerPort = [int] $connection.AuthListenerPort
                $uri = $connection.RedirectURI
                $connection.RedirectURI = [UriBuilder] $uri
                # A UriBuilder changes addresses: the registered one is kept beside it.
                if ("$($connection.RedirectURI)" -ne $uri) {
                    $connection.RedirectURI.psobject.Members.Add([psnoteproperty]::new('OriginalString', $uri))
                }
                $expires = [datetimeoffset]::Parse($authentication.Expires, [cultureinfo]::InvariantCulture)
                $authentication.Expires = $expires.LocalDateTime
            } catch {
                Stop-Program "$program printed a session that lacks what it must hold."
            }
            $Script:NRAPIConnectionInformation = $connection
            $Script:NRAPIAuthenticationInformation = $authentication
            if ($ExecutionContext.SessionState.Module) {
                $variables.Get('Script:NRAPIConnectionInformation').Visibility = 'Private'
                $variables.Get('Script:NRAPIAuthenticationInformation').Visibility = 'Private'
            }
            if ($connection.ParseDateTimes) { $Script:ParseDateTimes = $true }
        }

        # What the program gets to know: what was given, what this caller can do, and the session that there is.
        function Get-Request ([hashtable] $Given) {
            if ($RedirectURL) { $Given.RedirectURL = $RedirectURL.OriginalString }
            $streams = @(
                'warning', 'information'
                if ($VerbosePreference -notin 'SilentlyContinue', 'Ignore') { 'verbose' }
                if ($DebugPreference -notin 'SilentlyContinue', 'Ignore') { 'debug' }
            )
            $interactive = [Environment]::UserInteractive
            foreach ($argument in [Environment]::GetCommandLineArgs()) {
                if ($argument -match '^(--?|/)noni') { $interactive = $false }
                if ($argument -match '^(--?|/)(f|file|c|command|e|ec|enc|encoded.*)$') { break }
            }
            $caller = @{ streams = $streams; vaults = $true; pending = $true; interactive = $interactive }
            $request = @{ version = 1; parameters = $Given; caller = $caller }
            $connection = $variables.GetValue('Script:NRAPIConnectionInformation')
            $authentication = $variables.GetValue('Script:NRAPIAuthenticationInformation')
            $isSession = $connection -is [hashtable] -and $authentication -is [hashtable]
            if ($isSession -and $authentication.Expires -is [datetime]) {
                $connection = $connection.Clone()
                $authentication = $authentication.Clone()
                $uri = $connection.RedirectURI
                $connection.RedirectURI = if ($uri.OriginalString) { $uri.OriginalString } else { "$uri" }
                $authentication.Expires = $authentication.Expires.ToUniversalTime().ToString('o')
                $request.session = @{ connection = $connection; authentication = $authentication }
            }
            $request
        }

        # Does what the line that is under way asks for.
        function Invoke-Line ([hashtable] $Talk) {
            $message = ConvertFrom-Line $Talk
            switch ($message.type) {
                'error' { $Talk.Answer = $message }
                'session' { Set-Session $message; $Talk.Answer = $message }
                'pending' {
                    $Talk.Patience = $message.seconds
                    if ($Talk.Ending) { $Talk.Deadline = [datetime]::UtcNow.AddSeconds($message.seconds) }
                }
                { $_ -in 'write', 'progress' } { if (-not $Talk.Ending) { Show-Message $message } }
                'setSecrets' {
                    $reply = Use-Vault $message
                    if (-not $Talk.Ending) { Send-Line $reply; break }
                    # Nobody is left to ask again: the file of a vault may be in use.
                    foreach ($pause in 300, 900) {
                        if ($reply.error) { [System.Threading.Thread]::Sleep($pause); $reply = Use-Vault $message }
                    }
                }
                'getSecrets' { if (-not $Talk.Ending) { Send-Line (Use-Vault $message) } }
                default { Stop-Program "$program printed a line of a type that this Connect-NinjaOne does not know." }
            }
            $Talk.Line = $null
        }

        $variables = $ExecutionContext.SessionState.PSVariable
        $lastError = if ($global:Error.Count) { $global:Error[0] }
        $program = Find-Program
        $start = [System.Diagnostics.ProcessStartInfo] @{
            FileName = $program; Arguments = 'connect'; UseShellExecute = $false; CreateNoWindow = $true
            RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
        }
        $process = $null
        # The conversation: Line is under way, and Deadline ends the wait for the next one.
        $talk = @{
            Process = $null; Reading = $null; Errors = $null; Line = $null; Answer = $null
            Ending = $false; Patience = 2; Deadline = [datetime]::MaxValue
        }
        try {
            try {
                $process = [System.Diagnostics.Process]::Start($start)
            } catch {
                Stop-Program "$program does not start: $($_.Exception.GetBaseException().Message)"
            }
            $talk.Process = $process
            $given = [hashtable]::new($PSBoundParameters)
            foreach ($name in [System.Management.Automation.Cmdlet]::CommonParameters) { $given.Remove($name) }
            $talk.Reading = $process.StandardOutput.ReadLineAsync()
            Send-Line (Get-Request $given)
            # PowerShell compiles what it runs for the first time: here while NinjaOne is being asked.
            $null = ConvertFrom-Line @{ Line = '{"type":"none","a":{"b":1,"c":true,"d":null}}' }
            while (-not $talk.Answer) {
                Receive-Line $talk
                if ($null -eq $talk.Line) {
                    if (-not $talk.Errors) { $talk.Errors = $process.StandardError.ReadToEndAsync() }
                    $reason = if ($talk.Errors.Wait(1000)) { @($talk.Errors.Result -split '\r?\n')[0] }
                    Stop-Program "$program ended without an answer. $reason".Trim()
                }
                Invoke-Line $talk
            }
        } finally {
            if ($process) {
                try {
                    $process.StandardInput.Close()
                    # Without an answer this is Ctrl+C, or a warning that is an error. A program whose caller has gone
                    # ends at once, unless something is pending, a token that would be lost: that is awaited, and kept.
                    $talk.Ending = $true
                    $talk.Deadline = [datetime]::UtcNow.AddSeconds($talk.Patience)
                    while (-not $talk.Answer -and $talk.Reading -and [datetime]::UtcNow -lt $talk.Deadline) {
                        if ($null -eq $talk.Line) { Receive-Line $talk }
                        if ($null -eq $talk.Line) { break }
                        Invoke-Line $talk
                    }
                } catch {
                    $null = 'What ended the conversation is being thrown already.'
                } finally {
                    if (-not $process.WaitForExit(500)) { $process.Kill() }
                    $process.Dispose()
                }
            }
            # What the wrapper itself has dealt with leaves no trace; it may quote a secret.
            while ($global:Error.Count -and -not [object]::ReferenceEquals($global:Error[0], $lastError)) {
                $global:Error.RemoveAt(0)
            }
        }

        $answer = $talk.Answer
        if ($answer.type -eq 'error') {
            $category = $answer.category -as [System.Management.Automation.ErrorCategory]
            if (-not $category) { $category = 'NotSpecified' }
            Stop-Connect $answer.id $category $answer.message $answer.recommendation $answer.target
        }
        if ($ShowTokens) {
            $shown = $Script:NRAPIAuthenticationInformation
            [pscustomobject] @{
                Type = $shown.Type; Access = $shown.Access; Expires = $shown.Expires; Refresh = $shown.Refresh
                URL = $answer.connection.URL
            }
            $advice = 'Store these tokens in a safe place: whoever has them can use your NinjaOne instance.'
            Show-Message @{ stream = 'warning'; message = $advice }
        }
    }
}
