# The module NinjaOneAuth, with the real program against the stand-in NinjaOne, and beside a module NinjaOne.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $env:NINJAONE_AUTH_PATH = Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth
    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'
    $folder = Join-Path (Split-Path $PSScriptRoot) 'powershell' 'NinjaOneAuth'
    $service = Start-Standin
    $app = Invoke-Standin POST /apps @{ instance = 'eu' }
    # A folder with what the keyring is when it is a file, and the environment for that.
    function New-Ring {
        $ring = (New-Item -ItemType Directory (Join-Path $TestDrive "$([guid]::NewGuid())")).FullName
        [IO.File]::WriteAllText("$ring/passphrase", 'a passphrase of the tests')
        if (-not $IsWindows) { [IO.File]::SetUnixFileMode("$ring/passphrase", 'UserRead, UserWrite') }
        @{ HOME = $ring; NINJAONE_AUTH_VAULT_BACKEND = 'file'; NINJAONE_AUTH_VAULT_PASSPHRASE_FILE = "$ring/passphrase" }
    }
    $application = @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }
    function New-RefreshToken { (Invoke-Standin POST /refresh-token @{ clientId = $app.clientId }).refreshToken }
    # The session in a module, and a change of it.
    function Get-Held ([string] $Module = 'NinjaOneAuth') { & (Get-Module $Module) { @{ Connection = $Script:NRAPIConnectionInformation; Authentication = $Script:NRAPIAuthenticationInformation } } }
    function Set-Expiry ([int] $Seconds) { (Get-Held).Authentication.Expires = [datetime]::Now.AddSeconds($Seconds) }
    function Get-Plain ($Token) { [System.Net.NetworkCredential]::new('', $Token).Password }
    # What a script puts out, warnings included, in a PowerShell without a profile and with the modules of the tests on PSModulePath.
    function Invoke-Fresh ([string] $Script) {
        $shell = [powershell]::Create().AddScript("& { $Script } *>&1")
        try { $shell.Invoke(); $shell.Streams.Error } finally { $shell.Dispose() }
    }
}

AfterAll { Remove-Module NinjaOneAuth -ErrorAction Ignore; Clear-Leftover }

Describe 'The module' {
    It 'has a manifest that Test-ModuleManifest has nothing to say about, in a folder of its name' {
        $manifest = Test-ModuleManifest (Join-Path $folder 'NinjaOneAuth.psd1') -WarningVariable warnings -ErrorAction Stop
        $warnings | Should -BeNullOrEmpty
        $manifest.Name, (Split-Path $folder -Leaf) | Should -BeExactly 'NinjaOneAuth', 'NinjaOneAuth'
        @($manifest.ExportedCommands.Keys | Sort-Object) | Should -BeExactly 'Connect-NinjaOne', 'Disconnect-NinjaOne', 'Get-NinjaOneToken'
        $manifest.CompatiblePSEditions | Should -Be 'Desktop', 'Core'
        $manifest.PowerShellVersion | Should -Be '5.1'
        foreach ($name in 'LicenseUri', 'ProjectUri', 'IconUri', 'ReleaseNotes') { "$($manifest.$name)" | Should -BeLike 'https://*' }
        # Where the project lies stands in front of its addresses, for a release to fill in.
        [IO.File]::ReadAllText((Join-Path $folder 'NinjaOneAuth.psd1')) -replace 'https://github.com/OWNER/ninjaone-auth' | Should -Not -Match 'https?:|OWNER'
        Join-Path (Split-Path $PSScriptRoot) ("$($manifest.IconUri)" -replace '.*/main/') | Should -Exist
    }

    It 'is ASCII: <_>' -ForEach 'NinjaOneAuth.psd1', 'NinjaOneAuth.psm1' {
        [IO.File]::ReadAllText((Join-Path $folder $_)) | Should -Not -Match '[^\x00-\x7F]'
    }

    It 'exports its three commands and nothing else, and takes them away again' {
        $difference = Invoke-Fresh "`$before = Get-ChildItem Function:, Alias:, Variable: | ForEach-Object Name; Import-Module '$folder'
            Get-ChildItem Function:, Alias:, Variable: | Where-Object Name -notin (`$before + 'before') | ForEach-Object Name
            Remove-Module NinjaOneAuth; Get-ChildItem Function:*-NinjaOne*"
        $difference | Should -BeExactly 'Connect-NinjaOne', 'Disconnect-NinjaOne', 'Get-NinjaOneToken'
    }

    It 'says that Constrained Language Mode is none for it' {
        Invoke-Fresh "`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; Import-Module '$folder'" | Should -BeLike 'NinjaOneAuth does not run in Constrained Language Mode*'
    }

    It 'has help with examples for <_>' -ForEach 'Connect-NinjaOne', 'Disconnect-NinjaOne', 'Get-NinjaOneToken' {
        Import-Module $folder -Force
        $help = Get-Help $_ -Full
        $help.Synopsis, $help.description.Text | Should -Not -BeNullOrEmpty
        @($help.examples.example).Count | Should -BeGreaterThan 1
        foreach ($parameter in $help.parameters.parameter | Where-Object name -NotIn 'WhatIf', 'Confirm') { $parameter.description.Text | Should -Not -BeNullOrEmpty }
    }
}

Describe 'Get-NinjaOneToken' {
    BeforeEach { Import-Module $folder -Force }
    AfterEach { Invoke-Standin GET /violations | Should -BeNullOrEmpty }

    It 'gives a token for a request with -Authentication Bearer, and a header for one without' {
        Connect-NinjaOne @application -UseClientAuth
        $token = Get-NinjaOneToken
        @($token.psobject.Properties.Name) | Should -BeExactly 'Token', 'ExpiresOn', 'Type', 'Url'
        $token.Token | Should -BeOfType [securestring]
        $token.ExpiresOn | Should -BeOfType [DateTimeOffset]
        ($token.ExpiresOn - [DateTimeOffset]::Now).TotalMinutes | Should -BeGreaterThan 55
        $token.Type, $token.Url | Should -BeExactly 'Bearer', 'https://eu.ninjarmm.com'
        $request = @{ Uri = "$($token.Url)/v2/organizations"; Proxy = $service.proxy; SkipCertificateCheck = $true }
        { Invoke-RestMethod @request -Headers @{ Authorization = 'Bearer x' } } | Should -Throw
        (Invoke-RestMethod @request -Authentication Bearer -Token $token.Token).Count | Should -BeGreaterThan 0
        (Invoke-RestMethod @request -Headers (Get-NinjaOneToken -AsHeader)).Count | Should -BeGreaterThan 0
    }

    It 'gives the same token as long as it lives for a minute, then renews with <flow>, and keeps the other settings' -ForEach @(
        @{ flow = 'client credentials'; mode = 'Client Credentials' }, @{ flow = 'a refresh token'; mode = 'Token Authentication' }
    ) {
        $how = if ($mode -eq 'Client Credentials') { @{ UseClientAuth = $true } } else { @{ UseTokenAuth = $true; RefreshToken = New-RefreshToken } }
        Connect-NinjaOne @application @how -Scopes monitoring -ParseDateTimes
        Set-Expiry 90
        $before = Get-Held
        $settings = Format-Json $before.Connection
        Get-Plain (Get-NinjaOneToken).Token | Should -BeExactly $before.Authentication.Access
        Set-Expiry 45
        $token = Get-NinjaOneToken
        $after = Get-Held
        Get-Plain $token.Token | Should -BeExactly $after.Authentication.Access
        $after.Authentication.Access | Should -Not -BeExactly $before.Authentication.Access
        (Invoke-Standin POST /check @{ accessToken = $after.Authentication.Access }).access | Should -BeTrue
        $token.ExpiresOn | Should -BeGreaterThan ([DateTimeOffset]::Now.AddMinutes(55))
        $after.Connection.AuthMode | Should -BeExactly $mode
        Format-Json $after.Connection | Should -BeExactly $settings
    }

    It 'gives what is left of a session that can''t be renewed, then fails with SignInRequired' {
        Connect-NinjaOne @application -UseClientAuth
        (Get-Held).Connection.AuthMode = 'Authorisation Code'
        Set-Expiry 30
        (Get-NinjaOneToken).Type | Should -BeExactly 'Bearer'
        Set-Expiry 0
        $failure = Get-Failure { Get-NinjaOneToken }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)" | Should -BeExactly 'SignInRequired,Get-NinjaOneToken', 'AuthenticationError'
        $failure.ErrorDetails.RecommendedAction | Should -Match '-UseWebAuth'
    }

    It 'fails with NotConnected if there is no session' {
        $failure = Get-Failure { Get-NinjaOneToken }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)" | Should -BeExactly 'NotConnected,Get-NinjaOneToken', 'ObjectNotFound'
        $failure.ErrorDetails.RecommendedAction | Should -BeExactly 'Run Connect-NinjaOne.'
    }

    It 'passes on the failure of a renewal as its own, once, and leaves the session' {
        Connect-NinjaOne @application -UseTokenAuth -RefreshToken (New-RefreshToken)
        $before = Get-Held
        $before.Authentication.Refresh = 'dead'
        Set-Expiry 0
        $Error.Clear()
        $failure = Get-Failure { Get-NinjaOneToken }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)" | Should -BeExactly 'InvalidRefreshToken,Get-NinjaOneToken', 'AuthenticationError'
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        $Error.Count | Should -Be 1
        [object]::ReferenceEquals((Get-Held).Authentication, $before.Authentication) | Should -BeTrue
    }

    It 'shows no secret in any stream but with -AsHeader' {
        $refreshToken = New-RefreshToken
        Connect-NinjaOne @application -UseTokenAuth -RefreshToken $refreshToken
        $output = @(
            Get-NinjaOneToken -Verbose -Debug *>&1
            Set-Expiry 0
            Get-NinjaOneToken -Verbose -Debug *>&1
            (Get-Held).Authentication.Refresh = $refreshToken
            Set-Expiry 0
            try { Get-NinjaOneToken -Verbose -Debug *>&1 } catch { $_ }
            Disconnect-NinjaOne -Verbose -Debug *>&1
        )
        @($output | Where-Object { $_ -is [System.Management.Automation.VerboseRecord] }).Count | Should -BeGreaterThan 0
        Find-Secret ($output + $Error) | Should -BeNullOrEmpty
        Connect-NinjaOne @application -UseClientAuth
        Find-Secret (Get-NinjaOneToken -AsHeader) | Should -Not -BeNullOrEmpty
    }

    It 'works under the caller''s strict mode and $ErrorActionPreference' {
        Connect-NinjaOne @application -UseClientAuth
        & { Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'; (Get-NinjaOneToken).Type; Disconnect-NinjaOne } | Should -BeExactly 'Bearer'
        Get-Failure { Set-StrictMode -Version Latest; Get-NinjaOneToken } | Should -BeLike 'There is no session*'
    }
}

Describe 'Disconnect-NinjaOne' {
    BeforeEach {
        Import-Module $folder -Force
        $surroundings = New-Ring
        $saved = @{}
        foreach ($name in $surroundings.Keys) { $saved[$name] = [Environment]::GetEnvironmentVariable($name); [Environment]::SetEnvironmentVariable($name, $surroundings[$name]) }
    }
    AfterEach { foreach ($name in $saved.Keys) { [Environment]::SetEnvironmentVariable($name, $saved[$name]) } }

    It 'forgets the session, and does nothing without one' {
        Connect-NinjaOne @application -UseClientAuth -ParseDateTimes
        Disconnect-NinjaOne | Should -BeNullOrEmpty
        & (Get-Module NinjaOneAuth) { Get-Variable NRAPI*, ParseDate* -Scope Script } | Should -BeNullOrEmpty
        { Get-NinjaOneToken } | Should -Throw -ErrorId 'NotConnected,Get-NinjaOneToken'
        { Disconnect-NinjaOne -ErrorAction Stop } | Should -Not -Throw
    }

    It 'forgets nothing with -WhatIf' {
        Connect-NinjaOne @application -UseClientAuth -UseSecretManagement -VaultName Ring -WriteToSecretVault -WarningAction Ignore
        Disconnect-NinjaOne -VaultName Ring -WhatIf
        (Get-NinjaOneToken).Type | Should -BeExactly 'Bearer'
        Connect-NinjaOne -UseSecretManagement -VaultName Ring -ReadFromSecretVault
    }

    It 'removes from the keyring what is stored under a name of any characters, and nothing else' {
        $name = 'It''s a "vault"\'
        foreach ($prefix in 'Kunde Ä', 'NinjaOne') { Connect-NinjaOne @application -UseClientAuth -UseSecretManagement -VaultName $name -SecretPrefix $prefix -WriteToSecretVault -WarningAction Ignore }
        Disconnect-NinjaOne -VaultName $name -SecretPrefix 'Kunde Ä' | Should -BeNullOrEmpty
        { Get-NinjaOneToken } | Should -Throw -ErrorId 'NotConnected,Get-NinjaOneToken'
        { Connect-NinjaOne -UseSecretManagement -VaultName $name -SecretPrefix 'Kunde Ä' -ReadFromSecretVault } | Should -Throw -ErrorId 'VaultNotFound,Connect-NinjaOne'
        Connect-NinjaOne -UseSecretManagement -VaultName $name -ReadFromSecretVault
    }

    It 'fails, and forgets nothing, if the keyring <what>' -ForEach @(
        @{ what = 'has no such session'; backend = 'file'; id = 'SessionNotStored'; category = 'ObjectNotFound' }
        @{ what = 'is none'; backend = 'cardboard'; id = 'InvalidSetting'; category = 'InvalidArgument' }
    ) {
        Connect-NinjaOne @application -UseClientAuth -UseSecretManagement -VaultName Ring -WriteToSecretVault -WarningAction Ignore
        $env:NINJAONE_AUTH_VAULT_BACKEND = $backend
        $failure = Get-Failure { Disconnect-NinjaOne -VaultName Another }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)" | Should -BeExactly "$id,Disconnect-NinjaOne", $category
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        (Get-NinjaOneToken).Type | Should -BeExactly 'Bearer'
    }

    It 'says where it looked for the program, and that it does not start' {
        $earlier = $env:NINJAONE_AUTH_PATH
        try {
            $env:NINJAONE_AUTH_PATH = Join-Path $TestDrive 'nowhere'
            { Disconnect-NinjaOne -VaultName Ring } | Should -Throw -ErrorId 'ProgramNotFound,Disconnect-NinjaOne'
            $env:NINJAONE_AUTH_PATH = Join-Path $folder 'NinjaOneAuth.psd1'
            { Disconnect-NinjaOne -VaultName Ring } | Should -Throw -ErrorId 'ProgramFailed,Disconnect-NinjaOne'
        } finally { $env:NINJAONE_AUTH_PATH = $earlier }
    }

    It 'removes from a SecretManagement vault what has the prefix, the tokens first' -Skip:$noSecretManagement {
        $store = Register-TestVault (Join-Path $TestDrive 'vault')
        try {
            Set-Secret -Vault $store.Name -Name NinjaOneOther -Secret 'mine'
            Set-Secret -Vault $store.Name -Name KundeAccess -Secret 'mine'
            Connect-NinjaOne @application -UseSecretManagement -VaultName $store.Name -WriteToSecretVault -UseTokenAuth -RefreshToken (New-RefreshToken)
            Disconnect-NinjaOne -VaultName $store.Name
            (Get-SecretInfo -Vault $store.Name).Name | Sort-Object | Should -Be 'KundeAccess', 'NinjaOneOther'
            @(Get-VaultCall $store Remove-Secret)[0, 1, 2] | Should -Be 'NinjaOneRefresh', 'NinjaOneAccess', 'NinjaOneClientSecret'
            { Get-NinjaOneToken } | Should -Throw -ErrorId 'NotConnected,Get-NinjaOneToken'
            { Disconnect-NinjaOne -VaultName $store.Name } | Should -Throw -ErrorId 'SessionNotStored,Disconnect-NinjaOne'
            Connect-NinjaOne @application -UseSecretManagement -VaultName $store.Name -WriteToSecretVault -UseClientAuth
            Set-VaultFault $store Remove-Secret NinjaOneAccess -Times 1
            { Disconnect-NinjaOne -VaultName $store.Name } | Should -Throw -ErrorId 'VaultFailed,Disconnect-NinjaOne'
            (Get-NinjaOneToken).Type | Should -BeExactly 'Bearer'
            Disconnect-NinjaOne -VaultName $store.Name
            (Get-SecretInfo -Vault $store.Name).Name | Sort-Object | Should -Be 'KundeAccess', 'NinjaOneOther'
        } finally { Unregister-TestVault $store }
    }
}

Describe 'Beside the module NinjaOne' {
    BeforeAll {
        # The module NinjaOne in small: its own Connect-NinjaOne, and a command that reads the session.
        function New-NinjaOne ([string] $Place, [string] $Line) {
            $path = Join-Path $TestDrive $Place 'NinjaOne' 'NinjaOne.psm1'
            $null = New-Item -ItemType Directory (Split-Path $path) -Force
            Copy-Item (Get-WrapperPath) (Split-Path $path)
            [IO.File]::WriteAllText($path, "function Connect-NinjaOne { 'the module''s own' }
                function Get-NinjaOneAccess { if (`$Script:NRAPIAuthenticationInformation) { `$Script:NRAPIAuthenticationInformation.Access } else { 'none' } }
                function Set-NinjaOneExpiry { `$Script:NRAPIAuthenticationInformation.Expires = Get-Date }
                $Line")
            $path
        }
        $own = New-NinjaOne 'own'
        $ours = New-NinjaOne 'ours' '. "$PSScriptRoot/Connect-NinjaOne.ps1" # ninjaone-auth'
        $connect = "Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseClientAuth"
        $plain = '[System.Net.NetworkCredential]::new("", (Get-NinjaOneToken).Token).Password'
    }

    It 'works on the session of NinjaOne if ours is in it, whichever is imported first: <first>' -ForEach @{ first = 'NinjaOne' }, @{ first = 'NinjaOneAuth' } {
        $imports = if ($first -eq 'NinjaOne') { $ours, $folder } else { $folder, $ours }
        $output = Invoke-Fresh "Set-StrictMode -Version Latest; Import-Module '$($imports[0])'; Import-Module '$($imports[1])'
            (Get-Command Connect-NinjaOne).Source; (Get-Command Get-NinjaOneToken).Source; $connect
            `$first = Get-NinjaOneAccess; `$first -eq ($plain); Set-NinjaOneExpiry; `$second = $plain; `$second -eq `$first; `$second -eq (Get-NinjaOneAccess)
            Disconnect-NinjaOne; Get-NinjaOneAccess; try { Get-NinjaOneToken } catch { `$_.FullyQualifiedErrorId }"
        $output | Should -BeExactly 'NinjaOne', 'NinjaOneAuth', $true, $false, $true, 'none', 'NotConnected,Get-NinjaOneToken'
    }

    It 'gives, and forgets, the session that there was before NinjaOne was imported' {
        $output = Invoke-Fresh "Import-Module '$folder'; $connect; Import-Module '$ours'; (Get-NinjaOneToken).Type; Disconnect-NinjaOne; try { Get-NinjaOneToken } catch { `$_.FullyQualifiedErrorId }"
        $output | Should -BeExactly 'Bearer', 'NotConnected,Get-NinjaOneToken'
    }

    It 'works with NinjaOne replaced in memory, and with -Prefix for either' {
        $output = Invoke-Fresh "Import-Module '$own'; . (Get-Module NinjaOne) { . '$(Get-WrapperPath)' }; Import-Module '$own' -Prefix My; Import-Module '$folder' -Prefix Our
            $($connect -replace 'Connect-', 'Connect-My'); (Get-OurNinjaOneToken).Type; Disconnect-OurNinjaOne; Get-MyNinjaOneAccess"
        $output[-2..-1] | Should -BeExactly 'Bearer', 'none'
    }

    It 'says which Connect-NinjaOne is meant if NinjaOne has its own' {
        $output = Invoke-Fresh "Import-Module '$own'; Import-Module '$folder'; (Get-Command Connect-NinjaOne).Source; NinjaOne\Connect-NinjaOne; $connect; Get-NinjaOneAccess; (Get-NinjaOneToken).Type"
        $output[0] | Should -BeOfType [System.Management.Automation.WarningRecord]
        $output[0] | Should -Match 'Two modules have a Connect-NinjaOne\. A call gets that of NinjaOneAuth'
        $output[1..4] | Should -BeExactly 'NinjaOneAuth', 'the module''s own', 'none', 'Bearer'
        $output.Count | Should -Be 5
    }

    It 'says so in the error if NinjaOne came later' {
        $output = Invoke-Fresh "Import-Module '$folder'; Import-Module '$own'; Connect-NinjaOne; try { Get-NinjaOneToken } catch { `$_.ErrorDetails.RecommendedAction }"
        $output[0] | Should -BeExactly 'the module''s own'
        $output[1] | Should -BeLike 'Run NinjaOneAuth\Connect-NinjaOne*'
    }
}

# As the Gallery's package has it: everything in one folder, the programs by runtime identifier.
Describe 'The package' {
    BeforeAll {
        $package = Join-Path $TestDrive 'package' 'NinjaOneAuth'
        $null = New-Item -ItemType Directory $package -Force
        Copy-Item "$folder/*", (Get-WrapperPath) $package
        $runtime = '{0}-{1}' -f $(if ($IsWindows) { 'win' } elseif ($IsMacOS) { 'osx' } else { 'linux' }), "$([System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture)".ToLower()
        $program = Join-Path $package 'bin' $runtime (Split-Path $env:NINJAONE_AUTH_PATH -Leaf)
        $null = New-Item -ItemType Directory (Split-Path $program)
        Copy-Item $env:NINJAONE_AUTH_PATH $program
        $connect = "Remove-Item Env:NINJAONE_AUTH_PATH; Import-Module '$package'; Connect-NinjaOne -Instance eu -ClientId '$($app.clientId)' -ClientSecret '$($app.clientSecret)' -UseClientAuth; (Get-NinjaOneToken).Type"
    }
    BeforeEach { $earlier = $env:NINJAONE_AUTH_PATH }
    AfterEach { $env:NINJAONE_AUTH_PATH = $earlier }

    It 'finds its program, and allows it to be run as no package does' {
        if (-not $IsWindows) { [IO.File]::SetUnixFileMode($program, 'UserRead, UserWrite, GroupRead, OtherRead') }
        Invoke-Fresh $connect | Should -BeExactly 'Bearer'
        if (-not $IsWindows) { [IO.File]::GetUnixFileMode($program) -band [System.IO.UnixFileMode]::OtherExecute | Should -Be 'OtherExecute' }
    }

    It 'names the place where a program was expected' {
        Rename-Item $program other
        try { Invoke-Fresh ($connect -replace 'Import', '$env:PATH = ""; Import') | Out-String | Should -Match ([regex]::Escape((Join-Path 'bin' $runtime 'ninjaone-auth'))) }
        finally { Rename-Item (Join-Path (Split-Path $program) other) $program }
    }

    It 'says what to type where this user may not allow it to be run' -Skip:$IsWindows {
        $failure = Invoke-Fresh ($connect -replace 'Connect-', "[IO.File]::SetUnixFileMode('$program', 'UserRead'); try { Connect-" -replace '; \(Get.*', ' } catch { $$_ }')
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.ErrorDetails.RecommendedAction | Should -BeExactly "Have its owner run: chmod +x '$program'"
    }
}
