// Package paramsets decides which of Connect-NinjaOne's parameter sets a call means, as PowerShell's own binder does,
// and converts its arguments.
package paramsets

import (
	"strconv"

	"ninjaone-auth/pkg/session"
)

// The parameter sets of the help page.
const (
	AuthorisationCode   = "Authorisation Code"
	SecretVaultWrite    = "Secret Vault Write"
	TokenAuthentication = "Token Authentication"
	ClientCredentials   = "Client Credentials"
	SecretVaultRead     = "Secret Vault Read"
)

// DefaultParameterSet is the set that PowerShell prefers where several are possible.
const DefaultParameterSet = AuthorisationCode

// Type is a parameter's type as the help page writes it.
type Type string

// The types in use.
const (
	Switch  Type = "SwitchParameter"
	String  Type = "String"
	Strings Type = "String[]"
	URI     Type = "Uri"
	Int32   Type = "Int32"
)

// Membership is a parameter's part in one set.
type Membership struct {
	Set       string `json:"name"`
	Mandatory bool   `json:"mandatory"`
}

// memberships reads like the help page: optional in these sets, mandatory in those.
type memberships []Membership

func optional(sets ...string) memberships  { return memberships(nil).optional(sets...) }
func mandatory(sets ...string) memberships { return memberships(nil).mandatory(sets...) }

func (m memberships) optional(sets ...string) memberships  { return m.and(false, sets) }
func (m memberships) mandatory(sets ...string) memberships { return m.and(true, sets) }

func (m memberships) and(mandatory bool, sets []string) memberships {
	for _, set := range sets {
		m = append(m, Membership{set, mandatory})
	}
	return m
}

// Parameter is one documented parameter.
type Parameter struct {
	Name    string      `json:"name"`
	Type    Type        `json:"type"`
	Help    string      `json:"help"`
	Default string      `json:"default"`
	Sets    memberships `json:"sets"`
	secret  bool
}

// Parameters holds the help page's sixteen parameters in its order, and ParseDateTimes (docs/module-contract.md).
var Parameters = []Parameter{
	{Name: "UseWebAuth", Type: Switch, Default: "False", Sets: mandatory(AuthorisationCode).optional(SecretVaultWrite),
		Help: `Use the "Authorisation Code" flow with your web browser.`},
	{Name: "UseTokenAuth", Type: Switch, Default: "False", Sets: optional(SecretVaultWrite).mandatory(TokenAuthentication),
		Help: `Use the "Token Authentication" flow - useful if you already have a refresh token.`},
	{Name: "UseClientAuth", Type: Switch, Default: "False", Sets: optional(SecretVaultWrite).mandatory(ClientCredentials),
		Help: `Use the "Client Credentials" flow - useful if you already have a client ID and secret.`},
	{Name: "Instance", Type: String, Default: "None",
		Sets: mandatory(AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials),
		Help: "The NinjaOne instance to connect to. Choose from 'eu', 'oc', 'us', 'ca', 'us2' or 'fed'."},
	{Name: "ClientId", Type: String, Default: "None",
		Sets: mandatory(AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials),
		Help: "The Client Id for the application configured in NinjaOne."},
	{Name: "ClientSecret", Type: String, Default: "None", secret: true,
		Sets: mandatory(AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials),
		Help: "The Client Secret for the application configured in NinjaOne."},
	{Name: "Scopes", Type: Strings, Default: "None",
		Sets: optional(AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials),
		Help: "The API scopes to request. If not set defaults to 'monitoring', 'management' and 'control', and with a refresh token or in the browser also 'offline_access', which asks for a refresh token. Pass a string or array of strings. Limited by the scopes granted to the application in NinjaOne."},
	{Name: "RedirectURL", Type: URI, Default: "None",
		Sets: optional(AuthorisationCode, SecretVaultWrite),
		Help: "The redirect URI to use, to the letter as it is registered in NinjaOne. If not set defaults to 'http://localhost:9090/', with the port that -Port names and the slash at the end. Should be a full URI e.g. https://redirect.example.uk:9090/auth"},
	{Name: "Port", Type: Int32, Default: strconv.Itoa(session.DefaultPort),
		Sets: optional(AuthorisationCode, SecretVaultWrite),
		Help: "The port to use for the redirect URI. Must match with the configuration set in NinjaOne. If not set defaults to '9090'."},
	{Name: "RefreshToken", Type: String, Default: "None", secret: true,
		Sets: optional(SecretVaultWrite, TokenAuthentication),
		Help: `The refresh token to use for "Token Authentication" flow. If not set the one of the present session is used.`},
	{Name: "ShowTokens", Type: Switch, Default: "False",
		Sets: optional(AuthorisationCode, TokenAuthentication, ClientCredentials),
		Help: `Output the tokens - useful when using "Authorisation Code" flow - to use with "Token Authentication" flow.`},
	{Name: "UseSecretManagement", Type: Switch, Default: "False",
		Sets: optional(AuthorisationCode, TokenAuthentication, ClientCredentials).mandatory(SecretVaultWrite, SecretVaultRead),
		Help: "Use the secret management module to retrieve credentials and store tokens. Check the docs on setting up the secret management module at https://docs.homotechsual.dev/common/secretmanagement."},
	{Name: "VaultName", Type: String, Default: "None",
		Sets: optional(AuthorisationCode, TokenAuthentication, ClientCredentials).mandatory(SecretVaultWrite, SecretVaultRead),
		Help: "The name of the secret vault to use. If no vault of that name is registered, the session is kept in the operating system's keyring under it."},
	{Name: "WriteToSecretVault", Type: Switch, Default: "False",
		Sets: optional(AuthorisationCode, TokenAuthentication, ClientCredentials, SecretVaultRead).mandatory(SecretVaultWrite),
		Help: "Write updated credentials to secret management vault."},
	{Name: "ReadFromSecretVault", Type: Switch, Default: "False",
		Sets: optional(SecretVaultRead),
		Help: "Read the authentication information from secret management vault, and renew it if it has run out."},
	{Name: "SecretPrefix", Type: String, Default: session.DefaultSecretPrefix,
		Sets: optional(SecretVaultWrite, SecretVaultRead),
		Help: "The prefix to add to the name of the secrets stored in the secret vault. If not set defaults to 'NinjaOne'."},
	{Name: "ParseDateTimes", Type: Switch, Default: "False",
		Sets: optional(AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials, SecretVaultRead),
		Help: "Have the module turn the dates in NinjaOne's answers into DateTime objects."},
}
