# The wrapper alone: what it says to the program, and what it makes of all that a program may say. The program is
# tests/cmd/play with a script for each test.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    . (Get-WrapperPath)
    # A SecretManagement that stands in for the real one keeps its register of vaults here, not with the user's.
    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'
    $path = Join-Path $TestDrive 'program'
    $given = @{ Instance = 'eu'; ClientId = 'id'; ClientSecret = 'client-secret-0'; UseClientAuth = $true }
    $renewal = @{ Instance = 'eu'; ClientId = 'id'; ClientSecret = 'client-secret-0'; UseTokenAuth = $true; RefreshToken = 'refresh-0' }
    $connect = 'Connect-NinjaOne -Instance eu -ClientId id -ClientSecret client-secret-0 -UseClientAuth'
    $renew = $connect -replace '-UseClientAuth', '-UseTokenAuth -RefreshToken refresh-0'
    $print = Get-PrintStep (New-Session)
    # These steps end when the wrapper has replied: from then on it waits for the program.
    $wait = (Get-PrintStep @{ type = 'getSecrets'; vault = 'None'; names = @('None') }), 'read program.waiting'

    # The program that the wrapper finds reads the request and plays a script.
    function Set-Program ([string[]] $Script = $print) { $env:NINJAONE_AUTH_PATH = New-FakeProgram $path (@('read program.request') + $Script) }
    function Get-Request { [IO.File]::ReadAllText("$path.request") | ConvertFrom-Json }
    function Get-Reply { [IO.File]::ReadAllText("$path.reply") | ConvertFrom-Json }
    function Wait-End { Wait-Until { -not (Get-Process -Id ([IO.File]::ReadAllText("$path.pid")) -ErrorAction Ignore) } }
    # Interrupts a script's connect while it waits, and returns how many seconds its end took.
    function Measure-Interrupt ([string] $Script) {
        $shell = Start-Shell $Script
        Wait-Until { [IO.File]::Exists("$path.waiting") }
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Stop-Shell $shell
        $null = Wait-Shell $shell
        $clock.Elapsed.TotalSeconds
    }
}

AfterAll { Clear-Leftover }

Describe 'The request' {
    BeforeEach { Clear-Session; Set-Program }

    It 'is one line of pure ASCII with the given parameters and what the caller can do' {
        $secret = "s`"\ $([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))$([char]0x212A)`n"
        Connect-NinjaOne -Instance EU -ClientId id -ClientSecret $secret -UseWebAuth -Port 8080 -RedirectURL 'HTTPS://redirect.example.uk/a?b=c' -Scopes control, monitoring -Verbose:$false
        [IO.File]::ReadAllText("$path.request") | Should -MatchExactly '\A[ -~]+\n\z'
        Format-Json (Get-Request) | Should -BeExactly (Format-Json @{
                version = 1
                parameters = @{ Instance = 'EU'; ClientId = 'id'; ClientSecret = $secret; UseWebAuth = $true; Port = 8080; RedirectURL = 'HTTPS://redirect.example.uk/a?b=c'; Scopes = 'control', 'monitoring' }
                caller = @{ streams = 'warning', 'information'; vaults = $true; pending = $true; interactive = (Get-Request).caller.interactive }
            })
    }

    It 'leaves out common parameters and passes a switch bound to null as false' {
        Connect-NinjaOne @given -ShowTokens:$null -ErrorAction Stop -WarningAction SilentlyContinue -OutVariable tokens
        Format-Json (Get-Request).parameters | Should -BeExactly (Format-Json ($given + @{ ShowTokens = $false }))
    }

    It 'passes an empty list of scopes' {
        Connect-NinjaOne @given -Scopes @()
        Format-Json (Get-Request).parameters | Should -BeExactly (Format-Json ($given + @{ Scopes = @() }))
    }

    It 'asks for verbose and debug messages only if they are shown' {
        Connect-NinjaOne @given -Verbose 4>$null
        (Get-Request).caller.streams | Should -Be 'warning', 'information', 'verbose'
        Connect-NinjaOne @given -Debug 5>$null
        (Get-Request).caller.streams | Should -Be 'warning', 'information', 'debug'
        & { $VerbosePreference = 'Continue'; Connect-NinjaOne @given 4>$null }
        (Get-Request).caller.streams | Should -Be 'warning', 'information', 'verbose'
    }

    It 'says whether a user is there: <interactive> with the arguments "<arguments>"' -ForEach @(
        @{ arguments = @('-NonInteractive'); interactive = $false }
        @{ arguments = @('-noni'); interactive = $false }
        @{ arguments = @('-CustomPipeName', '-nonissue'); interactive = $true }
        @{ arguments = @(); interactive = $true }
    ) {
        Invoke-Shell $connect $arguments @{ TMPDIR = "$TestDrive" } | Should -BeNullOrEmpty # for the pipe
        (Get-Request).caller.interactive | Should -BeExactly $interactive
    }

    It 'brings no secret into the program''s arguments or environment' {
        Connect-NinjaOne @given
        [IO.File]::ReadAllText("$path.arguments") | Should -BeExactly "connect`n"
        [IO.File]::ReadAllText("$path.environment") | Should -Not -Match 'client-secret-0'
    }

    It 'holds the present session at a renewal' {
        $present = New-Session @{ VaultName = 'v'; RedirectURI = 'https://redirect.example.uk/auth'; UseSecretManagement = $true; ParseDateTimes = $true } @{ Refresh = 'refresh-0' }
        Set-Program (Get-PrintStep $present)
        Connect-NinjaOne @given
        Connect-NinjaOne @renewal -ShowTokens:$null
        $present.authentication.Expires = '2026-11-24T08:00:00.5000000Z'
        Format-Json (Get-Request).session | Should -BeExactly (Format-Json @{ connection = $present.connection; authentication = $present.authentication })
    }

    It 'holds a session of the module''s own making: switches, a UriBuilder, a local time' {
        $Script:NRAPIConnectionInformation = @{ Instance = 'eu'; ClientId = 'id'; RedirectURI = [UriBuilder] 'http://localhost:9090'; UseSecretManagement = [switch] $true; ReadFromSecretVault = [switch] $false }
        $Script:NRAPIAuthenticationInformation = @{ Access = 'a'; Expires = [datetime]::new(2026, 11, 24, 8, 0, 0, [DateTimeKind]::Utc).ToLocalTime() }
        Connect-NinjaOne @given
        Format-Json (Get-Request).session | Should -BeExactly (Format-Json @{
                connection = @{ Instance = 'eu'; ClientId = 'id'; RedirectURI = 'http://localhost:9090/'; UseSecretManagement = $true; ReadFromSecretVault = $false }
                authentication = @{ Access = 'a'; Expires = '2026-11-24T08:00:00.0000000Z' }
            })
    }

    It 'leaves out a session that is not usable: <name>' -ForEach @(
        @{ name = 'not a table'; connection = 'text'; authentication = @{ Expires = [datetime]::Now } }
        @{ name = 'no expiry'; connection = @{ Instance = 'eu' }; authentication = @{ Access = 'a' } }
    ) {
        $Script:NRAPIConnectionInformation = $connection
        $Script:NRAPIAuthenticationInformation = $authentication
        Connect-NinjaOne @given
        (Get-Request).PSObject.Properties.Name | Sort-Object | Should -Be 'caller', 'parameters', 'version'
    }
}

Describe 'The session' {
    BeforeEach { Clear-Session; Set-Program }

    It 'is two tables of the module''s types with visibility Private, and nothing is output' {
        Connect-NinjaOne @given | Should -BeNullOrEmpty
        $expected = New-Session
        $expected.authentication.Expires = [datetime]::new(2026, 11, 24, 8, 0, 0, 500, [DateTimeKind]::Utc).ToLocalTime()
        Format-Json $Script:NRAPIConnectionInformation | Should -BeExactly (Format-Json $expected.connection)
        Format-Json $Script:NRAPIAuthenticationInformation | Should -BeExactly (Format-Json $expected.authentication)
        $Script:NRAPIConnectionInformation | Should -BeOfType [hashtable]
        $Script:NRAPIConnectionInformation.AuthListenerPort | Should -BeOfType [int]
        $Script:NRAPIConnectionInformation.RedirectURI | Should -BeOfType [UriBuilder]
        $Script:NRAPIAuthenticationInformation | Should -BeOfType [hashtable]
        $Script:NRAPIAuthenticationInformation.Expires | Should -BeOfType [datetime]
        $Script:NRAPIAuthenticationInformation.Expires.Kind | Should -Be 'Local'
        Get-Variable ParseDateTimes -Scope Script -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'can be set again' {
        Connect-NinjaOne @given
        Set-Program (Get-PrintStep (New-Session @{} @{ Access = 'access-token-1' }))
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-1'
    }

    # Windows has no such variable.
    It 'has the local time of a zone other than UTC' -Skip:$IsWindows {
        Invoke-Shell "$connect; '{0:o}|{1}' -f `$Script:NRAPIAuthenticationInformation.Expires, `$Script:NRAPIAuthenticationInformation.Expires.Kind" -Environment @{ TZ = 'America/Panama' } |
            Should -Match '\A2026-11-24T03:00:00.5000000-05:00\|Local\s*\z'
    }

    It 'keeps strings that look like dates, and characters beyond ASCII' {
        $texts = @{ ClientId = '2026-11-24T08:00:00Z'; ClientSecret = "a\n\`"$([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))" }
        Set-Program (Get-PrintStep (New-Session $texts))
        Connect-NinjaOne @given
        foreach ($name in $texts.Keys) { $Script:NRAPIConnectionInformation[$name] | Should -BeExactly $texts[$name] }
    }

    It 'may hold fields that this version does not know' {
        $extra = @{ list = @(1, -2, 3.5, 12345678901.5, $true, $null, @()); empty = @{} }
        Set-Program ((Get-PrintStep (New-Session @{ Extra = $extra })) -replace '^print {', 'print { "later" : [ {"a" : "b"} , [ ] ] , ')
        Connect-NinjaOne @given
        Format-Json $Script:NRAPIConnectionInformation.Extra | Should -BeExactly (Format-Json $extra)
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
    }

    It 'is read even if the program ends before its last line arrives' {
        Set-Program 'leave', 'pause 1s', $print
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
    }

    It 'may hold tokens of 64 KiB' {
        $long = 'x' * 65536
        Set-Program (Get-PrintStep (New-Session @{} @{ Access = $long; Refresh = $long }))
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access.Length | Should -Be 65536
        Connect-NinjaOne @given
        (Get-Request).session.authentication.Refresh.Length | Should -Be 65536
    }

    It 'sets $Script:ParseDateTimes with -ParseDateTimes' {
        Set-Program (Get-PrintStep (New-Session @{ ParseDateTimes = $true }))
        Connect-NinjaOne @given -ParseDateTimes
        (Get-Request).parameters.ParseDateTimes | Should -BeExactly $true
        $Script:ParseDateTimes | Should -BeExactly $true
    }

    It 'is awaited for longer than the program said it may be pending' {
        Set-Program 'print {"type":"pending","seconds":1}', 'pause 3s', $print
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
    }

    It 'is put out as one object with -ShowTokens, with a warning' {
        Set-Program (Get-PrintStep (New-Session @{} @{ Refresh = 'refresh-0' }))
        $warning, $tokens = (Connect-NinjaOne @given -ShowTokens 3>&1).Where({ $_ -is [System.Management.Automation.WarningRecord] }, 'Split')
        $warning | Should -Match 'safe place'
        @($tokens) | Should -HaveCount 1
        $tokens = $tokens[0]
        $tokens.PSObject.Properties.Name | Should -Be 'Type', 'Access', 'Expires', 'Refresh', 'URL'
        $tokens.Access, $tokens.Refresh, $tokens.URL | Should -BeExactly 'access-token-0', 'refresh-0', 'https://eu.ninjarmm.com'
    }

    It 'works at the prompt, where the script scope is the global one' {
        $script = ". '$(Get-WrapperPath)'; $connect; & { `$Script:NRAPIAuthenticationInformation.Access }; & { `$NRAPIConnectionInformation.URL }"
        & ([Environment]::ProcessPath) -NoProfile -NonInteractive -Command $script | Should -Be 'access-token-0', 'https://eu.ninjarmm.com'
    }

    It 'is the module''s in a module, and no one else''s' {
        $module = Join-Path $TestDrive 'NinjaTest.psm1'
        [IO.File]::WriteAllText($module, ". '$(Get-WrapperPath)'
            function Get-Header { '{0} {1}' -f `$Script:NRAPIAuthenticationInformation.Type, `$Script:NRAPIAuthenticationInformation.Access }
            function Get-Visibility { 'NRAPIConnectionInformation', 'NRAPIAuthenticationInformation' | ForEach-Object { `$ExecutionContext.SessionState.PSVariable.Get(`"Script:`$_`").Visibility } }
            Export-ModuleMember -Function * -Alias *")
        Invoke-Runspace "Remove-Item Function:Connect-NinjaOne, Alias:cno; Import-Module '$module'
            $($connect -replace '^Connect-NinjaOne', 'cno') -ErrorAction Stop
            Get-Header; Get-Visibility; & { Get-Variable NRAPI* | ForEach-Object Name }" | Should -BeExactly 'Bearer access-token-0', 'Private', 'Private'
    }

    It 'works when the function stands in the module''s own file' {
        $module = Join-Path $TestDrive 'NinjaInline.psm1'
        [IO.File]::WriteAllText($module, [IO.File]::ReadAllText((Get-WrapperPath)) + "`nfunction Get-Token { `$Script:NRAPIAuthenticationInformation.Access }`n")
        Invoke-Runspace "Remove-Item Function:Connect-NinjaOne; Import-Module '$module'; $connect -ErrorAction Stop; Get-Token" | Should -BeExactly 'access-token-0'
    }

    It 'works under Set-StrictMode -Version Latest and $ErrorActionPreference = Stop' {
        Invoke-Runspace "Set-StrictMode -Version Latest; `$ErrorActionPreference = 'Stop'
            $connect; $connect
            $connect -UseSecretManagement -VaultName v -WriteToSecretVault
            & { `$Script:NRAPIAuthenticationInformation.Access }" | Should -BeExactly 'access-token-0'
    }

    It 'is one for each of six runspaces that connect at once' {
        Set-Program (Get-PrintStep @{ type = 'write'; stream = 'verbose'; message = 'here' }), 'await program.go', $print
        $runspaces = foreach ($number in 1..6) {
            $runspace = New-Runspace "$connect -Verbose; & { `$Script:NRAPIAuthenticationInformation.Access }"
            @{ Runspace = $runspace; Running = $runspace.BeginInvoke() }
        }
        Wait-Until { -not ($runspaces | Where-Object { $_.Runspace.Streams.Verbose.Count -ne 1 }) }
        [IO.File]::WriteAllText("$path.go", '')
        foreach ($one in $runspaces) {
            $one.Runspace.EndInvoke($one.Running) | Should -BeExactly 'access-token-0'
            $one.Runspace.Streams.Error | Should -BeNullOrEmpty
            $one.Runspace.Dispose()
        }
    }
}

Describe 'The streams' {
    BeforeEach {
        Clear-Session
        Set-Program (@('verbose', 'debug', 'warning', 'information' | ForEach-Object { Get-PrintStep @{ type = 'write'; stream = $_; message = "a message for $_" } }) + $print)
    }

    It 'get the program''s messages' {
        Connect-NinjaOne @given -Verbose -Debug *>&1 | ForEach-Object { "$($_.GetType().Name): $_" } | Should -BeExactly @(
            'VerboseRecord: a message for verbose'
            'DebugRecord: a message for debug'
            'WarningRecord: a message for warning'
            'InformationRecord: a message for information')
    }

    It 'show information even if the output is assigned, but not with -InformationAction SilentlyContinue' {
        $output = Invoke-Shell "`$x = $connect 3>`$null; `"[`$x]`"; `$x = $connect -InformationAction SilentlyContinue 3>`$null; `"[`$x]`""
        $output -split '\r?\n' | Should -BeExactly 'a message for information', '[]', '[]', ''
    }

    It 'get a message while the program still works' {
        Set-Program (Get-PrintStep @{ type = 'write'; stream = 'verbose'; message = 'early' }), 'await program.go', $print
        $runspace = New-Runspace "$connect -Verbose"
        $running = $runspace.BeginInvoke()
        Wait-Until { $runspace.Streams.Verbose.Count -eq 1 }
        $running.IsCompleted | Should -BeFalse
        [IO.File]::WriteAllText("$path.go", '')
        $runspace.EndInvoke($running)
        $runspace.Streams.Error | Should -BeNullOrEmpty
        $runspace.Dispose()
    }

    It 'get progress' {
        Set-Program (Get-PrintStep @{ type = 'progress'; activity = 'Waiting'; status = '4 s left'; percent = 40; completed = $false }),
            (Get-PrintStep @{ type = 'progress'; activity = 'Waiting'; status = ''; percent = 0; completed = $false }),
            (Get-PrintStep @{ type = 'progress'; activity = 'Waiting'; status = ''; percent = 100; completed = $true }), $print
        $runspace = New-Runspace $connect
        $null = $runspace.Invoke()
        $runspace.Streams.Error | Should -BeNullOrEmpty
        $progress = $runspace.Streams.Progress | Where-Object Activity -eq 'Waiting' | ForEach-Object { "$($_.RecordType) $($_.PercentComplete) $($_.StatusDescription)".Trim() }
        $progress | Should -BeExactly 'Processing 40 4 s left', 'Processing 0', 'Completed 100'
        $runspace.Dispose()
    }
}

Describe 'What a connect leaves to be seen' {
    BeforeEach { Clear-Session; Set-Program }

    It 'is no secret in what is bound to parameters, but its own, and to Set-Secret' {
        $session = New-Session @{} @{ Refresh = 'refresh-0' }
        Set-Program (Get-PrintStep $session)
        $trace = Join-Path $TestDrive 'trace'
        $null = Trace-Command -Name ParameterBinding -FilePath $trace -Force -Expression { Connect-NinjaOne @given; Connect-NinjaOne @renewal }
        $bound = [IO.File]::ReadAllLines($trace) -match 'BIND arg .* to parameter ' -match 'client-secret-0|access-token-0|refresh-0'
        @($bound -replace '.*to parameter \[(\w+)\].*', '$1' | Sort-Object -Unique) | Should -Be 'ClientSecret', 'RefreshToken'
    }

    It 'is no module, as no cmdlet of PowerShell''s own modules is used' {
        Invoke-Shell "$connect; (Get-Module).Name" | Should -Not -Match 'Microsoft'
    }

    It 'is not changed by default parameter values, aliases and functions of the caller' {
        Set-Program ($wait + $print)
        Invoke-Runspace "`$PSDefaultParameterValues = @{ '*:ErrorVariable' = 'x'; 'ConvertFrom-Json:AsHashtable' = `$true; 'ConvertTo-Json:AsArray' = `$true }
            function Import-Module { throw 'a proxy' }; function Write-Warning { throw 'a proxy' }; function Get-Command { throw 'a proxy' }; function ConvertTo-Json { throw 'a proxy' }
            Set-Alias Write-Verbose Get-Date
            $connect; & { `$Script:NRAPIAuthenticationInformation.Access }" | Should -BeExactly 'access-token-0'
        [IO.File]::ReadAllText("$path.waiting") | Should -Match 'VaultNotFound' -Because 'SecretManagement was reached'
    }

    It 'is nothing in $Error of a vault that fails, however full it is' -Skip:$noSecretManagement {
        Set-Program ($wait + $print)
        Invoke-Runspace "1..300 | ForEach-Object { try { throw `$_ } catch { } }; `$newest = `$Error[0]
            $connect
            [object]::ReferenceEquals(`$newest, `$Error[0])" | Should -BeTrue
    }

    It 'is nothing in -ErrorVariable of a vault that fails, but what was there and the connect''s own error' -Skip:$noSecretManagement {
        Set-Program ($wait + $print)
        Connect-NinjaOne @given -ErrorVariable failures
        $failures | Should -BeNullOrEmpty
        Write-Error 'an earlier one' -ErrorAction SilentlyContinue -ErrorVariable failures
        Set-Program ($wait + 'print {"type":"error","id":"InvalidClient","category":"AuthenticationError","message":"refused"}')
        try { Connect-NinjaOne @given -ErrorVariable +failures } catch { $failure = $_ }
        $failure | Should -Not -BeNullOrEmpty
        @($failures | ForEach-Object { $_.Exception.Message; $_.Message }).Where({ $_ }) | Should -Be 'an earlier one', 'refused'
    }
}

Describe 'A session' {
    BeforeEach { Clear-Session; Set-Program }

    It 'is set even if the pipeline that -ShowTokens writes to stops: Select-Object -First <_>' -ForEach 0, 1 {
        Connect-NinjaOne @given -ShowTokens 3>$null | Select-Object -First $_ | Should -HaveCount $_
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
        Wait-End
    }
}

Describe 'Constrained Language Mode' {
    It 'is reported as the one error: <name>' -ForEach @(
        @{ name = 'a connect'; more = ''; id = 'LanguageModeNotSupported,Connect-NinjaOne PermissionDenied' }
        @{ name = 'a vault write, whose parameters the engine asks for first'; more = '-UseSecretManagement -VaultName v -WriteToSecretVault'; id = 'GetDynamicParametersException,Connect-NinjaOne InvalidArgument' }
    ) {
        $runspace = [powershell]::Create().AddScript("`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'
            . '$(Get-WrapperPath)'
            try { $connect $more } catch { `"`$(`$_.FullyQualifiedErrorId) `$(`$_.CategoryInfo.Category) `$_`" }")
        $runspace.Invoke() | Should -BeLike "$id *Constrained Language Mode*"
        $runspace.Dispose()
    }
}

Describe 'A warning with -WarningAction Stop' {
    BeforeEach { Clear-Session }

    It 'ends the connect and the program, and <name>' -ForEach @(
        @{ name = 'keeps a session that the program was renewing'; renewed = $true; access = 'access-token-0' }
        @{ name = 'sets no session if the program was renewing none'; renewed = $false; access = $null }
    ) {
        Set-Program (@((Get-PrintStep @{ type = 'write'; stream = 'warning'; message = 'careful' }), 'drain') + @(if ($renewed) { $print }))
        (Get-Failure { Connect-NinjaOne @renewal -WarningAction Stop 3>$null }).FullyQualifiedErrorId | Should -BeLike 'ActionPreferenceStop,*'
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly $access
        Wait-End
    }
}

Describe 'A failure' {
    BeforeEach {
        Clear-Session
        Set-Program
        Connect-NinjaOne @given
        $connection = $Script:NRAPIConnectionInformation
        $authentication = $Script:NRAPIAuthenticationInformation
        $before = (Format-Json $connection), (Format-Json $authentication)
        $printError = Get-PrintStep @{ type = 'error'; id = 'InvalidClient'; category = 'AuthenticationError'; message = 'No such client.'; recommendation = 'Check -ClientId.'; target = 'https://eu.ninjarmm.com' }
    }
    AfterEach {
        # A failed connect leaves the present session exactly as it was.
        [object]::ReferenceEquals($connection, $Script:NRAPIConnectionInformation) | Should -BeTrue
        [object]::ReferenceEquals($authentication, $Script:NRAPIAuthenticationInformation) | Should -BeTrue
        (Format-Json $connection), (Format-Json $authentication) | Should -BeExactly $before
    }

    It 'is one terminating error record with id, category, target and recommendation' {
        Set-Program $printError, 'exit 1'
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", $failure.TargetObject, $failure.Exception.Message, $failure.ErrorDetails.RecommendedAction |
            Should -BeExactly 'InvalidClient,Connect-NinjaOne', 'AuthenticationError', 'https://eu.ninjarmm.com', 'No such client.', 'Check -ClientId.'
        $failure.InvocationInfo.MyCommand.Name | Should -BeExactly 'Connect-NinjaOne'
    }

    It 'shows its message and what to do' {
        Set-Program $printError, 'exit 1'
        Invoke-Shell $connect | Should -Match '(?s)No such client\..*Check -ClientId\.'
    }

    It 'terminates even with -ErrorAction SilentlyContinue' {
        Set-Program $printError, 'exit 1'
        (Get-Failure { Connect-NinjaOne @given -ErrorAction SilentlyContinue }).FullyQualifiedErrorId | Should -BeExactly 'InvalidClient,Connect-NinjaOne'
    }

    It 'of a category that PowerShell does not know has the category NotSpecified' {
        Set-Program ($printError -replace 'AuthenticationError', 'NoSuchCategory'), 'exit 1'
        (Get-Failure { Connect-NinjaOne @given }).CategoryInfo.Category | Should -Be 'NotSpecified'
    }

    It 'is ProgramFailed because of <name>' -ForEach @(
        @{ name = 'a crash'; steps = 'error panic: something', 'error goroutine 1', 'exit 2'; says = 'panic: something' }
        @{ name = 'an end without a word'; steps = 'exit 0'; says = 'without an answer' }
        @{ name = 'an output that ends while the program stays'; steps = 'close', 'drain', 'pause 10m'; says = 'without an answer' }
        @{ name = 'a line that is not JSON'; steps = 'print hello'; says = 'not of the protocol' }
        @{ name = 'half an answer'; steps = 'print {"type":"session","connection":{'; says = 'not of the protocol' }
        @{ name = 'a line of two values'; steps = 'print {} {}'; says = 'not of the protocol' }
        @{ name = 'a list'; steps = 'print [1]'; says = 'not of the protocol' }
        @{ name = 'an empty line'; steps = 'print'; says = 'not of the protocol' }
        @{ name = 'a line of bytes'; steps = 'bytes "\xff\xfe\x00\x01\n"'; says = 'not of the protocol' }
        @{ name = 'a line of an unknown type'; steps = 'print {"type":"dance"}', 'drain'; says = 'does not know' }
        @{ name = 'a line without a type'; steps = 'print {}', 'drain'; says = 'not of the protocol' }
        @{ name = 'text before the object'; steps = 'print garbage {"type":"error"}'; says = 'not of the protocol' }
        @{ name = 'a bracket too many'; steps = 'print {"type":"error"}}'; says = 'not of the protocol' }
        @{ name = 'a string without an end'; steps = 'print {"type":"error","s":"unterminated}'; says = 'not of the protocol' }
        @{ name = 'an escape that is none'; steps = 'print {"type":"error","message":"\x secret"}'; says = 'not of the protocol' }
        @{ name = 'a session without a token'; steps = 'print {"type":"session","connection":{},"authentication":{}}'; says = 'lacks' }
        @{ name = 'a session with an empty token'; steps = 'print {"type":"session","connection":{"RedirectURI":"http://localhost/"},"authentication":{"Access":"","Expires":"2026-11-24T08:00:00Z"}}'; says = 'lacks' }
        @{ name = 'a session without anything'; steps = 'print {"type":"session"}'; says = 'lacks' }
    ) {
        Set-Program $steps
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.Exception.Message | Should -Match $says
        $failure.ErrorDetails.RecommendedAction | Should -Match 'program(\.exe)? version'
        Wait-End
    }

    It 'is ProgramFailed, and no broken pipe, if the program does not read the request' {
        $env:NINJAONE_AUTH_PATH = New-FakeProgram $path 'error exec format error', 'exit 3'
        $failure = Get-Failure { Connect-NinjaOne @given -Scopes ('x' * 300000) }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.Exception.Message | Should -Match 'exec format error'
    }

    It 'is ProgramFailed if the program does not start' {
        $env:NINJAONE_AUTH_PATH = "$path.text"
        [IO.File]::WriteAllText("$path.text", 'not a program')
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId, $failure.TargetObject | Should -BeExactly 'ProgramFailed,Connect-NinjaOne', "$path.text"
    }
}

Describe 'Much error output' {
    It 'does not keep a connect from its session' {
        Set-Program "flood 2000 a line of 100 characters $('-' * 76)", $print
        $runspace = New-Runspace "$connect; & { `$Script:NRAPIAuthenticationInformation.Access }"
        $running = $runspace.BeginInvoke()
        Wait-Until { $running.IsCompleted }
        $runspace.EndInvoke($running) | Should -BeExactly 'access-token-0'
        $runspace.Dispose()
    }
}

Describe 'Finding the program' {
    BeforeAll {
        $wrapper, $bin, $folder = foreach ($name in 'powershell', 'bin', 'path') { Join-Path $TestDrive 'install' $name }
        $null = New-Item -ItemType Directory -Path $wrapper
        Copy-Item (Get-WrapperPath) $wrapper
        # The place of the program that the copied wrapper runs, from that program's answer; or else the failure.
        function Get-Place ([string] $Named) {
            $search, $env:PATH, $env:NINJAONE_AUTH_PATH = $env:PATH, $folder, $Named
            try {
                Invoke-Runspace ". '$wrapper/Connect-NinjaOne.ps1'
                    try { $connect; & { `$Script:NRAPIAuthenticationInformation.Access } } catch { `$_.FullyQualifiedErrorId + ' ' + `$_.Exception.Message }"
            } finally {
                $env:PATH = $search
            }
        }
        function Add-Program ([string] $Folder, [string] $Name = 'ninjaone-auth') {
            $place = New-FakeProgram (Join-Path $Folder $Name)
            [IO.File]::WriteAllText((Join-Path $Folder "$Name.script"), (Get-PrintStep (New-Session @{} @{ Access = $place })))
            $place
        }
    }

    It 'fails, saying where it looked' {
        $output = Get-Place
        $output | Should -Match 'ProgramNotFound,Connect-NinjaOne'
        foreach ($place in (Join-Path $wrapper 'ninjaone-auth'), 'PATH') { $output | Should -Match ([regex]::Escape($place)) }
        $output | Should -Not -Match ([regex]::Escape($bin))
    }

    It 'looks on PATH, in a repository''s bin, beside the script, and where NINJAONE_AUTH_PATH says: the later wins' {
        $onPath = Add-Program $folder
        $built = Add-Program $bin
        Get-Place | Should -BeExactly $onPath -Because 'what lies in a neighbour''s bin is not ours'
        $null = New-Item -ItemType File (Join-Path (Split-Path $bin) 'go.mod')
        Get-Place | Should -BeExactly $built
        $program = Add-Program $wrapper
        Get-Place | Should -BeExactly $program
        $program = Add-Program $folder 'other'
        Get-Place $program | Should -BeExactly $program
    }

    It 'does not fall back if NINJAONE_AUTH_PATH names <name>, and says so' -ForEach @(
        @{ name = 'nothing'; place = 'nothing'; says = 'is not where' }
        @{ name = 'a folder'; place = '.'; says = 'It is a folder' }
        @{ name = 'an unknown drive'; place = 'nodrive:/ninjaone-auth'; says = 'nodrive' }
    ) {
        $named = if ($place -match ':') { $place } else { Join-Path $folder $place }
        Get-Place $named | Should -Match "(?s)ProgramNotFound.*$says"
        Get-Place $named | Should -Match ([regex]::Escape($named))
    }
}

Describe 'A SecretManagement vault' -Skip:$noSecretManagement {
    BeforeAll {
        $vault = Register-TestVault (Join-Path $TestDrive 'vault')
        function Set-VaultProgram ([string] $Type, [hashtable] $Fields, [string] $Name = $vault.Name) {
            Set-Program (Get-PrintStep ($Fields + @{ type = $Type; vault = $Name })), 'read program.reply', $print
        }
        function Get-Stored ([string] $Name) { Get-Secret -Vault $vault.Name -Name $Name -AsPlainText }
    }
    AfterAll { Unregister-TestVault $vault }
    BeforeEach { Clear-Session; Clear-TestVault $vault }

    It 'is written in the given order, dates and characters beyond ASCII unchanged' {
        $text = "r$([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))"
        Set-VaultProgram setSecrets @{ secrets = @{ name = 'NRefresh'; value = $text }, @{ name = 'NExpires'; value = '2026-11-24T08:00:00Z' }, @{ name = 'NAccess'; value = 'a' } }
        Connect-NinjaOne @given
        Format-Json (Get-Reply) | Should -BeExactly '{"stored":3}'
        Get-VaultCall $vault Set-Secret | Should -Be 'NRefresh', 'NExpires', 'NAccess'
        Get-Stored NRefresh | Should -BeExactly $text
        Get-Stored NExpires | Should -BeExactly '2026-11-24T08:00:00Z'
    }

    It 'is read: strings and secure strings, but no other types and no names that it does not hold' {
        Set-Secret -Vault $vault.Name -Name One -Secret 'plain "\'
        Set-Secret -Vault $vault.Name -Name Two -Secret (ConvertTo-SecureString 'secure' -AsPlainText -Force)
        Set-Secret -Vault $vault.Name -Name Three -Secret @{ a = 'b' }
        Set-VaultProgram getSecrets @{ names = 'One', 'Two', 'Three', 'Four' }
        $errors = $Error.Count
        Connect-NinjaOne @given
        Format-Json (Get-Reply) | Should -BeExactly (Format-Json @{ secrets = @{ One = 'plain "\'; Two = 'secure' } })
        $Error.Count | Should -Be $errors
    }

    It 'that is not registered is reported as VaultNotFound, without a warning, at <type>' -ForEach @(
        @{ type = 'getSecrets'; fields = @{ names = @('One') } }
        @{ type = 'setSecrets'; fields = @{ secrets = @(@{ name = 'One'; value = 'v-secret' }) } }
    ) {
        Set-VaultProgram $type $fields "No$($vault.Name)"
        Connect-NinjaOne @given 3>&1 | Should -BeNullOrEmpty
        (Get-Reply).error.id | Should -BeExactly 'VaultNotFound'
        [IO.File]::ReadAllText("$path.reply") | Should -Not -Match 'v-secret'
    }

    It 'that fails to store is reported as SecretNotStored, once and at once, as the program tries again' {
        Set-VaultFault $vault Set-Secret NSecond
        Set-VaultProgram setSecrets @{ secrets = @{ name = 'NFirst'; value = 'v1-secret' }, @{ name = 'NSecond'; value = 'v2-secret' }, @{ name = 'NThird'; value = 'v3-secret' } }
        Connect-NinjaOne @given
        (Get-Reply).error.id, (Get-Reply).error.name | Should -BeExactly 'SecretNotStored', 'NSecond'
        (Get-Reply).error.message | Should -Not -BeNullOrEmpty
        [IO.File]::ReadAllText("$path.reply") | Should -Not -Match 'v\d-secret'
        Get-VaultCall $vault Set-Secret | Should -Be 'NFirst', 'NSecond'
        Get-Stored NFirst | Should -BeExactly 'v1-secret'
    }

    It 'that keeps failing to be read is reported as VaultFailed' {
        Set-VaultFault $vault Get-Secret One
        Set-VaultProgram getSecrets @{ names = @('One') }
        Connect-NinjaOne @given
        (Get-Reply).error.id, (Get-Reply).error.name | Should -BeExactly 'VaultFailed', 'One'
    }

    It 'is written even if the user''s preferences are -WhatIf and -Confirm' {
        Set-VaultProgram setSecrets @{ secrets = @(@{ name = 'NWhatIf'; value = 'w' }) }
        & { $WhatIfPreference = $true; $ConfirmPreference = 'Low'; Connect-NinjaOne @given }
        Format-Json (Get-Reply) | Should -BeExactly '{"stored":1}'
        Get-Stored NWhatIf | Should -BeExactly 'w'
    }

    # Windows has no signals: see Ctrl+C below.
    It 'gets the token that the program renews during Ctrl+C, although it fails twice' -Skip:$IsWindows {
        Set-VaultFault $vault Set-Secret NinjaOneRefresh -Times 2
        Set-Program ($wait + 'drain' + (Get-PrintStep @{ type = 'setSecrets'; vault = $vault.Name; secrets = @(@{ name = 'NinjaOneRefresh'; value = 'rotated' }) }))
        $null = Measure-Interrupt $renew
        Get-Stored NinjaOneRefresh | Should -BeExactly 'rotated'
    }
}

Describe 'Without SecretManagement' {
    BeforeEach { Clear-Session }

    It 'a vault is reported as VaultNotFound, naming the module' {
        Set-Program (Get-PrintStep @{ type = 'getSecrets'; vault = 'AnyVault'; names = @('One') }), 'read program.reply', $print
        Invoke-Shell "`$env:PSModulePath = ''; $connect" | Should -BeNullOrEmpty
        (Get-Reply).error.id, (Get-Reply).error.name | Should -BeExactly 'VaultNotFound', 'Microsoft.PowerShell.SecretManagement'
    }

    It 'a connect that uses no vault loads no vault module' {
        Set-Program
        Invoke-Shell "$connect; (Get-Module).Name" | Should -Not -Match 'SecretManagement'
    }
}

# Windows can't send Ctrl+C to another process alone.
Describe 'Ctrl+C' -Skip:$IsWindows {
    BeforeEach { Clear-Session }

    # The first would take 35 s if the wrapper did not close the program's stdin, the others 10 minutes if it did not end them.
    It 'ends a connect and its program long before they would end by themselves: <name>' -ForEach @(
        @{ name = 'a program that ends with its stdin'; renews = $true; steps = 'drain' }
        @{ name = 'a program that does not listen'; renews = $false; steps = 'pause 10m' }
        @{ name = 'a program that does not listen and goes on printing'; renews = $false; steps = 'every 10ms {"type":"write","stream":"verbose","message":"tick"}' }
    ) {
        Set-Program ($wait + $steps)
        Measure-Interrupt "try { $(if ($renews) { $renew } else { $connect }) } finally { [IO.File]::WriteAllText('$path.kept', `"[`$Script:NRAPIAuthenticationInformation]`") }" | Should -BeLessThan 20
        [IO.File]::ReadAllText("$path.kept") | Should -BeExactly '[]' -Because 'there is no session'
        Wait-End
    }

    It 'keeps the session that the program was renewing, which it said is pending' {
        Set-Program (@('print {"type":"pending","seconds":60}') + $wait + 'drain' + 'pause 4s' + $print)
        $null = Measure-Interrupt "try { $renew } finally { [IO.File]::WriteAllText('$path.kept', `$Script:NRAPIAuthenticationInformation.Access) }"
        [IO.File]::ReadAllText("$path.kept") | Should -BeExactly 'access-token-0'
    }

    # In full with `make soak`: every 5 ms.
    It 'loses no answer and no secret, whenever it comes: <name>' -ForEach @(
        @{ name = 'an answer'; lines = @(); kept = { [IO.File]::ReadAllText("$path.kept") } }
        @{ name = 'a secret'; lines = @('secret'); kept = { "[$(Get-Secret -Vault $vault.Name -Name Last -AsPlainText -ErrorAction Ignore)]" } }
    ) -Skip:$noSecretManagement {
        $vault = Register-TestVault (Join-Path $TestDrive 'vault')
        $lost = foreach ($milliseconds in $(if ($env:SOAK) { 0..60 | ForEach-Object { 5 * $_ } } else { 5, 15, 35, 55, 100, 110, 120, 130 })) {
            Clear-TestVault $vault
            Set-Program (@('print {"type":"pending","seconds":35}', 'write program.answered') + @(
                    if ($lines) { Get-PrintStep @{ type = 'setSecrets'; vault = $vault.Name; secrets = @(foreach ($name in 'First', 'Second', 'Last') { @{ name = $name; value = 'access-token-0' } }) } }
                ) + $print)
            [IO.File]::Delete("$path.answered")
            $shell = Start-Shell "try { $connect } finally { [IO.File]::WriteAllText('$path.kept', `"[`$(`$Script:NRAPIAuthenticationInformation.Access)]`") }"
            Wait-Until { [IO.File]::Exists("$path.answered") }
            [Threading.Thread]::Sleep($milliseconds)
            Stop-Shell $shell
            $null = Wait-Shell $shell
            if ((& $kept) -ne '[access-token-0]') { $milliseconds }
        }
        Unregister-TestVault $vault
        $lost | Should -BeNullOrEmpty -Because 'these are the milliseconds after the line at which it was lost'
    }
}

Describe 'A stopped pipeline of a runspace' {
    It 'ends the program too, and leaves the session as it was' {
        Set-Program
        $runspace = New-Runspace $connect
        $runspace.Invoke()
        Set-Program ($wait + 'drain')
        $runspace.Commands.Clear()
        $running = $runspace.AddScript($connect).BeginInvoke()
        Wait-Until { [IO.File]::Exists("$path.waiting") }
        $runspace.Stop()
        $running.IsCompleted | Should -BeTrue
        Wait-End
        $runspace.Commands.Clear()
        $runspace.AddScript('& { $Script:NRAPIAuthenticationInformation.Access }').Invoke() | Should -BeExactly 'access-token-0'
        $runspace.Dispose()
    }
}
