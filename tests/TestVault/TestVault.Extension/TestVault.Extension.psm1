# The five functions of a SecretManagement extension vault. The vault is one CLIXML file, the vault parameter Path, used by
# one process at a time. Beside it stand PATH.calls, a line for each call (its function and name, never a value), and
# PATH.faults, a list of {function, name, kind, times, milliseconds}: what is to go wrong, and how often (0: always).

function Use-Store ([string] $VaultName, [string] $Path, [string] $Function, [string] $Name, [scriptblock] $Action) {
    $lock = [Threading.Mutex]::new($false, "Global\$VaultName")
    try { $isFree = $lock.WaitOne(30000) } catch [Threading.AbandonedMutexException] { $isFree = $true }
    if (-not $isFree) { throw "The vault $VaultName was in use for 30 s." }
    try {
        [IO.File]::AppendAllText("$Path.calls", "$Function $Name`n")
        Invoke-Fault "$Path.faults" $Function $Name
        $secrets = if ([IO.File]::Exists($Path)) { [System.Management.Automation.PSSerializer]::Deserialize([IO.File]::ReadAllText($Path)) } else { @{} }
        & $Action $secrets
        if ($Function -in 'Set-Secret', 'Remove-Secret') { [IO.File]::WriteAllText($Path, [System.Management.Automation.PSSerializer]::Serialize($secrets)) }
    } finally {
        $lock.ReleaseMutex()
        $lock.Dispose()
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
    Use-Store $VaultName $AdditionalParameters.Path Get-Secret $Name { if ($args[0].ContainsKey($Name)) { $args[0][$Name] } }
}

function Set-Secret {
    [CmdletBinding()]
    param ([string] $Name, [object] $Secret, [string] $VaultName, [hashtable] $AdditionalParameters)
    # A careless vault: its failure shows the value, which whoever passes the failure on has to hide.
    try { Use-Store $VaultName $AdditionalParameters.Path Set-Secret $Name { $args[0][$Name] = $Secret } } catch { throw "$_ The value is $Secret." }
}

function Remove-Secret {
    [CmdletBinding()]
    param ([string] $Name, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $VaultName $AdditionalParameters.Path Remove-Secret $Name { $args[0].Remove($Name) }
}

function Get-SecretInfo {
    [CmdletBinding()]
    param ([string] $Filter, [string] $VaultName, [hashtable] $AdditionalParameters)
    Use-Store $VaultName $AdditionalParameters.Path Get-SecretInfo $Filter {
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
