# The real wrapper and the real program against the stand-in NinjaOne, which they reach through HTTPS_PROXY and SSL_CERT_FILE.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    . (Get-WrapperPath)
    $env:NINJAONE_AUTH_PATH = Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth
    # A SecretManagement that stands in for the real one keeps its register of vaults here, not with the user's.
    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'
    $service = Start-Standin

    # One API request with the session that is set, made as the module makes it.
    function Invoke-Api {
        $headers = @{ Authorization = '{0} {1}' -f $Script:NRAPIAuthenticationInformation.Type, $Script:NRAPIAuthenticationInformation.Access }
        Invoke-RestMethod -Uri "$($Script:NRAPIConnectionInformation.URL)/v2/organizations" -Headers $headers -Proxy $service.proxy -SkipCertificateCheck
    }
    # What every test begins with: no session, and a stand-in that knows one application and has issued it one refresh token.
    function Reset-Standin {
        $null = Invoke-Standin POST /reset @{}
        $app = Invoke-Standin POST /apps @{ instance = 'eu' }
        $app, @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }, (Invoke-Standin POST /refresh-token @{ clientId = $app.clientId }).refreshToken
    }
}

AfterAll { Clear-Leftover }

Describe 'Connect-NinjaOne' {
    BeforeEach { Clear-Session; $app, $application, $refreshToken = Reset-Standin }
    AfterEach { Invoke-Standin GET /violations | Should -BeNullOrEmpty }

    It 'logs in with client credentials (EXAMPLE 1), and the session serves an API request' {
        Connect-NinjaOne @application -UseClientAuth | Should -BeNullOrEmpty
        Format-Json $Script:NRAPIConnectionInformation | Should -BeExactly (Format-Json (New-Session @{ ClientId = $app.clientId; ClientSecret = $app.clientSecret }).connection)
        $minutes = ($Script:NRAPIAuthenticationInformation.Expires - [datetime]::Now).TotalMinutes
        $minutes | Should -BeGreaterThan 55
        $minutes | Should -BeLessThan 61
        $Script:NRAPIAuthenticationInformation.Type | Should -BeExactly 'Bearer'
        $Script:NRAPIAuthenticationInformation.Refresh | Should -BeNullOrEmpty
        { Invoke-Api } | Should -Not -Throw
    }

    It 'logs in with a refresh token (EXAMPLE 3), which is rotated' {
        Connect-NinjaOne @application -RefreshToken $refreshToken -UseTokenAuth | Should -BeNullOrEmpty
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Token Authentication'
        $Script:NRAPIAuthenticationInformation.Refresh | Should -Not -BeNullOrEmpty
        $Script:NRAPIAuthenticationInformation.Refresh | Should -Not -BeExactly $refreshToken
        { Invoke-Api } | Should -Not -Throw
    }

    It 'renews client credentials as the module does, and keeps the other settings' {
        Connect-NinjaOne @application -UseClientAuth -Scopes monitoring, control
        $old = $Script:NRAPIAuthenticationInformation.Access
        $before = Format-Json $Script:NRAPIConnectionInformation
        Connect-NinjaOne @application -ShowTokens:$null -UseClientAuth | Should -BeNullOrEmpty
        $Script:NRAPIAuthenticationInformation.Access | Should -Not -BeExactly $old
        Format-Json $Script:NRAPIConnectionInformation | Should -BeExactly $before
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring control'
        { Invoke-Api } | Should -Not -Throw
    }

    It 'renews a refresh token as the module does, and keeps the other settings' {
        Connect-NinjaOne @application -RefreshToken $refreshToken -UseTokenAuth -Scopes monitoring, offline_access -ParseDateTimes
        $Script:NRAPIConnectionInformation.RedirectURI = [UriBuilder] 'http://localhost:8080/'
        $Script:NRAPIConnectionInformation.AuthListenerPort = 8080
        $before = Format-Json $Script:NRAPIConnectionInformation
        Connect-NinjaOne @application -ShowTokens:$null -UseTokenAuth -RefreshToken $Script:NRAPIAuthenticationInformation.Refresh | Should -BeNullOrEmpty
        Format-Json $Script:NRAPIConnectionInformation | Should -BeExactly $before
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring offline_access'
        $Script:ParseDateTimes | Should -BeExactly $true
        { Invoke-Api } | Should -Not -Throw
    }

    It 'inherits nothing from the session of another client' {
        Connect-NinjaOne @application -UseClientAuth -Scopes monitoring
        $other = Invoke-Standin POST /apps @{ instance = 'eu' }
        Connect-NinjaOne -Instance eu -ClientId $other.clientId -ClientSecret $other.clientSecret -UseClientAuth
        $Script:NRAPIConnectionInformation.AuthScopes | Should -BeExactly 'monitoring management control'
    }

    It 'leaves the session alone when it fails: <id> for <key> <value>' -ForEach @(
        @{ id = 'InvalidClient'; key = 'ClientId'; value = 'unknown' }
        @{ id = 'InvalidClient'; key = 'Instance'; value = 'us' }
        @{ id = 'InvalidScope'; key = 'Scopes'; value = 'nonsense' }
    ) {
        Connect-NinjaOne @application -UseClientAuth
        $connection = $Script:NRAPIConnectionInformation
        $authentication = $Script:NRAPIAuthenticationInformation
        $application[$key] = $value
        $failure = Get-Failure { Connect-NinjaOne @application -UseClientAuth }
        $failure.FullyQualifiedErrorId | Should -BeExactly "$id,Connect-NinjaOne"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        [object]::ReferenceEquals($connection, $Script:NRAPIConnectionInformation) | Should -BeTrue
        [object]::ReferenceEquals($authentication, $Script:NRAPIAuthenticationInformation) | Should -BeTrue
    }

    It 'fails with InvalidRefreshToken for a dead refresh token' {
        $failure = Get-Failure { Connect-NinjaOne @application -UseTokenAuth -RefreshToken 'dead' }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)" | Should -BeExactly 'InvalidRefreshToken,Connect-NinjaOne', 'AuthenticationError'
    }

    It 'shows no secret in any stream with -Verbose -Debug, whether it succeeds or fails' {
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

    It 'would be caught if it showed one' {
        Find-Secret (Connect-NinjaOne @application -UseClientAuth -ShowTokens) | Should -Be $Script:NRAPIAuthenticationInformation.Access
        Find-Secret (Get-Failure { throw $refreshToken }) | Should -Be $refreshToken
    }

    It 'fails at once with -UseWebAuth if there is no user' {
        $output = Invoke-Shell "try { Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseWebAuth } catch { `$_.FullyQualifiedErrorId }"
        $output.Trim() | Should -BeExactly 'SignInNeedsUser,Connect-NinjaOne'
    }

    # Windows can't send Ctrl+C to another process alone. The wait for a sign-in is of minutes.
    It 'ends at Ctrl+C while it waits for a sign-in, and frees the port, long before the wait is over' -Skip:$IsWindows {
        $port = Get-FreePort
        function Test-Port { $client = [Net.Sockets.TcpClient]::new(); try { $client.Connect('127.0.0.1', $port); $true } catch { $false } finally { $client.Dispose() } }
        $browser = New-FakeProgram (Join-Path $TestDrive 'browser')
        $messages = Join-Path $TestDrive 'messages'
        $shell = Start-Shell "Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseWebAuth -Port $port 6>&1 | ForEach-Object { [IO.File]::AppendAllText('$messages', `$_) }" @() @{ BROWSER = $browser; DISPLAY = '' }
        Wait-Until { [IO.File]::Exists($messages) -and [IO.File]::ReadAllText($messages) -match 'https://eu\.ninjarmm\.com/ws/oauth/authorize' }
        Wait-Until { Test-Port }
        $program = Get-Process -Name ninjaone-auth* | Where-Object { $_.Parent.Id -eq $shell.Process.Id }
        $program | Should -Not -BeNullOrEmpty
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Stop-Shell $shell
        $null = Wait-Shell $shell
        Wait-Until { -not (Test-Port) -and $program.HasExited }
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 20
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
    }
    AfterAll { Unregister-TestVault $store }
    BeforeEach {
        Clear-Session
        Clear-TestVault $store
        $app, $application, $refreshToken = Reset-Standin
        $vault = @{ UseSecretManagement = $true; VaultName = $store.Name }
    }
    AfterEach { Invoke-Standin GET /violations | Should -BeNullOrEmpty }

    It 'stores (EXAMPLE 4) what another PowerShell reads (EXAMPLE 5)' {
        Connect-NinjaOne @vault -WriteToSecretVault @application -UseClientAuth
        $access = $Script:NRAPIAuthenticationInformation.Access
        Get-Stored Access | Should -BeExactly $access
        'ClientSecret', 'UseSecretManagement', 'AuthListenerPort' | ForEach-Object { Get-Stored $_ } | Should -BeExactly $app.clientSecret, 'True', '9090'
        Clear-Session
        Connect-NinjaOne @vault -ReadFromSecretVault
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly $access
        $Script:NRAPIConnectionInformation.AuthMode, $Script:NRAPIConnectionInformation.VaultName | Should -BeExactly 'Client Credentials', $store.Name
        { Invoke-Api } | Should -Not -Throw
    }

    It 'renews a session that the module stored, with the expiry <Expires>, and stores only Refresh, Access and Expires, once AuthMode could be' -ForEach @(
        @{ Expires = '11/24/2016 09:15:00' }
        @{ Expires = '24.11.2099 09:15:00' }
    ) {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires $Expires
        Connect-NinjaOne @vault -ReadFromSecretVault
        Format-Json $Script:NRAPIConnectionInformation | Should -BeExactly (Format-Json (New-Session @{
                    AuthMode = 'Token Authentication'; ClientId = $app.clientId; ClientSecret = $app.clientSecret; AuthScopes = 'monitoring management offline_access'
                    UseSecretManagement = $true; WriteToSecretVault = $true; ReadFromSecretVault = $true; VaultName = $store.Name; ParseDateTimes = $true
                }).connection)
        $Script:ParseDateTimes | Should -BeExactly $true
        { Invoke-Api } | Should -Not -Throw
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneAuthMode', 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
        Get-Stored Refresh | Should -BeExactly $Script:NRAPIAuthenticationInformation.Refresh
        Get-Stored Refresh | Should -Not -BeExactly $refreshToken
        # What the module makes of the text.
        [datetime]::Parse((Get-Stored Expires)) | Should -Be $Script:NRAPIAuthenticationInformation.Expires
    }

    It 'stores the rotated token when the module renews' {
        Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken
        $first = Get-Stored Refresh
        $first | Should -Not -BeNullOrEmpty
        Connect-NinjaOne @application -ShowTokens:$null -UseTokenAuth -RefreshToken $Script:NRAPIAuthenticationInformation.Refresh
        $second = Get-Stored Refresh
        $second | Should -Not -BeExactly $first
        $Script:NRAPIAuthenticationInformation.Refresh | Should -BeExactly $second
        (Invoke-Standin POST /check @{ refreshToken = $second }).refresh | Should -BeTrue
    }

    It 'stores everything even if the vault fails twice' {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires '11/24/2016 09:15:00'
        Set-VaultFault $store Set-Secret NinjaOneRefresh -Times 2
        Connect-NinjaOne @vault -ReadFromSecretVault 3>&1 | Should -BeNullOrEmpty
        Get-Stored Refresh | Should -BeExactly $Script:NRAPIAuthenticationInformation.Refresh
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneAuthMode', 'NinjaOneRefresh', 'NinjaOneRefresh', 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
    }

    It 'returns the session even if the vault keeps failing, with a warning that names what was not stored' {
        Set-VaultFault $store Set-Secret NinjaOneRefresh
        $output = Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1
        $warnings = $output | Where-Object { $_ -is [System.Management.Automation.WarningRecord] }
        "$warnings" | Should -Match 'NinjaOneRefresh'
        "$warnings" | Should -Match ([regex]::Escape('$Script:NRAPIAuthenticationInformation'))
        (Invoke-Standin POST /check @{ refreshToken = $Script:NRAPIAuthenticationInformation.Refresh }).refresh | Should -BeTrue
        Find-Secret $output | Should -BeNullOrEmpty
    }

    It 'gives five processes that connect at once one renewal of an expired session' {
        Set-Session -Access 'old' -Refresh $refreshToken -Expires '11/24/2016 09:15:00'
        Set-VaultFault $store Set-Secret NinjaOne* -DelayMilliseconds 30
        $go = Join-Path $TestDrive 'go'
        $shells = foreach ($number in 1..5) {
            # The stand-in's register of vaults is slow to share; the real one is not, and is not there.
            $register = Join-Path $TestDrive "register-$number"
            Copy-Item $env:SECRETMANAGEMENT_STANDIN_HOME $register -Recurse -ErrorAction Ignore
            Start-Shell "[IO.File]::WriteAllText('$go-$number', ''); while (-not [IO.File]::Exists('$go')) { Start-Sleep -Milliseconds 50 }
                Connect-NinjaOne -UseSecretManagement -VaultName '$($store.Name)' -ReadFromSecretVault; `$Script:NRAPIAuthenticationInformation.Access" -Environment @{ SECRETMANAGEMENT_STANDIN_HOME = $register }
        }
        Wait-Until { @(Get-ChildItem "$go-*").Count -eq 5 }
        [IO.File]::WriteAllText($go, '')
        $tokens = @($shells | ForEach-Object { (Wait-Shell $_).Trim() })
        @(Invoke-Standin GET /requests | Where-Object grant -eq 'refresh_token').Count | Should -Be 1
        $tokens | Should -Be (@(Get-Stored Access) * 5)
        (Invoke-Standin POST /check @{ accessToken = Get-Stored Access; refreshToken = Get-Stored Refresh }).refresh | Should -BeTrue
        Get-VaultCall $store Set-Secret | Should -Be 'NinjaOneAuthMode', 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneExpires'
    }

    It 'shows no secret in any stream with -Verbose -Debug' {
        $output = @(
            Connect-NinjaOne @vault -WriteToSecretVault @application -UseTokenAuth -RefreshToken $refreshToken -Verbose -Debug *>&1
            Connect-NinjaOne @vault -ReadFromSecretVault -Verbose -Debug *>&1
            try { Connect-NinjaOne @vault -ReadFromSecretVault -SecretPrefix Nothing -Verbose -Debug *>&1 } catch { $_ }
        )
        Find-Secret $output | Should -BeNullOrEmpty
    }
}

# The stand-in's SecretStore behaves as the real one. The user's own is no place for tests.
Describe 'Connect-NinjaOne with SecretStore' -Skip:($noSecretManagement -or -not (Test-StandinSecretManagement)) {
    BeforeAll {
        $folder = Join-Path $TestDrive 'secretstore'
        $null = New-Item -ItemType Directory -Path (Join-Path $folder 'register'), (Join-Path $folder 'home') -Force
        $surroundings = @{ HOME = Join-Path $folder 'home'; SECRETMANAGEMENT_STANDIN_HOME = Join-Path $folder 'register' }
        $register = 'Register-SecretVault -Name Store -ModuleName Microsoft.PowerShell.SecretStore'
        Invoke-Shell $register -Environment $surroundings | Should -BeNullOrEmpty
        # A PowerShell that has the store open, and goes on when everybody has.
        function Start-Opened ([int] $Number, [string] $Script) {
            $open = "`$null = Get-Secret -Vault Store -Name Opener -AsPlainText; [IO.File]::WriteAllText('$folder/open-$Number', '')"
            Start-Shell "$open; while (-not [IO.File]::Exists('$folder/go')) { Start-Sleep -Milliseconds 20 }; $Script" -Environment $surroundings
        }
    }
    BeforeEach {
        $app, $application, $refreshToken = Reset-Standin
        Get-ChildItem $folder -File | Remove-Item
    }
    AfterEach { Invoke-Standin GET /violations | Should -BeNullOrEmpty }

    # With six, the stand-in's store is so slow that every copy is over 5 s old, and right again, before it is read: six are
    # raced in tests/secretstore_test.go.
    It 'gives three processes that have the store open one renewal of an expired session' {
        $secrets = New-Session @{ AuthMode = 'Token Authentication'; ClientId = $app.clientId; ClientSecret = $app.clientSecret; AuthScopes = 'monitoring offline_access' } @{ Access = 'old'; Refresh = $refreshToken; Expires = '2016-11-24T08:00:00Z' }
        $all = $secrets.connection + $secrets.authentication
        $set = foreach ($name in $all.Keys) { if ($null -ne $all[$name]) { "Set-Secret -Vault Store -Name 'NinjaOne$name' -Secret '$($all[$name])'" } }
        Invoke-Shell (@("Set-Secret -Vault Store -Name Opener -Secret 'x'") + $set -join "`n") -Environment $surroundings | Should -BeNullOrEmpty
        $shells = foreach ($number in 1..3) { Start-Opened $number 'Connect-NinjaOne -UseSecretManagement -VaultName Store -ReadFromSecretVault; $Script:NRAPIAuthenticationInformation.Access' }
        Wait-Until { @(Get-ChildItem "$folder/open-*").Count -eq 3 } 180
        [IO.File]::WriteAllText("$folder/go", '')
        $tokens = @($shells | ForEach-Object { (Wait-Shell $_).Trim() })
        @(Invoke-Standin GET /requests | Where-Object grant -eq 'refresh_token').Count | Should -Be 1
        @($tokens | Select-Object -Unique).Count | Should -Be 1
        (Invoke-Standin POST /check @{ accessToken = $tokens[0] }).access | Should -BeTrue
    }
}
