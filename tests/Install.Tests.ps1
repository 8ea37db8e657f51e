# ninjaone-auth install: a NinjaOne module in miniature (tests/NinjaOne) uses our Connect-NinjaOne in every way of loading it.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $noSecretManagement = -not (Test-SecretManagement)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Wrapper.psm1') -Force
    $program = Get-BuiltProgram NINJAONE_AUTH_PATH ./cmd/ninjaone-auth
    $env:NINJAONE_AUTH_PATH = $null # the program beside the module is to be used
    $env:SECRETMANAGEMENT_STANDIN_HOME = Join-Path $TestDrive 'register'
    $service = Start-Standin
    $modules = Join-Path $TestDrive "Mo dules ü's"
    $path = $env:PSModulePath
    $env:PSModulePath = $modules + [IO.Path]::PathSeparator + $path

    function New-TestModule ([string] $Version) {
        $folder = Join-Path $modules 'NinjaOne' $Version
        $null = New-Item -ItemType Directory -Path $folder -Force
        foreach ($file in Get-ChildItem (Join-Path $PSScriptRoot 'NinjaOne')) { [IO.File]::Copy($file.FullName, (Join-Path $folder $file.Name), $true) }
        $manifest = Join-Path $folder 'NinjaOne.psd1'
        [IO.File]::WriteAllText($manifest, [IO.File]::ReadAllText($manifest).Replace('2.8.0', $Version), [Text.UTF8Encoding]::new($true))
        $folder
    }
    function Get-FolderContent ([string] $Folder) { Get-ChildItem $Folder -Recurse -File -Force | Get-FileHash | ForEach-Object { "$($_.Path) $($_.Hash)" } }
    # Runs install, uninstall or status for all versions of the module.
    function Invoke-Program {
        $output = & $program @args --json --module (Join-Path $modules 'NinjaOne') 2>&1
        $LASTEXITCODE | Should -Be 0 -Because "$output"
        "$output" | ConvertFrom-Json
    }
    # What a script puts out in a PowerShell session of its own, after $app.
    function Invoke-Session ([string] $Script) {
        $session = [powershell]::Create().AddScript("param (`$app)`n`$ErrorActionPreference = 'Stop'`n$Script").AddArgument($application)
        try {
            $session.Invoke()
            $session.Streams.Error | ForEach-Object { "$($_.FullyQualifiedErrorId)" }
        } catch {
            "$($_.Exception.InnerException.ErrorRecord.FullyQualifiedErrorId) $($_.Exception.InnerException.Message)"
        } finally {
            $session.Dispose()
        }
    }
    $use = 'Connect-NinjaOne @app -UseClientAuth; (Get-NinjaOneOrganisations)[0].name'
    $name = 'Example Dental'
    $own = '*This is the Connect-NinjaOne of the module.*'
}

AfterAll {
    Remove-Module NinjaOne -ErrorAction Ignore
    $env:PSModulePath = $path
    Clear-Leftover
}

Describe 'ninjaone-auth install' {
    BeforeAll {
        $folder = New-TestModule 2.8.0
        $before = Get-FolderContent $folder
    }
    BeforeEach {
        $null = Invoke-Standin POST /reset @{}
        $app = Invoke-Standin POST /apps @{ instance = 'eu' }
        $application = @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }
    }
    AfterEach { Invoke-Standin GET /violations | Should -BeNullOrEmpty }

    It 'is needed: before it, the module has its own Connect-NinjaOne' {
        Invoke-Session $use | Should -BeLike $own
    }

    Context 'once it was run' {
        BeforeAll {
            (Invoke-Program install).modules.changed | Should -BeTrue
            $installed = Get-FolderContent $folder
        }

        It 'works when the module is loaded automatically, and hides the session as the module does' {
            Invoke-Session "$use; (Get-Command Connect-NinjaOne).Module.Name; Get-Variable NRAPI* | ForEach-Object Name" | Should -Be $name, 'NinjaOne'
        }

        It 'works after Import-Module -Force' {
            Invoke-Session "Import-Module NinjaOne; Import-Module NinjaOne -Force; $use" | Should -Be $name
        }

        It 'works with Import-Module -Prefix' {
            Invoke-Session 'Import-Module NinjaOne -Prefix My; Connect-MyNinjaOne @app -UseClientAuth; (Get-MyNinjaOneOrganisations)[0].name' | Should -Be $name
        }

        It 'works in ForEach-Object -Parallel' {
            $scripted = '1..2 | ForEach-Object -Parallel { $app = $using:app; ' + $use + ' }'
            Invoke-Session $scripted | Should -Be $name, $name
        }

        It 'works in Start-Job' -Skip:$IsWindows {
            $job = Start-Job { $app = $args[0]; Invoke-Expression $args[1] } -ArgumentList $application, $use
            $job | Receive-Job -Wait -AutoRemoveJob | Should -Be $name
        }

        It 'has the help of our Connect-NinjaOne' {
            Invoke-Session '(Get-Help Connect-NinjaOne).Synopsis; @((Get-Help Connect-NinjaOne -Examples).examples.example).Count' |
                Should -Be 'Creates a new connection to a NinjaOne instance.', 7
        }

        It 'lets the module renew the session' {
            $output = Invoke-Session "$use; `$session = (Get-NinjaOneTestSession)[1]; `$session.Access; `$session.Expires = [datetime]::Now.AddMinutes(-1)
                (Get-NinjaOneOrganisations)[0].name; (Get-NinjaOneTestSession)[1].Access"
            $output[0, 2] | Should -Be $name, $name
            $output[1] | Should -Not -Be $output[3]
        }

        It 'lets the module renew a session of a vault, which gets the new refresh token' -Skip:$noSecretManagement {
            $store = Register-TestVault (Join-Path $TestDrive 'vault')
            try {
                $application.RefreshToken = (Invoke-Standin POST /refresh-token @{ clientId = $app.clientId }).refreshToken
                $output = Invoke-Session "Connect-NinjaOne @app -UseTokenAuth -UseSecretManagement -VaultName '$($store.Name)' -WriteToSecretVault
                    `$session = (Get-NinjaOneTestSession)[1]; `$session.Refresh; `$session.Expires = [datetime]::Now.AddMinutes(-1)
                    Set-Secret -Vault '$($store.Name)' -Name NinjaOneExpires -Secret `$session.Expires.ToString('o')
                    (Get-NinjaOneOrganisations)[0].name; (Get-NinjaOneTestSession)[1].Refresh"
                $output[1] | Should -Be $name
                $output[0] | Should -Not -Be $output[2]
                Get-Secret -Vault $store.Name -Name NinjaOneRefresh -AsPlainText | Should -BeExactly $output[2]
            } finally {
                Unregister-TestVault $store
            }
        }

        It 'changes nothing when it is run again' {
            (Invoke-Program install).modules.changed | Should -BeFalse
            Get-FolderContent $folder | Should -Be $installed
        }

        It 'is told by status to be run again after an update of the module, and then works in that' {
            $new = New-TestModule 2.10.0
            try {
                (Invoke-Program status).modules | ForEach-Object { "$($_.version) $($_.installed) $($_.updated)" } | Should -Be '2.8.0 True False', '2.10.0 False True'
                Invoke-Session $use | Should -BeLike $own
                (Invoke-Program install).modules.changed | Should -Be $false, $true
                Invoke-Session "$use; (Get-Module NinjaOne).Version" | Should -Be $name, '2.10.0'
                (Invoke-Program status).modules.installed | Should -Be $true, $true
            } finally {
                Remove-Item $new -Recurse
            }
        }

        It 'is undone by uninstall, byte for byte' {
            (Invoke-Program uninstall).modules.changed | Should -BeTrue
            Get-FolderContent $folder | Should -Be $before
            Invoke-Session $use | Should -BeLike $own
        }
    }
}

Describe 'The module in memory (docs/install.md)' {
    BeforeAll {
        $null = New-TestModule 2.8.0
        $env:NINJAONE_AUTH_PATH = $program
        $wrapper = Get-WrapperPath
        $null = Invoke-Standin POST /reset @{}
        $app = Invoke-Standin POST /apps @{ instance = 'eu' }
        $application = @{ Instance = 'eu'; ClientId = $app.clientId; ClientSecret = $app.clientSecret }
    }

    It 'uses our Connect-NinjaOne after the two lines' {
        Invoke-Session ". (Import-Module NinjaOne -PassThru) { . '$wrapper' }`nImport-Module NinjaOne`n$use; Get-Variable NRAPI* | ForEach-Object Name" | Should -Be $name
    }

    It 'would not with & in place of the dot, or without the second line' {
        Invoke-Session "& (Import-Module NinjaOne -PassThru) { . '$wrapper' }`nImport-Module NinjaOne`n$use" | Should -BeLike $own
        Invoke-Session ". (Import-Module NinjaOne -PassThru) { . '$wrapper' }`n$use" | Should -BeLike $own
    }
}
