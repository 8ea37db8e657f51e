# What PowerShell knows of Connect-NinjaOne without running it: the parameters, their sets, the help.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $table = & (Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth) parameters | ConvertFrom-Json
    $documented = foreach ($parameter in $table.parameters) { @{ Name = $parameter.name; Documented = $parameter } }
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    . (Get-WrapperPath)
    $table = & (Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth) parameters | ConvertFrom-Json
    $tokens = $errors = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseFile((Get-WrapperPath), [ref] $tokens, [ref] $errors)
    $command = Get-Command Connect-NinjaOne
    $common = [System.Management.Automation.Cmdlet]::CommonParameters
    $sets = 'Authorisation Code', 'Secret Vault Write', 'Token Authentication', 'Client Credentials', 'Secret Vault Read'
}

Describe 'The file' {
    It 'parses without errors' { $errors | Should -BeNullOrEmpty }

    It 'is ASCII, because Windows PowerShell reads a file without a byte-order mark in the machine''s code page' {
        [IO.File]::ReadAllText((Get-WrapperPath)) | Should -Not -Match '[^\x00-\x7F]'
    }

    It 'defines Connect-NinjaOne, its alias cno, and nothing else' {
        $shell = [powershell]::Create([System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2())
        $difference = $shell.AddScript("`$before = Get-ChildItem Function:, Alias:, Variable: | ForEach-Object Name; . '$(Get-WrapperPath)'
            Get-ChildItem Function:, Alias:, Variable: | Where-Object Name -notin (`$before + 'before') | ForEach-Object Name").Invoke()
        $shell.Dispose()
        $difference | Should -Be 'Connect-NinjaOne', 'cno'
        (Get-Alias cno).ResolvedCommandName | Should -Be 'Connect-NinjaOne'
    }
}

# No machine here has Windows PowerShell 5.1 or .NET Framework 4.7.2: what the wrapper and the module NinjaOneAuth use of them
# was looked up in their documentation, and is listed. Properties are not, as they can't be told from the keys of tables.
Describe 'Windows PowerShell 5.1' {
    BeforeAll {
        $known = @'
            .Add/1 .Add/2 .AddSeconds/1 .AppendChar/1 .Clone/0 .Close/0 .Dispose/0 .FindAll/2 .Get/1 .GetBaseException/0 .GetCommand/2
            .GetUnresolvedProviderPathFromPSPath/1 .GetVariableValue/1 .Kill/0 .MakeReadOnly/0 .ReadLineAsync/0 .ReadToEndAsync/0 .Remove/1
            .RemoveAt/1 .RemoveRange/2 .Replace/2 .ShouldProcess/2 .ThrowTerminatingError/1 .ToCharArray/0 .ToString/1
            .ToUniversalTime/0 .Trim/0 .Trim/1 .TrimStart/1
            .Wait/1 .WaitForExit/1 .Write/1 .WriteInformation/2 .WriteProgress/1 .WriteVerbose/1 .WriteWarning/1
            AppContext::GetData/1 Collection[System.Attribute]::new/0 Encoding::UTF8 Environment::GetCommandLineArgs/0 Environment::UserInteractive
            Directory::Exists/1 Directory::GetFiles/3 File::Exists/1 Path::Combine/2 Path::Combine/3 Path::Combine/4
            Path::GetDirectoryName/1 Path::GetFileName/1
            InvalidOperationException::new/1 Process::Start/1 Thread::Sleep/1 Cmdlet::CommonParameters ErrorDetails::new/1
            ErrorRecord::new/4 ProgressRecord::new/3 RuntimeDefinedParameter::new/3 RuntimeDefinedParameterDictionary::new/0
            SecureString::new/0 datetime::MaxValue datetime::UtcNow psnoteproperty::new/2 regex::Replace/3 regex::Unescape/1 scriptblock::Create/1
            Export-ModuleMember:Function Get-Command:ErrorAction Microsoft.PowerShell.Core\Import-Module:Global Select-Object:Unique Set-StrictMode:Off
            Write-Error:ErrorAction
            $module\Get-Secret:Vault $module\Get-Secret:Name $module\Get-Secret:AsPlainText $module\Get-SecretInfo:Vault
            $module\Remove-Secret:Vault $module\Remove-Secret:Name $module\Set-Secret:Vault $module\Set-Secret:Name $module\Set-Secret:Secret
            bool char datetime decimal hashtable int pscustomobject psnoteproperty regex scriptblock string string[] switch uri version
            System.Collections.IList System.Collections.ObjectModel.Collection[System.Attribute] System.AppContext System.DateTimeOffset
            System.Diagnostics.Process System.Diagnostics.ProcessStartInfo System.Environment System.IO.Directory System.IO.File System.IO.Path
            System.InvalidOperationException System.Management.Automation.Cmdlet System.Management.Automation.ErrorCategory
            System.Management.Automation.ErrorDetails System.Management.Automation.ErrorRecord System.Threading.Thread
            System.Management.Automation.Language.FunctionDefinitionAst
            System.Management.Automation.ParameterAttribute System.Management.Automation.PipelineStoppedException
            System.Management.Automation.ProgressRecord System.Management.Automation.RuntimeDefinedParameter
            System.Management.Automation.RuntimeDefinedParameterDictionary
            System.Security.SecureString System.Text.Encoding System.UriBuilder
'@ -split '\s+'
        # What a script uses that Windows PowerShell's language lacks, or that is not in the list.
        function Find-Unknown ([string] $Script) {
            $tokens = $errors = $null
            $tree = [System.Management.Automation.Language.Parser]::ParseInput($Script, [ref] $tokens, [ref] $errors)
            $errors | ForEach-Object { "$_" }
            Find-NewSyntax $Script
            $used = foreach ($node in $tree.FindAll({ $true }, $true)) {
                switch ($node.GetType().Name) {
                    { $_ -in 'TypeExpressionAst', 'TypeConstraintAst' } { $node.TypeName.FullName }
                    'InvokeMemberExpressionAst' { '{0}{1}/{2}' -f $(if ($node.Static) { "$($node.Expression.TypeName.FullName -replace '^(\w+\.)*')::" } else { '.' }), $node.Member, @($node.Arguments).Where({ $_ }).Count }
                    'MemberExpressionAst' { if ($node.Static) { "$($node.Expression.TypeName.FullName -replace '^(\w+\.)*')::$($node.Member)" } }
                    'CommandAst' { foreach ($parameter in $node.CommandElements.Where({ $_ -is [System.Management.Automation.Language.CommandParameterAst] })) { "$($node.CommandElements[0]):$($parameter.ParameterName)" } }
                }
            }
            $own = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] }, $true).Name
            $used | Where-Object { $_ -notin $known -and ($_ -split ':')[0] -notin $own }
        }
    }

    It 'knows all that the wrapper uses' { Find-Unknown ([IO.File]::ReadAllText((Get-WrapperPath))) | Should -BeNullOrEmpty }

    It 'knows all that the module uses, but for what it does to files elsewhere' {
        $module = Join-Path (Split-Path (Get-WrapperPath)) 'NinjaOneAuth' 'NinjaOneAuth.psm1'
        # With the wrapper, whose functions it calls.
        $script = [IO.File]::ReadAllText((Get-WrapperPath)), [IO.File]::ReadAllText($module) -join "`n"
        Find-Unknown $script | Sort-Object -Unique | Should -Be 'File::GetUnixFileMode/1', 'File::SetUnixFileMode/2', 'System.IO.UnixFileMode'
    }

    It 'lacks what is in <_>' -ForEach '$a ?? 1', '$a ??= 1', '$a ? 1 : 2', '${a}?.Length', '${a}?[0]', 'Test-Path a && Test-Path b', 'Get-Date &', '1uy', '"`e[0m"', '"`u{20}"',
        '$IsWindows', 'ConvertFrom-Json -AsHashtable', '$process.Kill($true)', '[System.IO.Path]::GetRelativePath($a, $b)', '[System.Text.Json.JsonDocument] $a', 'function f { clean { 1 } }' {
        Find-Unknown $_ | Should -Not -BeNullOrEmpty
    }
}

Describe 'The parameters' {
    It 'are those of ninjaone-auth parameters, in its order' {
        $own = @($command.Parameters.Keys | Where-Object { $_ -notin $common })
        $own | Should -Be $table.parameters.name
    }

    It '-<Name> has its type, sets and mandatory marks, and no position or alias' -ForEach $documented {
        $parameter = $command.Parameters[$Name]
        $types = @{ SwitchParameter = [switch]; String = [string]; 'String[]' = [string[]]; Uri = [uri]; Int32 = [int] }
        $parameter.ParameterType | Should -Be $types[$Documented.type]
        @($parameter.ParameterSets.Keys | Sort-Object) | Should -Be @($Documented.sets.name | Sort-Object)
        foreach ($set in $Documented.sets) {
            $parameter.ParameterSets[$set.name].IsMandatory | Should -Be $set.mandatory
            $parameter.ParameterSets[$set.name].Position | Should -Be ([int]::MinValue)
        }
        $parameter.Aliases | Should -BeNullOrEmpty
    }

    It 'have the documented default set, and the five sets' {
        $command.DefaultParameterSet | Should -Be $table.defaultParameterSet
        @($command.ParameterSets.Name | Sort-Object) | Should -Be @($sets | Sort-Object)
    }

    It 'give the syntax of the help page, and -ParseDateTimes' {
        $syntax = (Get-Command Connect-NinjaOne -Syntax) -replace ' ?\[-ProgressAction <ActionPreference>\]' -split '\r?\n' | Where-Object { $_ }
        $credentials = '-Instance <string> -ClientId <string> -ClientSecret <string> [-Scopes <string[]>]'
        $vault = '[-UseSecretManagement] [-VaultName <string>] [-WriteToSecretVault]'
        @($syntax | Sort-Object) | Should -Be @(@(
            "Connect-NinjaOne -UseWebAuth $credentials [-RedirectURL <uri>] [-Port <int>] [-ShowTokens] $vault [-ParseDateTimes] [<CommonParameters>]"
            "Connect-NinjaOne $($credentials.Replace(' [-Scopes', ' -UseSecretManagement -VaultName <string> -WriteToSecretVault [-UseWebAuth] [-UseTokenAuth] [-UseClientAuth] [-Scopes')) [-RedirectURL <uri>] [-Port <int>] [-RefreshToken <string>] [-SecretPrefix <string>] [-ParseDateTimes] [<CommonParameters>]"
            "Connect-NinjaOne -UseTokenAuth $credentials [-RefreshToken <string>] [-ShowTokens] $vault [-ParseDateTimes] [<CommonParameters>]"
            "Connect-NinjaOne -UseClientAuth $credentials [-ShowTokens] $vault [-ParseDateTimes] [<CommonParameters>]"
            "Connect-NinjaOne -UseSecretManagement -VaultName <string> [-WriteToSecretVault] [-ReadFromSecretVault] [-SecretPrefix <string>] [-ParseDateTimes] [<CommonParameters>]") | Sort-Object)
    }

    It 'takes <_> as an instance, in any case' -ForEach 'eu', 'oc', 'us', 'ca', 'us2', 'fed', 'EU', 'Fed' {
        $instance = $command.Parameters['Instance'].Attributes | Where-Object { $_ -is [ValidateSet] }
        $instance.ValidValues | Should -Contain $_
        $instance.IgnoreCase | Should -BeTrue
    }

    It 'refuses <text>' -ForEach @(
        @{ text = 'an unknown instance'; change = @{ Instance = 'mars' } }
        @{ text = 'port 0'; change = @{ Port = 0 } }
        @{ text = 'port 65536'; change = @{ Port = 65536 } }
    ) {
        $given = @{ Instance = 'eu'; ClientId = 'a'; ClientSecret = 'b'; UseWebAuth = $true } + @{}
        foreach ($key in $change.Keys) { $given[$key] = $change[$key] }
        { Connect-NinjaOne @given } | Should -Throw -ErrorId 'ParameterArgumentValidationError,Connect-NinjaOne'
    }

    It 'completes the scopes' {
        $line = "Connect-NinjaOne -Scopes m"
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'monitoring', 'management'
        $line = "Connect-NinjaOne -Scopes monitoring, "
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'monitoring', 'management', 'control', 'offline_access'
    }

    It 'completes "<Typed>" of a vault''s name to <Names>, and never to files' -ForEach @(
        @{ Typed = ''; Names = 'NinjaOne', 'Jobs', "'Zoe''s own'" }
        @{ Typed = 'j'; Names = 'Jobs' }
        @{ Typed = "'zo"; Names = "'Zoe''s own'" }
        @{ Typed = 'Conn'; Names = 'Conn' }
    ) {
        $line = "Connect-NinjaOne -VaultName $Typed"
        $script = "`$null = New-Module Microsoft.PowerShell.SecretManagement {
                function Get-SecretVault { [CmdletBinding()] param () 'Jobs', 'Zoe''s own' | ForEach-Object { [pscustomobject] @{ Name = `$_ } } }
            } | Import-Module -PassThru
            Set-Location '$(Split-Path (Get-WrapperPath))' # which has a file Connect-NinjaOne.ps1
            (TabExpansion2 '$($line -replace "'", "''")' $($line.Length)).CompletionMatches.CompletionText"
        Invoke-Runspace $script | Should -Be $Names
    }

    It 'completes the name of ninjaone-auth''s own vault without SecretManagement' {
        $line = 'Connect-NinjaOne -VaultName n'
        $script = "`$env:PSModulePath = ''; (TabExpansion2 '$line' $($line.Length)).CompletionMatches.CompletionText; `$Error.Count"
        $output = Invoke-Shell $script
        $output.Trim() -split '\r?\n' | Should -Be 'NinjaOne', '0'
    }
}

Describe 'The help' {
    BeforeAll {
        $help = Get-Help Connect-NinjaOne -Full
        function ConvertTo-OneLine ($Text) { (($Text | Out-String) -replace '\s+', ' ').Trim() }
    }

    It 'has the page''s synopsis, description, outputs and link' {
        ConvertTo-OneLine $help.Synopsis | Should -Be 'Creates a new connection to a NinjaOne instance.'
        ConvertTo-OneLine $help.description.Text | Should -Be 'Creates a new connection to a NinjaOne instance and stores this in a PowerShell Session.'
        ConvertTo-OneLine $help.returnValues.returnValue.type.name | Should -Be 'Sets two script-scoped variables to hold connection and authentication information.'
        $help.relatedLinks.navigationLink.uri | Should -Be 'https://docs.homotechsual.dev/modules/ninjaone/commandlets/Connect/ninjaone'
    }

    It 'has the text, the default value and no pipeline input for -<Name>' -ForEach $documented {
        $parameter = $help.parameters.parameter | Where-Object name -eq $Name
        ConvertTo-OneLine $parameter.description.Text | Should -Be $Documented.help
        if ($Documented.default -in 'None', '') { "$($parameter.defaultValue)" | Should -BeNullOrEmpty } else { "$($parameter.defaultValue)" | Should -Be $Documented.default }
        $parameter.globbing | Should -Be 'false'
    }

    It 'has the page''s five examples' {
        $application = "-Instance 'eu' -ClientId 'AAaaA1aaAaAA-aaAaaA11a1A-aA' -ClientSecret '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z'"
        $examples = @($help.examples.example)
        $examples.Count | Should -Be 7 -Because 'there are one for renewals and one for unattended jobs'
        $examples[0..4].code | Should -Be @(
            "Connect-NinjaOne $application -UseClientAuth"
            "Connect-NinjaOne $application -Port 9090 -UseWebAuth"
            "Connect-NinjaOne $application -RefreshToken 'a1a11a11-aa11-11a1-a111-a1a111aaa111.11AaaAaaa11aA-AA1aaaAAA111aAaaaaA1AAAA1_AAa' -UseTokenAuth"
            "Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -WriteToSecretVault $application -UseClientAuth"
            "Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault")
        ConvertTo-OneLine $examples[0].remarks.Text | Should -Be 'This logs into NinjaOne using the client credentials flow.'
        ConvertTo-OneLine $examples[4].remarks.Text | Should -Be 'This reads the connection information from the secret vault.'
    }
}

Describe 'PowerShell''s parameter binder' {
    It 'resolves all 65,536 subsets of the documented parameters as the table does' {
        # The function's own parameters and dynamicparam, with a body that returns the set. A runspace without a host
        # fails at a missing mandatory parameter, where one with a host would ask for it.
        $body = $ast.Find({ $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] }, $true).Body
        $function = "function Connect-NinjaOne {`n$($body.ParamBlock.Attributes.Extent.Text -join "`n")`n$($body.ParamBlock.Extent.Text)`n" +
            "$($body.DynamicParamBlock.Extent.Text)`nend { `$PSCmdlet.ParameterSetName } }"
        $resolve = {
            param ($function, $lines)
            . ([scriptblock]::Create($function))
            $values = [ordered] @{
                UseWebAuth = $true; UseTokenAuth = $true; UseClientAuth = $true; Instance = 'eu'; ClientId = 'a'; ClientSecret = 'b'; Scopes = 'control'
                RedirectURL = 'http://localhost:9090/'; Port = 9090; RefreshToken = 'c'; ShowTokens = $true; UseSecretManagement = $true
                VaultName = 'd'; WriteToSecretVault = $true; ReadFromSecretVault = $true; SecretPrefix = 'e'
            }
            $names = @($values.Keys)
            foreach ($line in $lines) {
                $fields = $line.Split([char] 9)
                $mask = [int] $fields[0]
                $given = @{}
                for ($i = 0; $i -lt 16; $i++) { if ($mask -band (1 -shl $i)) { $given[$names[$i]] = $values[$names[$i]] } }
                try { $outcome = "$mask`tset`t$(Connect-NinjaOne @given)`t" }
                catch { $outcome = "$mask`terror`t$($_.Exception.ErrorId)`t$(if ($_.Exception.ErrorId -eq 'MissingMandatoryParameter') { $_.Exception.ParameterName.Trim() })" }
                if ($outcome.TrimEnd() -ne $line.TrimEnd()) { "$outcome, but the table has: $line" }
            }
        }
        $file = Join-Path $PSScriptRoot '..' 'pkg' 'paramsets' 'testdata' 'parameter-sets.tsv.gz'
        $reader = [IO.StreamReader]::new([IO.Compression.GZipStream]::new([IO.File]::OpenRead($file), [IO.Compression.CompressionMode]::Decompress))
        $lines = @($reader.ReadToEnd() -split '\r?\n' | Where-Object { $_ })
        $reader.Dispose()
        $lines.Count | Should -Be 65536
        # Two halves at once, for a machine with two cores.
        $shells = foreach ($half in 0, 1) {
            $shell = [powershell]::Create().AddScript($resolve).AddArgument($function).AddArgument(@($lines[(32768 * $half)..(32768 * $half + 32767)]))
            @{ Shell = $shell; Running = $shell.BeginInvoke() }
        }
        $different = foreach ($one in $shells) { $one.Shell.EndInvoke($one.Running); $one.Shell.Streams.Error; $one.Shell.Dispose() }
        $different | Select-Object -First 5 | Should -BeNullOrEmpty
    }
}
