# The help page's examples, through the real wrapper.
$ErrorActionPreference = 'Stop'
. "$PSScriptRoot/../powershell/Connect-NinjaOne.ps1"

$application = @{
    Instance = 'eu'
    ClientId = 'AAaaA1aaAaAA-aaAaaA11a1A-aA'
    ClientSecret = '00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z'
}
$refreshToken = 'a1a11a11-aa11-11a1-a111-a1a111aaa111.11AaaAaaa11aA-AA1aaaAAA111aAaaaaA1AAAA1_AAa'

function Show-Session ($Title) {
    $connection = $Script:NRAPIConnectionInformation
    $authentication = $Script:NRAPIAuthenticationInformation
    "$Title"
    "  $($connection.AuthMode), $($connection.URL), until $($authentication.Expires.ToString('t')), refresh token: $([bool] $authentication.Refresh)"
}

Connect-NinjaOne @application -UseClientAuth
Show-Session 'EXAMPLE 1, client credentials'

Connect-NinjaOne @application -Port 9090 -UseWebAuth
Show-Session 'EXAMPLE 2, the browser'

Connect-NinjaOne @application -RefreshToken $refreshToken -UseTokenAuth
Show-Session 'EXAMPLE 3, refresh token'

Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -WriteToSecretVault @application -UseClientAuth
Show-Session 'EXAMPLE 4, client credentials, written to the vault'

Connect-NinjaOne -UseSecretManagement -VaultName 'NinjaOneVault' -ReadFromSecretVault
Show-Session 'EXAMPLE 5, read from the vault'

$session = $Script:NRAPIAuthenticationInformation
$headers = @{ Authorization = '{0} {1}' -f $session.Type, $session.Access }
'An API request with that session'
$organizations = Invoke-RestMethod -Uri "$($Script:NRAPIConnectionInformation.URL)/v2/organizations" -Headers $headers
foreach ($organization in $organizations) {
    "  $($organization.id) $($organization.name)"
}
