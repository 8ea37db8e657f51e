# The wrapper alone: what it says to the program, and what it makes of all that a program may say. The program is a
# shell script for each test, so these tests need a Unix.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    . (Get-WrapperPath)
    $given = @{ Instance = 'eu'; ClientId = 'id'; ClientSecret = 'client-secret-0'; UseClientAuth = $true }
    $print = Get-PrintCommand (Get-SessionLine)
    $path = Join-Path $TestDrive 'program'
    $before = $env:NINJAONE_AUTH_PATH, $env:SECRETMANAGEMENT_STANDIN_HOME
    # A SecretManagement that stands in for the real one keeps its register of vaults here, not with the user's.
    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'

    function Set-Program ([string] $Script) { $env:NINJAONE_AUTH_PATH = New-FakeProgram $path $Script }
    function Get-Request { [IO.File]::ReadAllText("$path.request") | ConvertFrom-Json }
    function Test-Running { try { $null = Get-Process -Id ([int] [IO.File]::ReadAllText("$path.pid")) -ErrorAction Stop; $true } catch { $false } }
    function Get-Failure ([scriptblock] $Block) { try { & $Block } catch { return $_ }; throw 'It did not fail.' }
    function Clear-Session {
        foreach ($name in 'NRAPIConnectionInformation', 'NRAPIAuthenticationInformation', 'ParseDateTimes') { Remove-Variable $name -Scope Script -Force -ErrorAction Ignore }
    }
}

AfterAll { $env:NINJAONE_AUTH_PATH, $env:SECRETMANAGEMENT_STANDIN_HOME = $before }

Describe 'The request' {
    BeforeEach { Clear-Session; Set-Program $print }

    It 'is one line of pure ASCII, with what was bound and what the caller can do' {
        Connect-NinjaOne -Instance EU -ClientId id -ClientSecret "s`"\ $([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))`n" -UseWebAuth -Port 8080 -RedirectURL 'HTTPS://redirect.example.uk/a?b=c' -Scopes control, monitoring -Verbose:$false
        $bytes = [IO.File]::ReadAllBytes("$path.request")
        $bytes | Where-Object { $_ -gt 126 } | Should -BeNullOrEmpty
        $request = Get-Request
        $request.version | Should -Be 1
        @($request.parameters.PSObject.Properties.Name | Sort-Object) | Should -Be 'ClientId', 'ClientSecret', 'Instance', 'Port', 'RedirectURL', 'Scopes', 'UseWebAuth'
        $request.parameters.ClientSecret | Should -BeExactly "s`"\ $([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))`n"
        $request.parameters.UseWebAuth | Should -BeTrue
        $request.parameters.Port | Should -Be 8080
        $request.parameters.RedirectURL | Should -BeExactly 'HTTPS://redirect.example.uk/a?b=c'
        $request.parameters.Scopes | Should -Be 'control', 'monitoring'
        $request.caller.vaults | Should -BeTrue
        @($request.caller.streams | Sort-Object) | Should -Be 'information', 'warning'
        $request.PSObject.Properties.Name | Should -Not -Contain 'session'
    }

    It 'leaves out common parameters and passes a switch bound to null as false' {
        Connect-NinjaOne @given -ShowTokens:$null -ErrorAction Stop -WarningAction SilentlyContinue -OutVariable tokens
        $request = Get-Request
        @($request.parameters.PSObject.Properties.Name | Sort-Object) | Should -Be 'ClientId', 'ClientSecret', 'Instance', 'ShowTokens', 'UseClientAuth'
        $request.parameters.ShowTokens | Should -BeExactly $false
    }

    It 'passes no scopes as a list without any' {
        Connect-NinjaOne @given -Scopes @()
        [IO.File]::ReadAllText("$path.request") | Should -Match '"Scopes":\[\]'
    }

    It 'asks for verbose and debug only when they are shown' {
        Connect-NinjaOne @given -Verbose 4>$null
        (Get-Request).caller.streams | Should -Contain 'verbose'
        (Get-Request).caller.streams | Should -Not -Contain 'debug'
        Connect-NinjaOne @given -Debug 5>$null
        (Get-Request).caller.streams | Should -Contain 'debug'
        & { $VerbosePreference = 'Continue'; Connect-NinjaOne @given 4>$null }
        (Get-Request).caller.streams | Should -Contain 'verbose'
    }

    It 'says that nobody is there under -NonInteractive, and else that somebody is' {
        $null = Invoke-Shell 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth' '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        (Get-Request).caller.interactive | Should -BeExactly $false
        $null = Invoke-Shell 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth' @() @{ NINJAONE_AUTH_PATH = $path }
        (Get-Request).caller.interactive | Should -BeExactly $true
    }

    It 'brings no secret into the program''s arguments or environment' {
        Connect-NinjaOne @given
        [IO.File]::ReadAllText("$path.arguments").Trim() | Should -BeExactly 'connect'
        [IO.File]::ReadAllText("$path.environment") | Should -Not -Match 'client-secret-0'
    }

    It 'holds the present session at a renewal' {
        Set-Program (Get-PrintCommand (Get-SessionLine @{ VaultName = 'v'; RedirectURI = 'https://redirect.example.uk/auth'; UseSecretManagement = $true; ParseDateTimes = $true } @{ Refresh = 'refresh-0' }))
        Connect-NinjaOne @given
        Connect-NinjaOne -Instance eu -ClientId id -ClientSecret client-secret-0 -ShowTokens:$null -UseTokenAuth -RefreshToken refresh-0
        $session = (Get-Content -Raw "$path.request" | ConvertFrom-Json).session
        $session.connection.RedirectURI | Should -BeExactly 'https://redirect.example.uk/auth'
        $session.connection.AuthListenerPort | Should -Be 9090
        $session.connection.VaultName | Should -BeExactly 'v'
        $session.connection.UseSecretManagement | Should -BeExactly $true
        $session.connection.ParseDateTimes | Should -BeExactly $true
        $session.authentication.Expires.ToString('o') | Should -BeExactly '2026-11-24T08:00:00.5000000Z'
        $session.authentication.Refresh | Should -BeExactly 'refresh-0'
    }

    It 'writes a session of the module''s own making: switches, a UriBuilder, a local time' {
        $Script:NRAPIConnectionInformation = @{ Instance = 'eu'; ClientId = 'id'; RedirectURI = [UriBuilder] 'http://localhost:9090'; UseSecretManagement = [switch] $true; ReadFromSecretVault = [switch] $false }
        $Script:NRAPIAuthenticationInformation = @{ Access = 'a'; Expires = [datetime]::new(2026, 11, 24, 8, 0, 0, [DateTimeKind]::Utc).ToLocalTime() }
        Connect-NinjaOne @given
        $session = (Get-Content -Raw "$path.request" | ConvertFrom-Json).session
        $session.connection.RedirectURI | Should -BeExactly 'http://localhost:9090/'
        $session.connection.UseSecretManagement.IsPresent | Should -BeExactly $true
        $session.connection.ReadFromSecretVault.IsPresent | Should -BeExactly $false
        $session.authentication.Expires.ToString('o') | Should -BeExactly '2026-11-24T08:00:00.0000000Z'
    }

    It 'leaves a session out that is not usable: <name>' -ForEach @(
        @{ name = 'not a table'; connection = 'text'; authentication = @{ Expires = [datetime]::Now } }
        @{ name = 'no expiry'; connection = @{ Instance = 'eu' }; authentication = @{ Access = 'a' } }
    ) {
        $Script:NRAPIConnectionInformation = $connection
        $Script:NRAPIAuthenticationInformation = $authentication
        Connect-NinjaOne @given
        (Get-Request).PSObject.Properties.Name | Should -Not -Contain 'session'
    }
}

Describe 'The session' {
    BeforeEach { Clear-Session; Set-Program $print }

    It 'is two tables of the module''s types, with visibility Private, and nothing is output' {
        $output = Connect-NinjaOne @given
        $output | Should -BeNullOrEmpty
        $Script:NRAPIConnectionInformation | Should -BeOfType [hashtable]
        $Script:NRAPIConnectionInformation.AuthMode | Should -BeExactly 'Client Credentials'
        $Script:NRAPIConnectionInformation.AuthListenerPort | Should -BeOfType [int]
        $Script:NRAPIConnectionInformation.RedirectURI | Should -BeOfType [UriBuilder]
        "$($Script:NRAPIConnectionInformation.RedirectURI)" | Should -BeExactly 'http://localhost:9090/'
        $Script:NRAPIConnectionInformation.UseSecretManagement | Should -BeExactly $false
        $Script:NRAPIConnectionInformation.ContainsKey('VaultName') | Should -BeTrue
        $Script:NRAPIConnectionInformation.VaultName | Should -BeNullOrEmpty
        $Script:NRAPIAuthenticationInformation | Should -BeOfType [hashtable]
        $Script:NRAPIAuthenticationInformation.Expires | Should -BeOfType [datetime]
        $Script:NRAPIAuthenticationInformation.Expires.Kind | Should -Be 'Local'
        $Script:NRAPIAuthenticationInformation.Expires.ToUniversalTime().ToString('o') | Should -BeExactly '2026-11-24T08:00:00.5000000Z'
        $null -eq $Script:NRAPIAuthenticationInformation.Refresh | Should -BeTrue
        '{0} {1}' -f $Script:NRAPIAuthenticationInformation.Type, $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'Bearer access-token-0'
        $variables = $ExecutionContext.SessionState.PSVariable
        $variables.Get('Script:NRAPIConnectionInformation').Visibility | Should -Be 'Private'
        $variables.Get('Script:NRAPIAuthenticationInformation').Visibility | Should -Be 'Private'
        Get-Variable ParseDateTimes -Scope Script -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'can be set again' {
        Connect-NinjaOne @given
        Set-Program (Get-PrintCommand (Get-SessionLine @{} @{ Access = 'access-token-1' }))
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-1'
    }

    It 'has the local time of a zone other than UTC' {
        $script = '$ErrorActionPreference = "Stop"; Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth
            "{0:o}|{1}" -f $Script:NRAPIAuthenticationInformation.Expires, $Script:NRAPIAuthenticationInformation.Expires.Kind'
        Invoke-Shell $script '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path; TZ = 'America/Panama' } | Should -Match '2026-11-24T03:00:00.5000000-05:00\|Local'
    }

    It 'keeps strings that look like dates, and characters beyond ASCII' {
        Set-Program (Get-PrintCommand (Get-SessionLine @{ ClientId = '2026-11-24T08:00:00Z'; ClientSecret = "a\n\`"$([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))" }))
        Connect-NinjaOne @given
        $Script:NRAPIConnectionInformation.ClientId | Should -BeExactly '2026-11-24T08:00:00Z'
        $Script:NRAPIConnectionInformation.ClientSecret | Should -BeExactly "a\n\`"$([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))"
    }

    It 'is read past fields that this version does not know' {
        $line = (Get-SessionLine @{ Extra = @{ list = @(1, -2, 3.5, 12345678901, $true, $null, @()); empty = @{} } }) -replace '^{', '{ "later" : [ {"a" : "b"} , [ ] ] , '
        Set-Program (Get-PrintCommand $line)
        Connect-NinjaOne @given
        $Script:NRAPIConnectionInformation.Extra.list.Count | Should -Be 7
        $Script:NRAPIConnectionInformation.Extra.list[3] | Should -Be 12345678901
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
    }

    It 'is read although the program has ended before its last line is there' {
        Set-Program "{ sleep 1; $print; } &"
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
    }

    It 'takes tokens of 64 KiB' {
        $long = 'x' * 65536
        [IO.File]::WriteAllText("$path.line", (Get-SessionLine @{} @{ Access = $long; Refresh = $long }))
        Set-Program "cat '$path.line'; echo"
        Connect-NinjaOne @given
        $Script:NRAPIAuthenticationInformation.Access.Length | Should -Be 65536
        Connect-NinjaOne @given
        (Get-Request).session.authentication.Refresh.Length | Should -Be 65536
    }

    It 'sets $Script:ParseDateTimes with -ParseDateTimes' {
        Set-Program (Get-PrintCommand (Get-SessionLine @{ ParseDateTimes = $true }))
        Connect-NinjaOne @given -ParseDateTimes
        (Get-Request).parameters.ParseDateTimes | Should -BeExactly $true
        $Script:ParseDateTimes | Should -BeExactly $true
    }

    It 'shows the tokens under a heading with -ShowTokens' {
        Set-Program (Get-PrintCommand (Get-SessionLine @{} @{ Refresh = 'refresh-0' }))
        $output = Connect-NinjaOne @given -ShowTokens
        $output.Count | Should -Be 3
        $output[0] | Should -Match 'Auth Tokens'
        $output[1].PSObject.Properties.Name | Should -Be 'Type', 'Access', 'Expires', 'Refresh'
        $output[1].Access | Should -BeExactly 'access-token-0'
        $output[1].Refresh | Should -BeExactly 'refresh-0'
        $output[2] | Should -Match 'safe place'
    }

    It 'works at the prompt, where the script scope is the global one' {
        $script = 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth'
        $start = ". '$(Get-WrapperPath)'; $script; & { `$Script:NRAPIAuthenticationInformation.Access }; & { `$ExecutionContext.SessionState.PSVariable.Get('Global:NRAPIAuthenticationInformation').Visibility }; Get-Variable NRAPIAuthenticationInformation -ErrorAction Ignore"
        Set-Program $print
        & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -Command $start | Should -Be 'access-token-0', 'Private'
    }

    It 'is the module''s in a module, and no one else''s' {
        $module = Join-Path $TestDrive 'NinjaTest.psm1'
        [IO.File]::WriteAllText($module, ". '$(Get-WrapperPath)'
            function Get-Header { '{0} {1}' -f `$Script:NRAPIAuthenticationInformation.Type, `$Script:NRAPIAuthenticationInformation.Access }
            Export-ModuleMember -Function * -Alias *")
        Invoke-Runspace "Remove-Item Function:Connect-NinjaOne, Alias:cno; Import-Module '$module'
            cno -Instance eu -ClientId a -ClientSecret b -UseClientAuth -ErrorAction Stop
            Get-Header; & { Get-Variable NRAPI* | ForEach-Object Name }" | Should -BeExactly 'Bearer access-token-0'
    }

    It 'works when the function stands in the module''s own file' {
        $module = Join-Path $TestDrive 'NinjaInline.psm1'
        [IO.File]::WriteAllText($module, [IO.File]::ReadAllText((Get-WrapperPath)) + "`nfunction Get-Token { `$Script:NRAPIAuthenticationInformation.Access }`n")
        Invoke-Runspace "Remove-Item Function:Connect-NinjaOne; Import-Module '$module'
            Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth -ErrorAction Stop; Get-Token" | Should -BeExactly 'access-token-0'
    }

    It 'works under Set-StrictMode -Version Latest and $ErrorActionPreference = Stop' {
        Invoke-Runspace 'Set-StrictMode -Version Latest; $ErrorActionPreference = "Stop"
            Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth
            Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth
            Connect-NinjaOne -UseSecretManagement -VaultName v -WriteToSecretVault -Instance eu -ClientId a -ClientSecret b -UseClientAuth
            & { $Script:NRAPIAuthenticationInformation.Access }' | Should -BeExactly 'access-token-0'
    }

    It 'is one for each of several runspaces at once' {
        Set-Program "sleep 0.3; $print"
        $shells = foreach ($number in 1..6) {
            $shell = [powershell]::Create().AddScript(". '$(Get-WrapperPath)'; Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth; & { `$Script:NRAPIAuthenticationInformation.Access }")
            @{ Shell = $shell; Running = $shell.BeginInvoke() }
        }
        foreach ($one in $shells) {
            $one.Shell.EndInvoke($one.Running) | Should -BeExactly 'access-token-0'
            $one.Shell.Streams.Error | Should -BeNullOrEmpty
            $one.Shell.Dispose()
        }
    }
}

Describe 'The streams' {
    BeforeEach {
        Clear-Session
        Set-Program (@('verbose', 'debug', 'warning', 'information' | ForEach-Object { Get-PrintCommand "{`"type`":`"write`",`"stream`":`"$_`",`"message`":`"a $_ message`"}" }) + $print -join "`n")
    }

    It 'get the program''s messages' {
        $all = Connect-NinjaOne @given -Verbose -Debug *>&1
        ($all | Where-Object { $_ -is [System.Management.Automation.VerboseRecord] }).Message | Should -BeExactly 'a verbose message'
        ($all | Where-Object { $_ -is [System.Management.Automation.DebugRecord] }).Message | Should -BeExactly 'a debug message'
        ($all | Where-Object { $_ -is [System.Management.Automation.WarningRecord] }).Message | Should -BeExactly 'a warning message'
        "$($all | Where-Object { $_ -is [System.Management.Automation.InformationRecord] })" | Should -BeExactly 'a information message'
        @($all).Count | Should -Be 4
    }

    It 'show information even when the output is assigned, and not when the user said so' {
        $script = '$x = Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth {0} 3>$null; "[$x]"'
        $output = Invoke-Shell "$($script -f '')`n$($script -f '-InformationAction SilentlyContinue')" '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        $output | Should -Match '(?s)a information message.*\[\].*\[\]'
        @([regex]::Matches($output, 'a information message')).Count | Should -Be 1
    }

    It 'are written while the program works' {
        Set-Program "$(Get-PrintCommand '{"type":"write","stream":"verbose","message":"early"}')
            while [ ! -e '$path.go' ]; do sleep 0.05; done
            $print"
        $shell = [powershell]::Create().AddScript(". '$(Get-WrapperPath)'; Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth -Verbose")
        $running = $shell.BeginInvoke()
        try { $null = Wait-Until { $shell.Streams.Verbose.Count -eq 1 } } finally { [IO.File]::WriteAllText("$path.go", '') }
        $running.IsCompleted | Should -BeFalse
        $shell.EndInvoke($running)
        $shell.Streams.Error | Should -BeNullOrEmpty
        $shell.Dispose()
        [IO.File]::Delete("$path.go")
    }

    It 'get progress' {
        $lines = '{"type":"progress","activity":"Waiting","status":"4 s left","percent":40,"completed":false}',
            '{"type":"progress","activity":"Waiting","status":"","percent":0,"completed":false}',
            '{"type":"progress","activity":"Waiting","status":"","percent":100,"completed":true}'
        Set-Program (@($lines | ForEach-Object { Get-PrintCommand $_ }) + $print -join "`n")
        $shell = [powershell]::Create().AddScript(". '$(Get-WrapperPath)'; Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth")
        $null = $shell.Invoke()
        $shell.Streams.Error | Should -BeNullOrEmpty
        $progress = @($shell.Streams.Progress | Where-Object Activity -eq 'Waiting')
        $progress.Count | Should -Be 3
        $progress[0].PercentComplete | Should -Be 40
        $progress[0].StatusDescription.Trim() | Should -Be '4 s left'
        $progress[2].RecordType | Should -Be 'Completed'
        $shell.Dispose()
    }

    It 'that are errors do not lose a session that is renewed already' {
        Set-Program "$(Get-PrintCommand '{"type":"write","stream":"warning","message":"careful"}')
            cat > /dev/null
            $print"
        { Connect-NinjaOne @given -WarningAction Stop 3>$null } | Should -Throw
        $Script:NRAPIAuthenticationInformation.Access | Should -BeExactly 'access-token-0'
        Test-Running | Should -BeFalse
    }

    It 'do not end the session when a warning is an error, but the connect, with no process left' {
        Set-Program "$(Get-PrintCommand '{"type":"write","stream":"warning","message":"careful"}')
            cat > /dev/null"
        { Connect-NinjaOne @given -WarningAction Stop 3>$null } | Should -Throw
        Test-Running | Should -BeFalse
    }
}

Describe 'A failure' {
    BeforeEach {
        Clear-Session
        Set-Program $print
        Connect-NinjaOne @given
        $connection = $Script:NRAPIConnectionInformation
        $authentication = $Script:NRAPIAuthenticationInformation
    }
    AfterEach {
        # A failed connect leaves the present session exactly as it was.
        [object]::ReferenceEquals($connection, $Script:NRAPIConnectionInformation) | Should -BeTrue
        [object]::ReferenceEquals($authentication, $Script:NRAPIAuthenticationInformation) | Should -BeTrue
        $authentication.Access | Should -BeExactly 'access-token-0'
    }

    It 'is one terminating error record with id, category, target and recommendation' {
        Set-Program "$(Get-PrintCommand '{"type":"error","id":"InvalidClient","category":"AuthenticationError","message":"No such client.","recommendation":"Check -ClientId.","target":"https://eu.ninjarmm.com"}'); exit 1"
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'InvalidClient,Connect-NinjaOne'
        $failure.CategoryInfo.Category | Should -Be 'AuthenticationError'
        $failure.TargetObject | Should -BeExactly 'https://eu.ninjarmm.com'
        $failure.Exception.Message | Should -BeExactly 'No such client.'
        $failure.ErrorDetails.RecommendedAction | Should -BeExactly 'Check -ClientId.'
        $failure.InvocationInfo.MyCommand.Name | Should -Not -Be 'Stop-Connect'
    }

    It 'shows its message and what to do' {
        Set-Program "$(Get-PrintCommand '{"type":"error","id":"InvalidClient","category":"AuthenticationError","message":"No such client.","recommendation":"Check -ClientId.","target":"t"}'); exit 1"
        $output = Invoke-Shell 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth' '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path; NO_COLOR = '1' }
        $output | Should -Match 'No such client\.'
        $output | Should -Match 'Check -ClientId\.'
    }

    It 'terminates under -ErrorAction SilentlyContinue too' {
        Set-Program "$(Get-PrintCommand '{"type":"error","id":"InvalidClient","category":"NoSuchCategory","message":"m","recommendation":"r","target":"t"}'); exit 1"
        $failure = Get-Failure { Connect-NinjaOne @given -ErrorAction SilentlyContinue }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'InvalidClient,Connect-NinjaOne'
        $failure.CategoryInfo.Category | Should -Be 'NotSpecified'
    }

    It 'of another protocol version is passed on' {
        Set-Program "$(Get-PrintCommand '{"type":"error","id":"UnsupportedVersion","category":"ProtocolError","message":"The request is of version 1; this ninjaone-auth speaks version 2.","recommendation":"Update both.","target":"version"}'); exit 1"
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'UnsupportedVersion,Connect-NinjaOne'
        $failure.ErrorDetails.RecommendedAction | Should -BeExactly 'Update both.'
    }

    It 'of the program is ProgramFailed: <name>' -ForEach @(
        @{ name = 'a crash'; script = 'echo "panic: something" >&2; echo "goroutine 1" >&2; exit 2'; says = 'panic: something' }
        @{ name = 'an end without a word'; script = 'exit 0'; says = 'without an answer' }
        @{ name = 'the end of its output while it stays'; script = 'exec >&- 2>&-; cat > /dev/null; sleep 60'; says = 'without an answer' }
        @{ name = 'not JSON'; script = 'echo hello'; says = 'not of the protocol' }
        @{ name = 'half an answer'; script = 'echo "{\"type\":\"session\",\"connection\":{"'; says = 'not of the protocol' }
        @{ name = 'two values in a line'; script = 'echo "{} {}"'; says = 'not of the protocol' }
        @{ name = 'a list'; script = 'echo "[1]"'; says = 'not of the protocol' }
        @{ name = 'an empty line'; script = 'echo'; says = 'not of the protocol' }
        @{ name = 'bytes'; script = 'printf "\377\376\000\001\n"'; says = 'not of the protocol' }
        @{ name = 'an unknown type'; script = 'echo "{\"type\":\"dance\"}"; cat > /dev/null'; says = 'does not know' }
        @{ name = 'no type'; script = 'echo "{}"; cat > /dev/null'; says = 'not of the protocol' }
        @{ name = 'a session without a token'; script = 'echo "{\"type\":\"session\",\"connection\":{},\"authentication\":{}}"'; says = 'lacks' }
        @{ name = 'a session with an empty token'; script = 'echo "{\"type\":\"session\",\"connection\":{\"RedirectURI\":\"http://localhost/\"},\"authentication\":{\"Access\":\"\",\"Expires\":\"2026-11-24T08:00:00Z\"}}"'; says = 'lacks' }
        @{ name = 'a session without anything'; script = 'echo "{\"type\":\"session\"}"'; says = 'lacks' }
    ) {
        Set-Program $script
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.Exception.Message | Should -Match $says
        $failure.ErrorDetails.RecommendedAction | Should -Match 'ninjaone-auth|program version'
        $null = Wait-Until { -not (Test-Running) } 0.5
    }

    It 'of a program that does not read its input is no broken pipe' {
        $env:NINJAONE_AUTH_PATH = $path
        [IO.File]::WriteAllText($path, "#!/bin/sh`necho 'exec format error' >&2`nexit 3`n")
        $failure = Get-Failure { Connect-NinjaOne @given -Scopes ('x' * 300000) }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.Exception.Message | Should -Match 'exec format error'
    }

    It 'to start the program is ProgramFailed' {
        [IO.File]::WriteAllText("$path.text", 'not a program')
        $env:NINJAONE_AUTH_PATH = "$path.text"
        $failure = Get-Failure { Connect-NinjaOne @given }
        $failure.FullyQualifiedErrorId | Should -BeExactly 'ProgramFailed,Connect-NinjaOne'
        $failure.TargetObject | Should -BeExactly "$path.text"
    }

    It 'is not made by a program that writes much to its error output' {
        Set-Program "i=0; while [ `$i -lt 2000 ]; do echo 'a line of 100 characters ----------------------------------------------------------------------------' >&2; i=`$((i+1)); done; $print"
        $null = Connect-NinjaOne @given
        $authentication = $Script:NRAPIAuthenticationInformation
        $connection = $Script:NRAPIConnectionInformation
        $authentication.Access | Should -BeExactly 'access-token-0'
    }
}

Describe 'Finding the program' {
    BeforeAll {
        $home2 = Join-Path $TestDrive 'install'
        $null = New-Item -ItemType Directory -Path "$home2/powershell", "$home2/bin", "$home2/path" -Force
        Copy-Item (Get-WrapperPath) "$home2/powershell"
        function Get-Place ([string] $Named = '') {
            $search, $env:PATH, $env:NINJAONE_AUTH_PATH = $env:PATH, "$home2/path$([IO.Path]::PathSeparator)/usr/bin$([IO.Path]::PathSeparator)/bin", $Named
            try {
                Invoke-Runspace ". '$home2/powershell/Connect-NinjaOne.ps1'
                    try { Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth; & { `$Script:NRAPIAuthenticationInformation.Access } }
                    catch { `$_.FullyQualifiedErrorId + ' ' + `$_.Exception.Message }"
            } finally {
                $env:PATH = $search
            }
        }
        function Add-Program ([string] $Place) { $null = New-FakeProgram $Place (Get-PrintCommand (Get-SessionLine @{} @{ Access = $Place })) }
    }

    It 'fails, saying where it looked' {
        $output = Get-Place
        $output | Should -Match 'ProgramNotFound,Connect-NinjaOne'
        foreach ($place in "$home2/powershell/ninjaone-auth", "$home2/bin/ninjaone-auth", 'PATH') { $output | Should -Match ([regex]::Escape($place)) }
    }

    It 'looks on PATH, then in ../bin, then beside the script, then where NINJAONE_AUTH_PATH says: the later wins' {
        foreach ($place in "$home2/path/ninjaone-auth", "$home2/bin/ninjaone-auth", "$home2/powershell/ninjaone-auth") {
            Add-Program $place
            Get-Place | Should -BeExactly $place
        }
        Add-Program "$home2/other"
        Get-Place "$home2/other" | Should -BeExactly "$home2/other"
    }

    It 'does not fall back when NINJAONE_AUTH_PATH names nothing' {
        Get-Place "$home2/nothing" | Should -Match "(?s)ProgramNotFound.*$([regex]::Escape("$home2/nothing"))"
    }
}

Describe 'A SecretManagement vault' -Skip:$noSecretManagement {
    BeforeAll {
        $vault = Register-TestVault (Join-Path $TestDrive 'vault')
        function Get-Reply { [IO.File]::ReadAllText("$path.reply") | ConvertFrom-Json }
        function Set-Asking ([string] $Type, [hashtable] $Question, [string] $Name = $vault.Name) {
            $line = @{ type = $Type; vault = $Name } + $Question | ConvertTo-Json -Depth 4 -Compress -EscapeHandling EscapeNonAscii
            Set-Program "$(Get-PrintCommand $line)
                IFS= read -r reply; printf '%s\n' `"`$reply`" > '$path.reply'
                $print"
        }
    }
    AfterAll { Unregister-TestVault $vault }
    BeforeEach { Clear-Session; Clear-TestVault $vault }

    It 'is written in the order given, dates and characters beyond ASCII unchanged' {
        $text = "r$([char]0xe9)$([char]::ConvertFromUtf32(0x1F600))"
        Set-Asking setSecrets @{ secrets = @{ name = 'NRefresh'; value = $text }, @{ name = 'NExpires'; value = '2026-11-24T08:00:00Z' }, @{ name = 'NAccess'; value = 'a' } }
        Connect-NinjaOne @given
        (Get-Reply).stored | Should -Be 3
        Get-VaultCall $vault Set-Secret | Should -Be 'NRefresh', 'NExpires', 'NAccess'
        Get-Secret -Vault $vault.Name -Name NRefresh -AsPlainText | Should -BeExactly $text
        Get-Secret -Vault $vault.Name -Name NExpires -AsPlainText | Should -BeExactly '2026-11-24T08:00:00Z'
    }

    It 'is read: strings and secure strings, without the names that it does not hold and those of other types' {
        Set-Secret -Vault $vault.Name -Name One -Secret 'plain "\'
        Set-Secret -Vault $vault.Name -Name Two -Secret (ConvertTo-SecureString 'secure' -AsPlainText -Force)
        Set-Secret -Vault $vault.Name -Name Three -Secret @{ a = 'b' }
        Set-Asking getSecrets @{ names = 'One', 'Two', 'Three', 'Four' }
        $errors = $Error.Count
        Connect-NinjaOne @given
        $secrets = (Get-Reply).secrets
        @($secrets.PSObject.Properties.Name | Sort-Object) | Should -Be 'One', 'Two'
        $secrets.One | Should -BeExactly 'plain "\'
        $secrets.Two | Should -BeExactly 'secure'
        $Error.Count | Should -Be $errors
    }

    It 'that is not registered is VaultNotFound, without a warning: <type>' -ForEach @(
        @{ type = 'getSecrets'; question = @{ names = @('One') } }
        @{ type = 'setSecrets'; question = @{ secrets = @(@{ name = 'One'; value = 'v-secret' }) } }
    ) {
        Set-Asking $type $question "No$($vault.Name)"
        Connect-NinjaOne @given 3>&1 | Should -BeNullOrEmpty
        (Get-Reply).error.id | Should -BeExactly 'VaultNotFound'
        Get-Content -Raw "$path.reply" | Should -Not -Match 'v-secret'
    }

    It 'that fails to store is SecretNotStored after three tries within 2 s' {
        Set-VaultFault $vault Set-Secret NSecond
        Set-Asking setSecrets @{ secrets = @{ name = 'NFirst'; value = 'v1-secret' }, @{ name = 'NSecond'; value = 'v2-secret' }, @{ name = 'NThird'; value = 'v3-secret' } }
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Connect-NinjaOne @given
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 3
        (Get-Reply).error.id | Should -BeExactly 'SecretNotStored'
        (Get-Reply).error.name | Should -BeExactly 'NSecond'
        (Get-Reply).error.message | Should -Not -BeNullOrEmpty
        Get-Content -Raw "$path.reply" | Should -Not -Match 'v\d-secret'
        Get-VaultCall $vault Set-Secret | Should -Be 'NFirst', 'NSecond', 'NSecond', 'NSecond'
        Get-Secret -Vault $vault.Name -Name NFirst -AsPlainText | Should -BeExactly 'v1-secret'
    }

    It 'that fails to be read twice is read all the same' {
        Set-Secret -Vault $vault.Name -Name One -Secret 'stored'
        Set-VaultFault $vault Get-Secret One -Times 2
        Set-Asking getSecrets @{ names = @('One') }
        Connect-NinjaOne @given
        (Get-Reply).secrets.One | Should -BeExactly 'stored'
        Get-VaultCall $vault Get-Secret | Should -Be 'One', 'One', 'One'
    }

    It 'that fails to be read is VaultFailed' {
        Set-VaultFault $vault Get-Secret One
        Set-Asking getSecrets @{ names = @('One') }
        Connect-NinjaOne @given
        (Get-Reply).error.id | Should -BeExactly 'VaultFailed'
        (Get-Reply).error.name | Should -BeExactly 'One'
    }

    It 'is written although the session says -WhatIf and -Confirm' {
        Set-Asking setSecrets @{ secrets = @(@{ name = 'NWhatIf'; value = 'w' }) }
        & { $WhatIfPreference = $true; $ConfirmPreference = 'Low'; Connect-NinjaOne @given }
        (Get-Reply).stored | Should -Be 1
        Get-Secret -Vault $vault.Name -Name NWhatIf -AsPlainText | Should -BeExactly 'w'
    }

    It 'gets the token that the program was renewing at Ctrl+C' {
        $line = @{ type = 'setSecrets'; vault = $vault.Name; secrets = @(@{ name = 'NinjaOneRefresh'; value = 'rotated' }) } | ConvertTo-Json -Depth 4 -Compress
        [IO.File]::Delete("$path.request")
        Set-Program "cat > /dev/null
            $(Get-PrintCommand $line)"
        $shell = Start-Shell 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth' '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        $null = Wait-Until { [IO.File]::Exists("$path.request") -and (Get-Item "$path.request").Length }
        Start-Sleep -Milliseconds 300
        Stop-Shell $shell
        $null = Wait-Shell $shell
        Get-Secret -Vault $vault.Name -Name NinjaOneRefresh -AsPlainText | Should -BeExactly 'rotated'
    }
}

Describe 'Without SecretManagement' {
    BeforeEach { Clear-Session }

    It 'a vault is VaultNotFound, naming the module' {
        Set-Program "$(Get-PrintCommand '{"type":"getSecrets","vault":"AnyVault","names":["One"]}')
            IFS= read -r reply; printf '%s\n' `"`$reply`" > '$path.reply'
            $print"
        $output = Invoke-Shell "Remove-Module Microsoft.PowerShell.SecretManagement -ErrorAction Ignore; Import-Module Microsoft.PowerShell.Utility; `$PSModuleAutoLoadingPreference = 'None'
            Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth" '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        $output.Trim() | Should -BeNullOrEmpty
        $failure = ([IO.File]::ReadAllText("$path.reply") | ConvertFrom-Json).error
        $failure.id | Should -BeExactly 'VaultNotFound'
        $failure.name | Should -BeExactly 'Microsoft.PowerShell.SecretManagement'
    }

    It 'a connect that uses no vault loads no vault module' {
        Set-Program $print
        $output = Invoke-Shell 'Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth; (Get-Module).Name -join " "' '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        $output | Should -Not -Match 'SecretManagement'
    }
}

Describe 'Ctrl+C' {
    BeforeEach { Clear-Session }

    It 'ends a wait within a second, and the program with it; a program that does not listen is ended after some' {
        $programs = @(
            @{ Script = 'cat > /dev/null'; Seconds = 1 }
            @{ Script = 'exec sleep 60'; Seconds = 6 }
            @{ Script = 'while sleep 0.1; do echo "{\"type\":\"write\",\"stream\":\"verbose\",\"message\":\"tick\"}"; done'; Seconds = 6 }
        )
        foreach ($program in $programs) {
            $program.Path = New-FakeProgram (Join-Path $TestDrive "waiting-$($program.Script.Length)") $program.Script
            $program.Shell = Start-Shell 'try { Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth } finally { Get-Variable NRAPI* }' '-NonInteractive' @{ NINJAONE_AUTH_PATH = $program.Path }
        }
        foreach ($program in $programs) { $null = Wait-Until { [IO.File]::Exists("$($program.Path).request") -and (Get-Item "$($program.Path).request").Length } }
        Start-Sleep -Milliseconds 500
        foreach ($program in $programs) {
            $program.Clock = [Diagnostics.Stopwatch]::StartNew()
            Stop-Shell $program.Shell
        }
        foreach ($program in $programs) {
            Wait-Shell $program.Shell | Should -Not -Match 'NRAPI'
            $program.Clock.Elapsed.TotalSeconds | Should -BeLessThan $program.Seconds
            $null = Wait-Until { -not (Get-Process -Id ([int] [IO.File]::ReadAllText("$($program.Path).pid")) -ErrorAction Ignore) } 0.5
        }
    }

    It 'keeps the session that the program was renewing' {
        Set-Program "cat > /dev/null
            $print"
        [IO.File]::Delete("$path.request")
        $shell = Start-Shell "try { Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseTokenAuth -RefreshToken c }
            finally { [IO.File]::WriteAllText('$path.kept', `$Script:NRAPIAuthenticationInformation.Access) }" '-NonInteractive' @{ NINJAONE_AUTH_PATH = $path }
        $null = Wait-Until { [IO.File]::Exists("$path.request") -and (Get-Item "$path.request").Length }
        Start-Sleep -Milliseconds 500
        Stop-Shell $shell
        $null = Wait-Shell $shell
        [IO.File]::ReadAllText("$path.kept") | Should -BeExactly 'access-token-0'
    }

    It 'works in a stopped pipeline of a runspace too, leaving the session as it was' {
        Set-Program 'cat > /dev/null'
        [IO.File]::Delete("$path.request")
        $shell = [powershell]::Create().AddScript(". '$(Get-WrapperPath)'; Connect-NinjaOne -Instance eu -ClientId a -ClientSecret b -UseClientAuth")
        $running = $shell.BeginInvoke()
        $null = Wait-Until { [IO.File]::Exists("$path.request") -and (Get-Item "$path.request").Length }
        $shell.Stop()
        $running.IsCompleted | Should -BeTrue
        Test-Running | Should -BeFalse
        $shell.Dispose()
    }
}
