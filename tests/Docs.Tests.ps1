# The commands of README.md and docs/*.md. A block of powershell or sh is run against the stand-in NinjaOne, in a fresh home, page
# by page from top to bottom, unless its fence says what it needs that no test has:
#
#     ```powershell needs:azure
#
# Run or not, it parses, calls nothing that is not there, and shows no secret. Blocks of ini and yaml are checked in docs_test.go.

BeforeDiscovery {
    $root = Split-Path $PSScriptRoot
    # Connect-NinjaOne.md is made from the wrapper, whose tests look at its examples.
    $pages = foreach ($file in Get-Item "$root/README.md", "$root/docs/*.md" | Where-Object Name -ne 'Connect-NinjaOne.md') {
        $text = [IO.File]::ReadAllText($file) -replace "`r"
        $blocks = foreach ($fence in [regex]::Matches($text, '(?ms)^```(\w*)(?: needs:(\w+))?(.*?)\n(.*?)^```$')) {
            $line = ($text.Substring(0, $fence.Index) -split "`n").Count
            @{
                Name = "$($file.Name):$line"; Language = $fence.Groups[1].Value; Needs = $fence.Groups[2].Value
                Rest = $fence.Groups[3].Value; Text = $fence.Groups[4].Value
            }
        }
        $prose = $text -replace '(?ms)^```.*?^```$'
        @{ Page = $file.Name; Prose = $prose; Blocks = @($blocks) }
    }
    $running = $pages | Where-Object { $_.Blocks | Where-Object { $_.Language -in 'powershell', 'sh' -and -not $_.Needs } }
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $root = Split-Path $PSScriptRoot
    $program = Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth
    $modulePath = $env:PSModulePath
    $env:PSModulePath = "$root/powershell$([IO.Path]::PathSeparator)$modulePath"
    . (Get-WrapperPath)

    # The calls of the program in a text, without what a shell makes of the rest of the line.
    function Find-ProgramCall ($Text) {
        $calls = [regex]::Matches(($Text -replace '\\\n\s*', ' '), '(?m)(?<=^|[\s`(|;]|bin/)ninjaone-auth (?!http)([a-z-][^`\n|;)>&]*)')
        # COMMAND in a sentence stands for one; the NAME after a flag is its value.
        foreach ($call in $calls) { ($call.Groups[1].Value -creplace '(?<!--[a-z-]+) [A-Z]+\b' -replace '\s+#.*' -replace '["'']').Trim() }
    }
    # What a call is refused for. With --help it is parsed, and nothing is done.
    function Test-ProgramCall ($Call) {
        $said = & $program @($Call -split '\s+') --help 2>&1
        if ($LASTEXITCODE) { "ninjaone-auth $Call`: $($said[0])" }
    }
    # What PowerShell refuses in a script, or Windows PowerShell 5.1, or Connect-NinjaOne and the module NinjaOneAuth.
    function Test-Script ($Script) {
        $tokens = $errors = $null
        $tree = [System.Management.Automation.Language.Parser]::ParseInput($Script, [ref] $tokens, [ref] $errors)
        $errors | ForEach-Object { "$_" }
        Find-NewSyntax $Script | ForEach-Object { "Windows PowerShell 5.1 lacks $_" }
        $tables = @{}
        foreach ($assignment in $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.AssignmentStatementAst] }, $true)) {
            $table = $assignment.Right.Find({ $args[0] -is [System.Management.Automation.Language.HashtableAst] }, $false)
            if ($table) { $tables["$($assignment.Left)".TrimStart('$')] = $table.KeyValuePairs.Item1.Extent.Text }
        }
        foreach ($call in $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)) {
            $name = $call.GetCommandName()
            if ($name -notin 'Connect-NinjaOne', 'cno', 'Disconnect-NinjaOne', 'Get-NinjaOneToken') { continue }
            $command = Get-Command $name -ErrorAction Ignore
            if (-not $command) { "$name is not there"; continue }
            $used = foreach ($element in $call.CommandElements) {
                if ($element -is [System.Management.Automation.Language.CommandParameterAst]) { $element.ParameterName }
                elseif ($element.Splatted) { $tables[$element.VariablePath.UserPath] }
            }
            $used | Where-Object { $_ -and $_ -notin $command.Parameters.Keys } | ForEach-Object { "$name has no parameter -$_" }
        }
    }
    function Test-Block ($Block) {
        if ($Block.Language -eq 'powershell') { Test-Script $Block.Text }
        if ($Block.Language -eq 'json') { try { $null = ConvertFrom-Json $Block.Text } catch { "$_" } }
        if ($Block.Language -in 'sh', 'cron' -and -not $IsWindows) {
            $said = $Block.Text -replace '(?m)^([\d*/,-]+ ){5}' | sh -n 2>&1
            if ($LASTEXITCODE) { "$said" }
        }
        Find-ProgramCall $Block.Text | ForEach-Object { Test-ProgramCall $_ }
    }

    # The secrets that a reader would leave in the list of processes or in the history of the shell.
    function Find-ShownSecret ($Text) {
        $ways = '-H ?["'']Authorization', '-((Client)?Secret|RefreshToken|Password)[ :]+["'']', '(Client|_)Secret["'']?\s*[=:]\s*["''][^"''$@{…]',
        '--(client-secret|refresh-token|passphrase|value|password)[ =]', '(SECRET|TOKEN|PASSPHRASE)=[^\s$@"]', 'AsPlainText -Force', 'echo .*(secret|token)'
        [regex]::Matches($Text, "(?i)$($ways -join '|')").ForEach({ $_.Value })
    }

    # A console on a machine that has the module NinjaOne with ninjaone-auth in it, and someone at it who knows the secrets.
    $console = {
        Remove-Item Function:Connect-NinjaOne, Alias:cno
        $ErrorActionPreference = 'Stop'
        Set-Location $HOME
        # Only these: install changes every NinjaOne module that it finds.
        $env:PSModulePath = "$HOME/Modules:ROOT/powershell:$PSHOME/Modules"
        ninjaone-auth install
        $vault = @{ UseSecretManagement = $true; VaultName = 'NinjaOneVault'; WriteToSecretVault = $true }
        $secrets = ConvertFrom-Json -AsHashtable SECRETS
        function Get-Credential ([Parameter(Mandatory)] $UserName, [Parameter(Mandatory)] $Message) {
            [pscredential]::new($UserName, (ConvertTo-SecureString $secrets[$UserName] -AsPlainText -Force))
        }
        $application = @{ Instance = 'eu'; ClientId = 'AAaaA1aaAaAA-aaAaaA11a1A-aA'; ClientSecret = $secrets['AAaaA1aaAaAA-aaAaaA11a1A-aA'] }
        Connect-NinjaOne @vault @application -UseClientAuth
        Remove-Variable vault, application
    }
}

AfterAll {
    $env:PSModulePath = $modulePath
    Clear-Leftover
}

Describe 'The page Connect-NinjaOne.md' {
    It 'is what tests/help-page.ps1 makes of the wrapper' {
        & (Join-Path $PSScriptRoot 'help-page.ps1') -Path (Join-Path $TestDrive 'page.md')
        $page = [IO.File]::ReadAllText("$root/docs/Connect-NinjaOne.md") -replace "`r"
        $page | Should -BeExactly ([IO.File]::ReadAllText((Join-Path $TestDrive 'page.md'))) -Because 'make docs writes it'
    }
}

Describe 'The text of <Page>' -ForEach $pages {
    It 'has its commands in fences, where they are looked at' {
        [regex]::Matches($Prose, '(?m)(?<=^\n)(    |\t)\S.*').Value | Should -BeNullOrEmpty
        $Prose | Should -Not -Match '(?m)^\s*(```|~~~)'
    }

    It 'names what there is, and shows no secret' {
        $spans = [regex]::Matches($Prose, '`([^`\n]+)`').ForEach({ $_.Groups[1].Value })
        $unknown = $spans | ForEach-Object { Find-ProgramCall $_ } | ForEach-Object { Test-ProgramCall $_ }
        $unknown | Should -BeNullOrEmpty
        $spans | Where-Object { $_ -match '^Connect-NinjaOne -' } | ForEach-Object { Test-Script $_ } | Should -BeNullOrEmpty
        $spans | ForEach-Object { Find-ShownSecret $_ } | Should -BeNullOrEmpty
    }
}

Describe 'The blocks of <Page>' -ForEach $pages {
    It 'are of a kind that is looked at, or say what they need' {
        foreach ($block in $Blocks) {
            $block.Language | Should -BeIn 'powershell', 'sh', 'ini', 'yaml', 'cron', 'dockerfile', 'json', 'text' -Because $block.Name
            $block.Needs | Should -BeIn '', 'windows', 'root', 'azure', 'github', 'docker', 'release', 'secretstore', 'ssh', 'network', 'service' -Because $block.Name
            $block.Rest | Should -BeExactly '' -Because $block.Name
            if ($block.Language -eq 'text') { $block.Text | Should -Not -Match '(?m)^ *(PS> |\$ )?(ninjaone-auth|Connect-NinjaOne) [-a-z]' }
            if ($block.Language -eq 'dockerfile') { $block.Needs | Should -BeExactly 'docker' }
            if ($block.Language -eq 'cron') { $block.Text | Should -Match '^(#.*\n|\w+=.*\n)*([\d*/,-]+ ){5}\S' }
        }
    }

    It 'parse, call what there is, and show no secret' {
        $problems = foreach ($block in $Blocks) {
            Test-Block $block | ForEach-Object { "$($block.Name): $_" }
            Find-ShownSecret $block.Text | ForEach-Object { "$($block.Name) shows a secret: $_" }
        }
        $problems | Should -BeNullOrEmpty
    }
}

Describe 'The commands of <Page>' -ForEach $running {
    # Their requests check the stand-in's certificate, which PowerShell gets to know by SSL_CERT_FILE, on Linux alone.
    It 'run, and print no secret' -Skip:(-not $IsLinux) {
        # What a reader has done before: an application in NinjaOne, its secret in a file, a session in the vault.
        $service = Start-Standin
        $port = Get-FreePort
        $secrets = @{}
        foreach ($app in @{ instance = 'eu'; clientId = 'AAaaA1aaAaAA-aaAaaA11a1A-aA' }, @{ instance = 'oc'; clientId = 'BBbbB2bbBbBB-bbBbbB22b2B-bB' }) {
            $app += @{ redirectUris = @("http://localhost:$port/"); autoConsent = $true }
            $secrets[$app.clientId] = (Invoke-Standin POST /apps $app).clientSecret
        }
        $secret = $secrets['AAaaA1aaAaAA-aaAaaA11a1A-aA']
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive "home of $Page")).FullName
        $environment = @{
            HOME = $folder; XDG_CONFIG_HOME = "$folder/.config"; XDG_CACHE_HOME = "$folder/.cache"; PATH = "$(Split-Path $program):$env:PATH"
            NINJAONE_AUTH_PATH = $program; NINJAONE_AUTH_VAULT_BACKEND = 'file'; NINJAONE_AUTH_VAULT_PASSPHRASE_FILE = "$folder/passphrase"
            NINJAONE_CLIENT_SECRET = $secret; CURL_CA_BUNDLE = $service.certFile
            BROWSER = "curl --silent --location --output $folder/page.html --noproxy localhost"
        }
        $null = New-Item -ItemType Directory "$folder/Modules"
        Copy-Item -Recurse (Join-Path $PSScriptRoot NinjaOne) "$folder/Modules"
        foreach ($file in 'client-secret', 'passphrase') { [IO.File]::WriteAllText("$folder/$file", $secret) }
        chmod 600 "$folder/client-secret" "$folder/passphrase"

        $number = 0
        $script = foreach ($block in $Blocks | Where-Object { $_.Language -in 'powershell', 'sh' -and -not $_.Needs }) {
            "'--- $($block.Name)'; `$env:NINJAONE_CLIENT_SECRET = '$secret'"
            # Another run of the tests may have the port, and the stand-in has one request.
            $text = $block.Text -replace '\b9090\b', $port -replace "'devices'", "'organizations'"
            $number++
            # A block that begins with the name of a file is that file; a script of the shell always is one.
            $named = $text -match '\A(?:#!.*\n)?# (?:~/)?(?<file>[\w./-]+)\n'
            if ($block.Language -eq 'powershell' -and -not $named) { $text; continue }
            $file = if ($named) { Join-Path $folder $Matches.file } else { Join-Path $TestDrive "$Page.$number.sh" }
            $null = New-Item -ItemType Directory -Force (Split-Path $file)
            [IO.File]::WriteAllText($file, $text)
            chmod 700 $file
            if ($block.Language -eq 'powershell') { "& '$file'" } else { "sh -eu '$file'" }
            'if ($LASTEXITCODE) { throw "exit status $LASTEXITCODE" }'
        }
        $begin = "$console".Replace('ROOT', $root).Replace('SECRETS', "'$(ConvertTo-Json -Compress $secrets)'")
        $shell = Start-Shell ((@($begin) + $script) -join "`n") @() $environment
        $output = Wait-Shell $shell
        $shell.Process.ExitCode | Should -Be 0 -Because "the last block of these failed: $output"
        Find-Secret $output | Should -BeNullOrEmpty
    }
}
