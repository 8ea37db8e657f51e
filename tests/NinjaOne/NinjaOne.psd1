@{
    RootModule = '.\NinjaOne.psm1'
    ModuleVersion = '2.8.0'
    GUID = '5d1b0a2f-6a57-4c0e-9c3e-0d0f6f0c1a10'
    Author = 'the ninjaone-auth authors'
    Description = 'A NinjaOne module in miniature, for the tests of ninjaone-auth install.'
    PowerShellVersion = '5.1'
    FunctionsToExport = @(
        'Connect-NinjaOne',
        'Get-NinjaOneOrganisations',
        'Get-NinjaOneTestSession'
    )
    CmdletsToExport = @()
    VariablesToExport = '*'
    AliasesToExport = @()
}
