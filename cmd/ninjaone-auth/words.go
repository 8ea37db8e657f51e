package main

import (
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/vault"
)

// asFlags writes a message about the cmdlet and its parameters in the words of the command line. What is said of PowerShell's
// own vaults stays as it is.
func asFlags(message string) string { return flagWords.Replace(message) }

// inFlags is a failure in the words of the command line.
func inFlags(err error) *failure.Error {
	told := *failure.From(err)
	told.Message, told.Recommendation = asFlags(told.Message), asFlags(told.Recommendation)
	return &told
}

var flagWords = strings.NewReplacer(
	vault.Elsewhere, vault.Elsewhere,
	"Connect-NinjaOne.ps1", "Connect-NinjaOne.ps1",
	"Connect-NinjaOne -UseSecretManagement -WriteToSecretVault ", "ninjaone-auth login ",
	"Connect-NinjaOne -UseSecretManagement -ReadFromSecretVault ", "ninjaone-auth token ",
	"Connect-NinjaOne … -WriteToSecretVault", "ninjaone-auth login",
	"with -WriteToSecretVault", "with ninjaone-auth login",
	"See Get-Help Connect-NinjaOne -Full for the parameter sets and examples.", "See ninjaone-auth login --help.",
	"run Connect-NinjaOne again", "run the command again",
	"Run Connect-NinjaOne again", "Run the command again",
	"Register a SecretManagement vault of that name (Register-SecretVault), or set ", "Set ",
	"Connect-NinjaOne", "ninjaone-auth login",
	" -ShowTokens", "",
	"parameter 'ClientId'", "--client-id", "parameter 'ClientSecret'", "the client secret", "parameter 'Port'", "--port",
	"parameter 'RedirectURL'", "--redirect-url", "parameter 'Scopes'", "--scope", "parameter 'VaultName'", "--vault",
	"-UseWebAuth", "--web", "-UseClientAuth", "--client", "-UseTokenAuth", "--token",
	"-Instance", "--instance", "-ClientId", "--client-id", "-ClientSecret", "--client-secret-file", "-Scopes", "--scope",
	"-RedirectURL", "--redirect-url", "-Port", "--port", "-RefreshToken", "--refresh-token-file",
	"-VaultName", "--vault", "-SecretPrefix", "--prefix",
)
