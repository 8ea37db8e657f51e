# The five functions of a SecretManagement extension vault. The vault is one CLIXML file, the vault parameter Path, which is
# locked while a call uses it. Beside it stand PATH.calls, a line for each call (its function and name, never a value), and
# PATH.faults, a list of {function, name, kind, times, milliseconds}: what is to go wrong, and how often (0: always).

function Use-Store ([hashtable] $Vault, [string] $Function, [string] $Name, [scriptblock] $Action) {
    $deadline = [datetime]::UtcNow.AddSeconds(30)
    $file = $null
    while (-not $file) {
        try { $file = [IO.FileStream]::new($Vault.Path, 'OpenOrCreate', 'ReadWrite', 'None') } catch [IO.IOException] {
            if ([datetime]::UtcNow -gt $deadline) { throw }
            Start-Sleep -Milliseconds 5
        }
    }
    try {
        [IO.File]::AppendAllText("$($Vault.Path).calls", "$Function $Name`n")
        Invoke-Fault "$($Vault.Path).faults" $Function $Name
        $before = [IO.StreamReader]::new($file).ReadToEnd()
        $secrets = if ($before) { [System.Management.Automation.PSSerializer]::Deserialize($before) } else { @{} }
        & $Action $secrets
        $after = [System.Management.Automation.PSSerializer]::Serialize($secrets)
        if ($after -cne $before) {
            $bytes = [Text.Encoding]::UTF8.GetBytes($after)
            $file.SetLength(0)
            $file.Write($bytes, 0, $bytes.Length)
        }
    } finally {
        $file.Dispose()
    }
}

function Invoke-Fault ([string] $Path, [string] $Function, [string] $Name) {
    if (-not [IO.File]::Exists($Path)) { return }
    $faults = @([IO.File]::ReadAllText($Path) | ConvertFrom-Json | ForEach-Object { $_ })
    $fault = $faults | Where-Object { $_.function -eq $Function -and $Name -like $_.name } | Select-Object -First 1
    if (-not $fault) { return }
    if ($fault.times -eq 1) {
        $faults = @($faults | Where-Object { $_ -ne $fault })
    } elseif ($fault.times) {
        $fault.times--
    }
    [IO.File]::WriteAllText($Path, (ConvertTo-Json $faults))
    if ($fault.kind -eq 'delay') { Start-Sleep -Milliseconds $fault.milliseconds } else { throw "The vault's file is in use: $Function $Name." }
}

function Get-Secret {
    [CmdletBinding()]
    param ([string] $Name, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $AdditionalParameters Get-Secret $Name { if ($args[0].ContainsKey($Name)) { $args[0][$Name] } }
}

function Set-Secret {
    [CmdletBinding()]
    param ([string] $Name, [object] $Secret, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $AdditionalParameters Set-Secret $Name { $args[0][$Name] = $Secret }
}

function Remove-Secret {
    [CmdletBinding()]
    param ([string] $Name, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $AdditionalParameters Remove-Secret $Name { $args[0].Remove($Name) }
}

function Get-SecretInfo {
    [CmdletBinding()]
    param ([string] $Filter, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $AdditionalParameters Get-SecretInfo $Filter {
        foreach ($key in @($args[0].Keys) -like $Filter) {
            $type = switch ($args[0][$key]) {
                { $_ -is [securestring] } { 'SecureString' }
                { $_ -is [hashtable] } { 'Hashtable' }
                default { 'String' }
            }
            [Microsoft.PowerShell.SecretManagement.SecretInformation]::new($key, $type, $VaultName)
        }
    }
}

function Test-SecretVault {
    [CmdletBinding()]
    param ([string] $VaultName, [hashtable] $AdditionalParameters)
    [bool] $AdditionalParameters.Path
}
