@{
    ModuleVersion = '1.0'
    Description = 'A SecretManagement extension vault for the tests of Connect-NinjaOne: plain text, never for a real secret.'
    NestedModules = @('./TestVault.Extension')
    FunctionsToExport = @()
    CmdletsToExport = @()
    AliasesToExport = @()
}
