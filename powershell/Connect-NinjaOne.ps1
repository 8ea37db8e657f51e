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
        $isVaultWrite = $PSBoundParameters.ContainsKey('WriteToSecretVault') -and $PSBoundParameters.ContainsKey('UseSecretManagement') -and
            $PSBoundParameters.ContainsKey('VaultName') -and -not $PSBoundParameters.ContainsKey('ShowTokens')
        if ($isVaultWrite) {
            $attributes = [System.Collections.ObjectModel.Collection[Attribute]]::new()
            foreach ($set in 'Token Authentication', 'Client Credentials') {
                $attributes.Add([System.Management.Automation.ParameterAttribute] @{ ParameterSetName = $set; Mandatory = $true; DontShow = $true })
            }
            $parameters = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
            $parameters.Add('NotAVaultWrite', [System.Management.Automation.RuntimeDefinedParameter]::new('NotAVaultWrite', [switch], $attributes))
            $parameters
        }
    }
    end {
        Set-StrictMode -Off
        $ErrorActionPreference = 'Stop'
        $WhatIfPreference = $false
        $ConfirmPreference = 'None'
        if ($DebugPreference -eq 'Inquire') { $DebugPreference = 'Continue' }
        if ($InformationPreference -eq 'SilentlyContinue' -and -not $PSBoundParameters.ContainsKey('InformationAction')) { $InformationPreference = 'Continue' }

        function Stop-Connect ($Id, $Category, $Message, $Recommendation, $Target) {
            $record = [System.Management.Automation.ErrorRecord]::new([InvalidOperationException]::new($Message), $Id, $Category, $Target)
            $shown = if ($PSVersionTable.PSVersion -lt [version] '7.5') { "$Message $Recommendation" } else { $Message }
            $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new($shown)
            $record.ErrorDetails.RecommendedAction = $Recommendation
            $PSCmdlet.ThrowTerminatingError($record)
        }

        function Stop-Program ($Message) {
            Stop-Connect ProgramFailed ResourceUnavailable $Message "Run '$program version': it has to be of the same release as Connect-NinjaOne. Then run Connect-NinjaOne again with -Debug." $program
        }

        function Find-Program {
            $name = if ([IO.Path]::DirectorySeparatorChar -eq '\') { 'ninjaone-auth.exe' } else { 'ninjaone-auth' }
            $places = @(
                if ($env:NINJAONE_AUTH_PATH) { $PSCmdlet.GetUnresolvedProviderPathFromPSPath($env:NINJAONE_AUTH_PATH) }
                elseif ($PSScriptRoot) { [IO.Path]::Combine($PSScriptRoot, $name); [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', 'bin', $name)) }
            )
            foreach ($place in $places) { if ([IO.File]::Exists($place)) { return $place } }
            if (-not $env:NINJAONE_AUTH_PATH) {
                $command = Get-Command -Name $name -CommandType Application -TotalCount 1 -ErrorAction Ignore
                if ($command) { return $command.Path }
                $places += 'the folders of PATH'
            }
            Stop-Connect ProgramNotFound ObjectNotFound "The program $name is not where Connect-NinjaOne looks for it: $($places -join ', ')." 'Put it there, or set $env:NINJAONE_AUTH_PATH to its path.' $name
        }

        function Send-Line ($Value) {
            $json = ConvertTo-Json $Value -Depth 4 -Compress -WarningAction Ignore
            if ($json -match '[^ -~]') { $json = [regex]::Replace($json, '[^ -~]', { '\u{0:x4}' -f [int] [char] $args[0].Value }) }
            $bytes = [Text.Encoding]::ASCII.GetBytes("$json`n")
            try {
                $stream = $process.StandardInput.BaseStream
                $stream.Write($bytes, 0, $bytes.Length)
                $stream.Flush()
            } catch [IO.IOException] {
                $null = 'The program has ended: its output tells why.'
            }
        }

        # Returns the program's next line as an object; nothing at the end of its output, or after the deadline.
        function Receive-Line ([datetime] $Deadline = [datetime]::MaxValue) {
            while (-not $output.Reading.Wait(50)) {
                if (-not $output.Errors) { $output.Errors = $process.StandardError.ReadToEndAsync() }
                if ([datetime]::UtcNow -gt $Deadline) { return }
                # What a program wrote last is read some time after its end, on a busy machine seconds after.
                $patience = [datetime]::UtcNow.AddSeconds(10)
                if ($process.HasExited -and $patience -lt $Deadline) { $Deadline = $patience }
            }
            $line = $output.Reading.Result
            if ($null -eq $line) { return }
            $output.Reading = $process.StandardOutput.ReadLineAsync()
            $message = try { ConvertFrom-Json $line } catch { $null }
            if (-not $message.type) { Stop-Program "$program printed a line that is not of the protocol." }
            $message
        }

        # ConvertFrom-Json of PowerShell 7 makes a DateTime of a text that looks like one: this is the text again, in the
        # form in which the program writes dates.
        function ConvertTo-Text ($Value) {
            if ($Value -is [datetime]) { $Value.ToString('yyyy-MM-ddTHH:mm:ss.FFFFFFFK', [cultureinfo]::InvariantCulture) } else { $Value }
        }

        function ConvertTo-Table ($Object) {
            $table = @{}
            foreach ($property in $Object.PSObject.Properties) {
                $table[$property.Name] = if ($property.Value -is [datetime]) { ConvertTo-Text $property.Value } else { $property.Value }
            }
            $table
        }

        # Three tries, because the file of a SecretStore is locked while another process writes to it.
        function Invoke-Patiently ([scriptblock] $Action) {
            foreach ($pause in 300, 900, 0) {
                try { return & $Action } catch {
                    if ($_.FullyQualifiedErrorId -like 'GetSecretNotFound*') { return }
                    if ($_.FullyQualifiedErrorId -like '*VaultNotFound*' -or -not $pause) { throw }
                    Start-Sleep -Milliseconds $pause
                }
            }
        }

        # Does what a getSecrets or setSecrets line asks, and returns the answer to it.
        function Use-Vault ($Request) {
            $module = 'Microsoft.PowerShell.SecretManagement'
            if (-not (Get-Command -Name $module\Get-Secret -ErrorAction Ignore)) {
                return @{ error = @{ id = 'VaultNotFound'; name = $module; message = "The module $module is not installed." } }
            }
            $vault = ConvertTo-Text $Request.vault
            $found = @{}
            $stored = 0
            $value = $null
            $errorsBefore = $global:Error.Count
            try {
                foreach ($name in $Request.names) {
                    $secret = Invoke-Patiently { & $module\Get-Secret -Vault $vault -Name $name -AsPlainText -ErrorAction Stop -WarningAction Ignore }
                    if ($secret -is [string]) { $found[$name] = "$secret" }
                }
                foreach ($secret in $Request.secrets) {
                    $name = $secret.name
                    $value = ConvertTo-Text $secret.value
                    Invoke-Patiently { & $module\Set-Secret -Vault $vault -Name $name -Secret $value -ErrorAction Stop -WarningAction Ignore }
                    $stored++
                }
            } catch {
                $id = if ($_.FullyQualifiedErrorId -like '*VaultNotFound*') { 'VaultNotFound' } elseif ($value) { 'SecretNotStored' } else { 'VaultFailed' }
                $message = if ($value) { $_.Exception.Message.Replace($value, '***') } else { $_.Exception.Message }
                return @{ error = @{ id = $id; name = $name; message = $message } }
            } finally {
                while ($global:Error.Count -gt $errorsBefore) { $global:Error.RemoveAt(0) } # the program is told
            }
            if ($Request.type -eq 'setSecrets') { @{ stored = $stored } } else { @{ secrets = $found } }
        }

        function Write-Message ($Stream, $Message) {
            switch ($Stream) {
                'verbose' { Write-Verbose $Message }
                'debug' { Write-Debug $Message }
                'warning' { Write-Warning $Message }
                'information' { Write-Information $Message }
            }
        }

        function Show-Progress ($Progress) {
            if ($Progress.completed) { Write-Progress -Activity $Progress.activity -Completed }
            else { Write-Progress -Activity $Progress.activity -Status "$($Progress.status) " -PercentComplete $Progress.percent }
        }

        # Sets both variables, or neither: a finally block is not interrupted.
        function Set-Session ($Answer) {
            try {
                $connection = ConvertTo-Table $Answer.connection
                $authentication = ConvertTo-Table $Answer.authentication
                if (-not $authentication.Access) { throw 'There is no access token.' }
                $connection.AuthListenerPort = [int] $connection.AuthListenerPort
                $uri = $connection.RedirectURI
                $connection.RedirectURI = [UriBuilder] $uri
                if ("$($connection.RedirectURI)" -ne $uri) { Add-Member -InputObject $connection.RedirectURI -NotePropertyName OriginalString -NotePropertyValue $uri }
                $authentication.Expires = ([datetime] $authentication.Expires).ToLocalTime()
            } catch {
                Stop-Program "$program printed a session that lacks what it must hold."
            }
            try { } finally {
                $Script:NRAPIConnectionInformation = $connection
                $Script:NRAPIAuthenticationInformation = $authentication
                $variables.Get('Script:NRAPIConnectionInformation').Visibility = 'Private'
                $variables.Get('Script:NRAPIAuthenticationInformation').Visibility = 'Private'
                if ($connection.ParseDateTimes) { $Script:ParseDateTimes = $true }
            }
        }

        $variables = $ExecutionContext.SessionState.PSVariable
        $program = Find-Program
        $start = [System.Diagnostics.ProcessStartInfo] @{
            FileName = $program; Arguments = 'connect'; UseShellExecute = $false; CreateNoWindow = $true
            RedirectStandardInput = $true; RedirectStandardOutput = $true; RedirectStandardError = $true
        }
        $answer = $process = $pending = $null
        try {
            try { $process = [System.Diagnostics.Process]::Start($start) } catch { Stop-Program "$program does not start: $($_.Exception.GetBaseException().Message)" }
            $given = @{}
            foreach ($name in $PSBoundParameters.Keys) {
                $given[$name] = $PSBoundParameters[$name]
                if ($given[$name] -is [switch]) { $given[$name] = [bool] $given[$name] }
            }
            foreach ($name in [System.Management.Automation.Cmdlet]::CommonParameters) { $given.Remove($name) }
            if ($RedirectURL) { $given.RedirectURL = $RedirectURL.OriginalString }
            $streams = @(
                'warning', 'information'
                if ($VerbosePreference -notin 'SilentlyContinue', 'Ignore') { 'verbose' }
                if ($DebugPreference -notin 'SilentlyContinue', 'Ignore') { 'debug' }
            )
            $interactive = [Environment]::UserInteractive
            foreach ($argument in [Environment]::GetCommandLineArgs()) {
                if ($argument -match '^(--?|/)noni') { $interactive = $false }
                if ($argument -match '^(--?|/)(f|file|c|command|e|ec|enc|encodedcommand)$') { break }
            }
            $request = @{ version = 1; parameters = $given; caller = @{ streams = $streams; vaults = $true; interactive = $interactive } }
            $connection = $variables.GetValue('Script:NRAPIConnectionInformation')
            $authentication = $variables.GetValue('Script:NRAPIAuthenticationInformation')
            if ($connection -is [hashtable] -and $authentication -is [hashtable] -and $authentication.Expires -is [datetime]) {
                $connection = $connection.Clone()
                $authentication = $authentication.Clone()
                $connection.RedirectURI = if ($connection.RedirectURI.OriginalString) { $connection.RedirectURI.OriginalString } else { "$($connection.RedirectURI)" }
                $authentication.Expires = $authentication.Expires.ToUniversalTime().ToString('o')
                $request.session = @{ connection = $connection; authentication = $authentication }
            }
            Send-Line $request
            $output = @{ Reading = $process.StandardOutput.ReadLineAsync(); Errors = $null }
            while (-not $answer) {
                $message = Receive-Line
                if (-not $message) {
                    if (-not $output.Errors) { $output.Errors = $process.StandardError.ReadToEndAsync() }
                    $reason = if ($output.Errors.Wait(1000)) { @($output.Errors.Result -split '\r?\n')[0] }
                    Stop-Program "$program ended without an answer. $reason".Trim()
                }
                $type = $message.type
                if ($type -in 'session', 'error') { $answer = $message; break }
                if ($type -eq 'write') { Write-Message $message.stream $message.message }
                elseif ($type -eq 'progress') { Show-Progress $message }
                elseif ($type -in 'getSecrets', 'setSecrets') { $pending = $message; Send-Line (Use-Vault $message); $pending = $null }
                else { Stop-Program "$program printed a line of a type that this Connect-NinjaOne does not know." }
            }
        } finally {
            if ($process) {
                try {
                    $process.StandardInput.Close()
                    if (-not $answer) {
                        # Ctrl+C, or a warning that is an error. A program whose caller has gone ends at once, unless it is renewing a
                        # token: killed then, it would lose the only copy. So it is awaited for as long as a request may take, and its
                        # new token is kept.
                        $deadline = [datetime]::UtcNow.AddSeconds($(if ($UseTokenAuth -or -not ($UseClientAuth -or $UseWebAuth)) { 35 } else { 2 }))
                        for ($message = $pending; $message -or ([datetime]::UtcNow -lt $deadline -and ($message = Receive-Line $deadline)); $message = $null) {
                            if ($message.type -eq 'setSecrets') { $null = Use-Vault $message }
                            if ($message.type -eq 'session') { Set-Session $message }
                        }
                    }
                } catch {
                    $null = 'What ended the conversation is being thrown already.'
                } finally {
                    if (-not $process.WaitForExit(500)) { $process.Kill() }
                    $process.Dispose()
                }
            }
        }

        if ($answer.type -eq 'error') {
            $category = $answer.category -as [System.Management.Automation.ErrorCategory]
            Stop-Connect $answer.id $(if ($category) { $category } else { 'NotSpecified' }) $answer.message $answer.recommendation $answer.target
        }
        Set-Session $answer
        if ($ShowTokens) {
            $authentication = $Script:NRAPIAuthenticationInformation
            '================ Auth Tokens ================'
            [pscustomobject] @{ Type = $authentication.Type; Access = $authentication.Access; Expires = $authentication.Expires; Refresh = $authentication.Refresh }
            'Store these tokens in a safe place: whoever has them can use your NinjaOne instance.'
        }
    }
}
