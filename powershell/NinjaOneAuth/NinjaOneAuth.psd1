@{
    RootModule = 'NinjaOneAuth.psm1'
    ModuleVersion = '0.0.0'
    GUID = 'a46ddeec-afb1-40a5-a8ec-e0d0fc3a0257'
    Author = 'the ninjaone-auth authors'
    CompanyName = 'the ninjaone-auth authors'
    Copyright = 'Copyright (c) 2026 the ninjaone-auth authors'
    Description = 'Signs in to the NinjaOne RMM, with client credentials, a refresh token or a browser, keeps the session in a vault, and gives its access token to requests of your own. The module NinjaOne is not needed.'
    PowerShellVersion = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FunctionsToExport = @('Connect-NinjaOne', 'Disconnect-NinjaOne', 'Get-NinjaOneToken')
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
    PrivateData = @{
        PSData = @{
            Tags = @('NinjaOne', 'NinjaRMM', 'RMM', 'MSP', 'OAuth', 'Authentication', 'Token', 'API', 'PSEdition_Desktop', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS')
            LicenseUri = 'https://github.com/OWNER/ninjaone-auth/blob/main/LICENSE'
            ProjectUri = 'https://github.com/OWNER/ninjaone-auth'
            IconUri = 'https://github.com/OWNER/ninjaone-auth/raw/main/docs/icon.png'
            ReleaseNotes = 'https://github.com/OWNER/ninjaone-auth/blob/main/CHANGELOG.md'
        }
    }
}
