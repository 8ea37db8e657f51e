# The real wrapper and the real program against the stand-in NinjaOne, which they reach through HTTPS_PROXY and SSL_CERT_FILE.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    . (Get-WrapperPath)
    $changed = 'NINJAONE_AUTH_PATH', 'HTTPS_PROXY', 'SSL_CERT_FILE', 'SECRETMANAGEMENT_STANDIN_HOME'
    $before = @{}
    foreach ($name in $changed) { $before[$name] = [Environment]::GetEnvironmentVariable($name) }
    $env:NINJAONE_AUTH_PATH = Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth

    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'

    $start = [Diagnostics.ProcessStartInfo]::new((Get-BuiltProgram STANDIN_PATH ./tests/cmd/standin))
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    $standin = [Diagnostics.Process]::Start($start)
    $service = $standin.StandardOutput.ReadLine() | ConvertFrom-Json
    $env:HTTPS_PROXY = $service.proxy
    $env:SSL_CERT_FILE = $service.certFile

    # Calls the stand-in's control API.
    function Invoke-Standin ([string] $Method, [string] $Path, $Body) {
        $arguments = @{ Method = $Method; Uri = "$($service.control)$Path"; NoProxy = $true }
        if ($Body) { $arguments.Body = ConvertTo-Json $Body; $arguments.ContentType = 'application/json' }
        Invoke-RestMethod @arguments
    }
    # One API request with the session that is set, made as the module makes it.
    function Invoke-Api {
        $headers = @{ Authorization = '{0} {1}' -f $Script:NRAPIAuthenticationInformation.Type, $Script:NRAPIAuthenticationInformation.Access }
        Invoke-RestMethod -Uri "$($Script:NRAPIConnectionInformation.URL)/v2/organizations" -Headers $headers -Proxy $service.proxy -SkipCertificateCheck
    }
    function Clear-Session {
        foreach ($name in 'NRAPIConnectionInformation', 'NRAPIAuthenticationInformation', 'ParseDateTimes') { Remove-Variable $name -Scope Script -Force -ErrorAction Ignore }
    }
    # What no output may hold: every secret that the stand-in ever registered or issued.
    function Find-Secret ($Output) {
        $text = $Output | ForEach-Object { $_; if ($_ -is [System.Management.Automation.ErrorRecord]) { $_ | Format-List * -Force; $_.Exception | Format-List * -Force; $_.ErrorDetails | Format-List * } } | Out-String -Width 5000
        Invoke-Standin GET /secrets | ForEach-Object { $_ } | Where-Object { $text.Contains($_) }
    }
}

AfterAll {
    $standin.StandardInput.Close()
    if (-not $standin.WaitForExit(5000)) { $standin.Kill() }
    foreach ($name in $changed) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
}

Describe 'Connect-NinjaOne and ninjaone-auth' {
    BeforeEach {
        Clear-Session
        $null = Invoke-Standin POST /reset @{}
        $app = Invoke-Standin POST /apps @{ instance = 'eu' }
        $application = @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }
        $refreshToken = (Invoke-Standin POST /refresh-token @{ clientId = $app.clientId }).refreshToken
    }
    AfterEach { Invoke-Standin GET /violations | ForEach-Object { $_ } | Should -BeNullOrEmpty }

    It 'log in with client credentials (EXAMPLE 1), and the session serves an API request' {
        Connect-NinjaOne @application -UseClientAuth | Should -BeNullOrEmpty
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Client Credentials'
        $Script:NRAPIConnectionInformation.URL | Should -BeExactly 'https://eu.ninjarmm.com'
        $Script:NRAPIConnectionInformation.ClientSecret | Should -BeExactly $app.clientSecret
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring management control'
        $Script:NRAPIAuthenticationInformation.Type | Should -BeExactly 'Bearer'
        ($Script:NRAPIAuthenticationInformation.Expires - [datetime]::Now).TotalMinutes | Should -BeGreaterThan 55
        ($Script:NRAPIAuthenticationInformation.Expires - [datetime]::Now).TotalMinutes | Should -BeLessThan 61
        $Script:NRAPIAuthenticationInformation.Refresh | Should -BeNullOrEmpty
        { Invoke-Api } | Should -Not -Throw
    }

    It 'log in with a refresh token (EXAMPLE 3), which is rotated' {
        Connect-NinjaOne @application -RefreshToken $refreshToken -UseTokenAuth | Should -BeNullOrEmpty
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Token Authentication'
        $Script:NRAPIAuthenticationInformation.Refresh | Should -Not -BeNullOrEmpty
        $Script:NRAPIAuthenticationInformation.Refresh | Should -Not -BeExactly $refreshToken
        { Invoke-Api } | Should -Not -Throw
    }

    It 'renew as the module does, client credentials: the other settings survive' {
        Connect-NinjaOne @application -UseClientAuth -Scopes monitoring, control
        $old = $Script:NRAPIAuthenticationInformation.Access
        $connection = $Script:NRAPIConnectionInformation
        Connect-NinjaOne -Instance $connection.Instance -ClientId $connection.ClientId -ClientSecret $connection.ClientSecret -ShowTokens:$null -UseClientAuth | Should -BeNullOrEmpty
        $Script:NRAPIAuthenticationInformation.Access | Should -Not -BeExactly $old
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring control'
        { Invoke-Api } | Should -Not -Throw
    }

    It 'renew as the module does, refresh token: the other settings survive' {
        Connect-NinjaOne @application -RefreshToken $refreshToken -UseTokenAuth -Scopes monitoring, offline_access -ParseDateTimes
        $connection = $Script:NRAPIConnectionInformation
        $connection.RedirectURI = [UriBuilder] 'http://localhost:8080/'
        $connection.AuthListenerPort = 8080
        Connect-NinjaOne -Instance $connection.Instance -ClientId $connection.ClientId -ClientSecret $connection.ClientSecret -ShowTokens:$null -UseTokenAuth -RefreshToken $Script:NRAPIAuthenticationInformation.Refresh | Should -BeNullOrEmpty
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring offline_access'
        "$($Script:NRAPIConnectionInformation.RedirectURI)" | Should -BeExactly 'http://localhost:8080/'
        $Script:NRAPIConnectionInformation.AuthListenerPort | Should -BeExactly 8080
        $Script:ParseDateTimes | Should -BeExactly $true
        { Invoke-Api } | Should -Not -Throw
    }

    It 'inherit nothing at a connect of another client' {
        Connect-NinjaOne @application -UseClientAuth -Scopes monitoring
        $other = Invoke-Standin POST /apps @{ instance = 'eu' }
        Connect-NinjaOne -Instance eu -ClientId $other.clientId -ClientSecret $other.clientSecret -UseClientAuth
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring management control'
    }

    It 'leave the session alone when they fail: <id>' -ForEach @(
        @{ id = 'InvalidClient'; change = @{ ClientId = 'unknown' } }
        @{ id = 'InvalidClient'; change = @{ Instance = 'us' } }
        @{ id = 'InvalidScope'; change = @{ Scopes = 'nonsense' } }
    ) {
        Connect-NinjaOne @application -UseClientAuth
        $connection = $Script:NRAPIConnectionInformation
        $authentication = $Script:NRAPIAuthenticationInformation
        $wrong = $application.Clone()
        foreach ($key in $change.Keys) { $wrong[$key] = $change[$key] }
        try { Connect-NinjaOne @wrong -UseClientAuth; $failure = $null } catch { $failure = $_ }
        $failure.FullyQualifiedErrorId | Should -BeExactly "$id,Connect-NinjaOne"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        [object]::ReferenceEquals($connection, $Script:NRAPIConnectionInformation) | Should -BeTrue
        [object]::ReferenceEquals($authentication, $Script:NRAPIAuthenticationInformation) | Should -BeTrue
    }

    It 'refuse a dead refresh token by name' {
        try { Connect-NinjaOne @application -UseTokenAuth -RefreshToken 'dead'; $failure = $null } catch { $failure = $_ }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'InvalidRefreshToken,Connect-NinjaOne'
        $failure.CategoryInfo.Category | Should -Be 'AuthenticationError'
    }

    It 'show no secret in any stream, verbose and debug on, at a success or a failure' {
        $output = @(
            Connect-NinjaOne @application -UseClientAuth -Verbose -Debug *>&1
            Connect-NinjaOne @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1
            try { Connect-NinjaOne @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1 } catch { $_ }
            try { Connect-NinjaOne -Instance oc -ClientId $app.clientId -ClientSecret $app.clientSecret -UseClientAuth -Verbose -Debug *>&1 } catch { $_ }
        )
        $null = Invoke-Standin POST /faults @{ kind = 'longDescription'; times = 1 }
        $output += try { Connect-NinjaOne @application -UseClientAuth -Verbose -Debug *>&1 } catch { $_ }
        @($output | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] }).Count | Should -Be 3
        @($output | Where-Object { $_ -is [System.Management.Automation.VerboseRecord] }).Count | Should -BeGreaterThan 0
        Find-Secret $output | Should -BeNullOrEmpty
    }

    It 'would be caught at showing one' {
        Find-Secret (Connect-NinjaOne @application -UseClientAuth -ShowTokens) | Should -Be $Script:NRAPIAuthenticationInformation.Access
    }

    It 'need a user for -UseWebAuth, and say so at once where nobody is there' {
        $output = Invoke-Shell "try { Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseWebAuth } catch { `$_.FullyQualifiedErrorId }"
        $output.Trim() | Should -BeExactly 'SignInNeedsUser,Connect-NinjaOne'
    }

    It 'end at Ctrl+C during the wait for a sign-in: process and port gone within a second' {
        $probe = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $probe.Start()
        $port = $probe.LocalEndpoint.Port
        $probe.Stop()
        function Test-Port { $client = [Net.Sockets.TcpClient]::new(); try { $client.Connect('127.0.0.1', $port); $true } catch { $false } finally { $client.Dispose() } }
        $shell = Start-Shell "Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseWebAuth -Port $port" @() @{ BROWSER = 'true'; DISPLAY = '' }
        $null = Wait-Until { Test-Port }
        Start-Sleep -Seconds 1
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Stop-Shell $shell
        $null = Wait-Until { -not (Test-Port) } 5
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 1
        $output = Wait-Shell $shell
        $output | Should -Match 'https://eu\.ninjarmm\.com/ws/oauth/authorize'
        Get-Process | Where-Object { $_.ProcessName -like 'ninjaone-auth*' -and $_.Parent.Id -eq $shell.Process.Id } | Should -BeNullOrEmpty
    }
}

Describe 'Connect-NinjaOne with a SecretManagement vault' -Skip:$noSecretManagement {
    BeforeAll {
        $store = Register-TestVault (Join-Path $TestDrive 'vault')
        function Get-Stored ([string] $Name) { Get-Secret -Vault $store.Name -Name "NinjaOne$Name" -AsPlainText -ErrorAction Ignore }
        # A session as the module's own vault code leaves it: plain strings, and a time of the writer's culture without a zone.
        function Set-Session ([string] $Access, [string] $Refresh, [string] $AuthMode = 'Token Authentication', [string] $Expires) {
            $fields = [ordered] @{
                AuthMode = $AuthMode; URL = 'https://eu.ninjarmm.com'; Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret
                AuthScopes = 'monitoring management offline_access'; RedirectURI = 'http://localhost:9090/'; AuthListenerPort = '9090'
                UseSecretManagement = 'True'; WriteToSecretVault = 'True'; ReadFromSecretVault = 'False'; VaultName = $store.Name; ParseDateTimes = 'True'
                Type = 'Bearer'; Access = $Access; Expires = $Expires; Refresh = $Refresh
            }
            foreach ($name in $fields.Keys) { Set-Secret -Vault $store.Name -Name "NinjaOne$name" -Secret $fields[$name] }
            [IO.File]::Delete("$($store.Path).calls")
        }
        function Get-Refreshed { @(Invoke-Standin GET /requests | ForEach-Object { $_ } | Where-Object grant -eq 'refresh_token').Count }
    }
    AfterAll { Unregister-TestVault $store }
    BeforeEach {
        Clear-Session
        Clear-TestVault $store
        $null = Invoke-Standin POST /reset @{}
        $app = Invoke-Standin POST /apps @{ instance = 'eu' }
        $application = @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }
        $refreshToken = (Invoke-Standin POST /refresh-token @{ clientId = $app.clientId }).refreshToken
        $vault = @{ UseSecretManagement = $true; VaultName = $store.Name }
    }
    AfterEach { Invoke-Standin GET /violations | ForEach-Object { $_ } | Should -BeNullOrEmpty }

    It 'writes (EXAMPLE 4) what another session reads (EXAMPLE 5)' {
        Connect-NinjaOne @vault -WriteToSecretVault @application -UseClientAuth
        $access = $Script:NRAPIAuthenticationInformation.Access
        Get-Stored Access | Should -BeExactly $access
        Get-Stored ClientSecret | Should -BeExactly $app.clientSecret
        Get-Stored UseSecretManagement | Should -BeExactly 'True'
        Get-Stored AuthListenerPort | Should -BeExactly '9090'
        Clear-Session
        Connect-NinjaOne @vault -ReadFromSecretVault
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly $access
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Client Credentials'
        $Script:NRAPIConnectionInformation.VaultName | Should -BeExactly $store.Name
        { Invoke-Api } | Should -Not -Throw
    }

    It 'reads a session that the module wrote, and writes back Refresh, Access and Expires alone: <Expires>' -ForEach @(
        @{ Expires = '11/24/2016 09:15:00' }
        @{ Expires = '24.11.2099 09:15:00' }
    ) {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires $Expires
        Connect-NinjaOne @vault -ReadFromSecretVault
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Token Authentication'
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring management offline_access'
        $Script:NRAPIConnectionInformation.AuthListenerPort | Should -BeExactly 9090
        $Script:NRAPIConnectionInformation.UseSecretManagement | Should -BeExactly $true
        $Script:NRAPIConnectionInformation.WriteToSecretVault | Should -BeExactly $true
        $Script:ParseDateTimes | Should -BeExactly $true
        { Invoke-Api } | Should -Not -Throw
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
        Get-Stored Refresh | Should -BeExactly $Script:NRAPIAuthenticationInformation.Refresh
        Get-Stored Refresh | Should -Not -BeExactly $refreshToken
        # What the module makes of the text.
        [datetime]::Parse((Get-Stored Expires)) | Should -Be $Script:NRAPIAuthenticationInformation.Expires
    }

    It 'writes a rotated token back at the module''s renewal' {
        Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken
        $first = Get-Stored Refresh
        $first | Should -Not -BeNullOrEmpty
        Connect-NinjaOne @application -ShowTokens:$null -UseTokenAuth -RefreshToken $Script:NRAPIAuthenticationInformation.Refresh
        $second = Get-Stored Refresh
        $second | Should -Not -BeExactly $first
        $Script:NRAPIAuthenticationInformation.Refresh | Should -BeExactly $second
        (Invoke-Standin POST /check @{ refreshToken = $second }).refresh | Should -BeTrue
    }

    It 'stores all although the vault fails twice' {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires '11/24/2016 09:15:00'
        Set-VaultFault $store Set-Secret NinjaOneRefresh -Times 2
        Connect-NinjaOne @vault -ReadFromSecretVault 3>&1 | Should -BeNullOrEmpty
        Get-Stored Refresh | Should -BeExactly $Script:NRAPIAuthenticationInformation.Refresh
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneRefresh', 'NinjaOneRefresh', 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
    }

    It 'returns the session although the vault fails for good, with a warning that names what was not stored' {
        Set-VaultFault $store Set-Secret NinjaOneRefresh
        $output = Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1
        $warnings = $output | Where-Object { $_ -is [System.Management.Automation.WarningRecord] }
        "$warnings" | Should -Match 'NinjaOneRefresh'
        "$warnings" | Should -Match ([regex]::Escape('$Script:NRAPIAuthenticationInformation'))
        (Invoke-Standin POST /check @{ refreshToken = $Script:NRAPIAuthenticationInformation.Refresh }).refresh | Should -BeTrue
        Find-Secret $output | Should -BeNullOrEmpty
    }

    It 'gives five processes at once one renewal of an expired session' {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires '11/24/2016 09:15:00'
        Set-VaultFault $store Set-Secret NinjaOne* -DelayMilliseconds 30
        $script = "Connect-NinjaOne -UseSecretManagement -VaultName '$($store.Name)' -ReadFromSecretVault; `$Script:NRAPIAuthenticationInformation.Access"
        $shells = foreach ($number in 1..5) {
            # The stand-in's register of vaults is slow to share; the real one is not, and is not there.
            $register = Join-Path $TestDrive "register-$number"
            Copy-Item $env:SECRETMANAGEMENT_STANDIN_HOME $register -Recurse -ErrorAction Ignore
            Start-Shell $script '-NonInteractive' @{ SECRETMANAGEMENT_STANDIN_HOME = $register }
        }
        $tokens = @($shells | ForEach-Object { (Wait-Shell $_).Trim() })
        Get-Refreshed | Should -Be 1
        $tokens | Should -Be (@(Get-Stored Access) * 5)
        (Invoke-Standin POST /check @{ accessToken = Get-Stored Access; refreshToken = Get-Stored Refresh }).refresh | Should -BeTrue
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
    }

    It 'shows no secret in any stream, verbose and debug on' {
        $output = @(
            Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1
            Connect-NinjaOne @vault -ReadFromSecretVault -Verbose -Debug *>&1
            try { Connect-NinjaOne @vault -ReadFromSecretVault -SecretPrefix Nothing -Verbose -Debug *>&1 } catch { $_ }
        )
        Find-Secret $output | Should -BeNullOrEmpty
    }
}
