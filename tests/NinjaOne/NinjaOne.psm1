#Region './Private/New-NinjaOneGETRequest.ps1' -1

function New-NinjaOneGETRequest ([string] $Resource) {
    if ($null -eq $Script:NRAPIConnectionInformation) { throw 'Missing NinjaOne connection information.' }
    if ($Script:NRAPIAuthenticationInformation.Expires -le (Get-Date)) { Update-NinjaOneToken }
    $type, $access = $Script:NRAPIAuthenticationInformation.Type, $Script:NRAPIAuthenticationInformation.Access
    $request = @{
        Uri = "$($Script:NRAPIConnectionInformation.URL)$Resource"
        Headers = @{ Authorization = '{0} {1}' -f $type, $access }
        Proxy = $env:HTTPS_PROXY
        SkipCertificateCheck = $true
    }
    Invoke-RestMethod @request
}
#EndRegion './Private/New-NinjaOneGETRequest.ps1' 15
#Region './Private/Update-NinjaOneToken.ps1' -1

function Update-NinjaOneToken {
    $connection = $Script:NRAPIConnectionInformation
    $parameters = @{
        Instance = $connection.Instance; ClientId = $connection.ClientId; ClientSecret = $connection.ClientSecret
        ShowTokens = $connection.ShowTokens
    }
    if ($connection.AuthMode -eq 'Client Credentials') { $parameters.UseClientAuth = $true }
    else { $parameters += @{ UseTokenAuth = $true; RefreshToken = $Script:NRAPIAuthenticationInformation.Refresh } }
    Connect-NinjaOne @parameters
}
#EndRegion './Private/Update-NinjaOneToken.ps1' 13
#Region './Public/Connect/Connect-NinjaOne.ps1' -1

# The module's own, which must never be called once ours is installed.
function Connect-NinjaOne {
    [CmdletBinding()]
    param ([Parameter(ValueFromRemainingArguments)] $Rest)
    throw 'This is the Connect-NinjaOne of the module.'
}
#EndRegion './Public/Connect/Connect-NinjaOne.ps1' 9
#Region './Public/Get/Get-NinjaOneOrganisations.ps1' -1

function Get-NinjaOneOrganisations { New-NinjaOneGETRequest -Resource '/v2/organizations' }
#EndRegion './Public/Get/Get-NinjaOneOrganisations.ps1' 3
#Region './Public/Get/Get-NinjaOneTestSession.ps1' -1

# Shows tests the session, which the module hides: the hashtables themselves.
function Get-NinjaOneTestSession { $Script:NRAPIConnectionInformation; $Script:NRAPIAuthenticationInformation }
#EndRegion './Public/Get/Get-NinjaOneTestSession.ps1' 5

# Größe der Seiten: what the byte-order mark is for.
[int32] $Script:NRAPIDefaultPageSize = 2000
