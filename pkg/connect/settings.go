package connect

import (
	"slices"
	"strings"

	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// plan returns the session that a call asks for: its settings, and the refresh token to start from. renewed is the
// caller's present session if the call renews it, else nil, and kept names the parameters of which its values are kept.
func plan(v *paramsets.Values, mode session.Mode, present *session.Session) (s session.Session, renewed *session.Session, kept []string) {
	s.Connection = newSettings(v, mode)
	s.Authentication.Refresh = session.Optional(v.RefreshToken)
	if present != nil && present.Connection.SameApplication(s.Connection) {
		renewed = present
		given := s.Connection
		keepSettings(&s.Connection, v, mode, present.Connection)
		kept = changed(given, s.Connection)
		if v.RefreshToken == "" {
			s.Authentication.Refresh = present.Authentication.Refresh
		}
	}
	s.Connection.AuthMode = renewalMode(mode, s.Connection)
	return s, renewed, kept
}

// changed names the parameters whose settings differ between two connections.
func changed(a, b session.Connection) (names []string) {
	for _, setting := range []struct {
		parameter string
		differs   bool
	}{
		{"Scopes", a.AuthScopes != b.AuthScopes},
		{"RedirectURL", a.RedirectURI != b.RedirectURI},
		{"Port", a.AuthListenerPort != b.AuthListenerPort},
		{"UseSecretManagement", a.UseSecretManagement != b.UseSecretManagement},
		{"VaultName", a.VaultName != b.VaultName},
		{"WriteToSecretVault", a.WriteToSecretVault != b.WriteToSecretVault},
		{"ReadFromSecretVault", a.ReadFromSecretVault != b.ReadFromSecretVault},
		{"SecretPrefix", a.SecretPrefix != b.SecretPrefix},
		{"ParseDateTimes", a.ParseDateTimes != b.ParseDateTimes},
	} {
		if setting.differs {
			names = append(names, setting.parameter)
		}
	}
	return names
}

// newSettings are those of a call without a session to renew.
func newSettings(v *paramsets.Values, mode session.Mode) session.Connection {
	baseURL, _ := session.BaseURL(v.Instance)
	c := session.Connection{
		URL: baseURL, Instance: v.Instance, ClientID: v.ClientID, ClientSecret: v.ClientSecret,
		AuthScopes:          strings.Join(scopes(v, mode), " "),
		AuthListenerPort:    listenerPort(v),
		RedirectURI:         v.RedirectURL,
		UseSecretManagement: v.UseSecretManagement,
		VaultName:           session.Optional(v.VaultName),
		WriteToSecretVault:  v.WriteToSecretVault,
		ReadFromSecretVault: v.ReadFromSecretVault,
		SecretPrefix:        v.SecretPrefix,
		ParseDateTimes:      v.ParseDateTimes,
	}
	if c.RedirectURI == "" {
		c.RedirectURI = session.DefaultRedirectURI(c.AuthListenerPort)
	}
	return c
}

// keepSettings keeps what a renewal does not give anew (docs/module-contract.md, "How the module renews a token").
func keepSettings(c *session.Connection, v *paramsets.Values, mode session.Mode, old session.Connection) {
	if len(v.Scopes) == 0 && old.AuthScopes != "" {
		c.AuthScopes = keptScopes(old, mode)
	}
	if _, movesPort := session.LoopbackPort(v.RedirectURL); v.Port == 0 && !movesPort && old.AuthListenerPort != 0 {
		c.AuthListenerPort = old.AuthListenerPort
	}
	if v.RedirectURL == "" && old.RedirectURI != "" && (v.Port == 0 || old.RedirectURI != session.DefaultRedirectURI(old.AuthListenerPort)) {
		c.RedirectURI = old.RedirectURI
	}
	keep(v, "UseSecretManagement", &c.UseSecretManagement, old.UseSecretManagement)
	keep(v, "VaultName", &c.VaultName, old.VaultName)
	keep(v, "WriteToSecretVault", &c.WriteToSecretVault, old.WriteToSecretVault)
	keep(v, "ReadFromSecretVault", &c.ReadFromSecretVault, old.ReadFromSecretVault)
	keep(v, "ParseDateTimes", &c.ParseDateTimes, old.ParseDateTimes)
	if old.SecretPrefix != "" {
		keep(v, "SecretPrefix", &c.SecretPrefix, old.SecretPrefix)
	}
}

func keep[T any](v *paramsets.Values, parameter string, target *T, old T) {
	if !v.Given(parameter) {
		*target = old
	}
}

// readSettings are those of a session that was read under a name.
func readSettings(v *paramsets.Values, name vault.Name, c session.Connection) session.Connection {
	c.UseSecretManagement, c.ReadFromSecretVault = true, true
	c.VaultName, c.SecretPrefix = session.Optional(name.Vault), name.Prefix
	if v.Given("WriteToSecretVault") {
		c.WriteToSecretVault = v.WriteToSecretVault
	}
	if v.Given("ParseDateTimes") {
		c.ParseDateTimes = v.ParseDateTimes
	}
	return c
}

// scopes are those given, else the defaults.
func scopes(v *paramsets.Values, mode session.Mode) []string {
	if len(v.Scopes) > 0 {
		return v.Scopes
	}
	return defaultScopes(mode)
}

// defaultScopes are those of docs/module-contract.md.
func defaultScopes(mode session.Mode) []string {
	defaults := []string{"monitoring", "management", "control"}
	if mode != session.ModeClientCredentials {
		defaults = append(defaults, session.OfflineAccess)
	}
	return defaults
}

// renewalMode is how the session can be renewed: one from a web sign-in with offline_access by its refresh token
// (docs/module-contract.md, AuthMode).
func renewalMode(mode session.Mode, c session.Connection) session.Mode {
	if mode == session.ModeAuthorisationCode && slices.Contains(c.Scopes(), session.OfflineAccess) {
		return session.ModeToken
	}
	return mode
}

// listenerPort is -Port, else the port of a -RedirectURL to this machine, else the default.
func listenerPort(v *paramsets.Values) int {
	if v.Port != 0 {
		return v.Port
	}
	if port, loopback := session.LoopbackPort(v.RedirectURL); loopback {
		return port
	}
	return session.DefaultPort
}

// keptScopes are the session's. Between client credentials and another mode the default scopes change with the mode, and
// offline_access stays behind, as some regions refuse it to client credentials.
func keptScopes(old session.Connection, mode session.Mode) string {
	kept := old.Scopes()
	toClient, fromClient := mode == session.ModeClientCredentials, old.AuthMode == session.ModeClientCredentials
	switch {
	case toClient && !fromClient:
		kept = slices.DeleteFunc(kept, func(scope string) bool { return scope == session.OfflineAccess })
	case fromClient && !toClient && slices.Equal(kept, defaultScopes(session.ModeClientCredentials)):
		kept = defaultScopes(mode)
	}
	return strings.Join(kept, " ")
}
