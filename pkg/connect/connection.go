package connect

import (
	"fmt"
	"slices"
	"strings"

	"ninjaone-auth/pkg/callback"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/session"
)

// connection is what a new connection with these parameters is like.
func connection(v *paramsets.Values, flow string) session.Connection {
	baseURL, _ := session.BaseURL(v.Instance)
	c := session.Connection{
		URL: baseURL, Instance: v.Instance, ClientID: v.ClientID, ClientSecret: v.ClientSecret,
		AuthScopes:          strings.Join(scopes(v, flow), " "),
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
		c.RedirectURI = defaultRedirectURI(c.AuthListenerPort)
	}
	if c.SecretPrefix == "" {
		c.SecretPrefix = session.DefaultSecretPrefix
	}
	c.AuthMode = authMode(flow, c)
	return c
}

// scopes are those given, else the defaults.
func scopes(v *paramsets.Values, flow string) []string {
	if len(v.Scopes) > 0 {
		return v.Scopes
	}
	return defaultScopes(flow)
}

// defaultScopes are those of the module contract.
func defaultScopes(flow string) []string {
	defaults := []string{"monitoring", "management", "control"}
	if flow != paramsets.ClientCredentials {
		defaults = append(defaults, session.OfflineAccess)
	}
	return defaults
}

// authMode is how the session can be renewed (module contract): a web sign-in with offline_access by its refresh token.
func authMode(flow string, c session.Connection) string {
	if flow == paramsets.AuthorisationCode && slices.Contains(c.Scopes(), session.OfflineAccess) {
		return session.ModeToken
	}
	return flow
}

// listenerPort is -Port, else the port of a -RedirectURL to this machine, else the default.
func listenerPort(v *paramsets.Values) int {
	if v.Port != 0 {
		return v.Port
	}
	if port, loopback := callback.LoopbackPort(v.RedirectURL); loopback {
		return port
	}
	return session.DefaultPort
}

func defaultRedirectURI(port int) string { return fmt.Sprintf("http://localhost:%d/", port) }

// renew makes the call the renewal of a session: what is not given anew is kept (module contract).
func (c *call) renew(present *session.Session) {
	c.present = present
	v, target, old := c.values, &c.target.Connection, present.Connection
	if len(v.Scopes) == 0 && old.AuthScopes != "" {
		target.AuthScopes = keptScopes(old, c.flow)
	}
	if _, movesPort := callback.LoopbackPort(v.RedirectURL); v.Port == 0 && !movesPort && old.AuthListenerPort != 0 {
		target.AuthListenerPort = old.AuthListenerPort
	}
	if v.RedirectURL == "" && old.RedirectURI != "" && (v.Port == 0 || old.RedirectURI != defaultRedirectURI(old.AuthListenerPort)) {
		target.RedirectURI = old.RedirectURI
	}
	keep(v, "UseSecretManagement", &target.UseSecretManagement, old.UseSecretManagement)
	keep(v, "VaultName", &target.VaultName, old.VaultName)
	keep(v, "WriteToSecretVault", &target.WriteToSecretVault, old.WriteToSecretVault)
	keep(v, "ReadFromSecretVault", &target.ReadFromSecretVault, old.ReadFromSecretVault)
	keep(v, "ParseDateTimes", &target.ParseDateTimes, old.ParseDateTimes)
	if old.SecretPrefix != "" {
		keep(v, "SecretPrefix", &target.SecretPrefix, old.SecretPrefix)
	}
	target.AuthMode = authMode(c.flow, *target)
}

func keep[T any](v *paramsets.Values, parameter string, target *T, old T) {
	if !v.Given(parameter) {
		*target = old
	}
}

// keptScopes are the session's. Between client credentials and another flow the default scopes change with the flow, and
// offline_access stays behind, as some regions refuse it to client credentials.
func keptScopes(old session.Connection, flow string) string {
	kept := old.Scopes()
	toClient, fromClient := flow == paramsets.ClientCredentials, old.AuthMode == session.ModeClientCredentials
	switch {
	case toClient && !fromClient:
		kept = slices.DeleteFunc(kept, func(scope string) bool { return scope == session.OfflineAccess })
	case fromClient && !toClient && slices.Equal(kept, defaultScopes(paramsets.ClientCredentials)):
		kept = defaultScopes(flow)
	}
	return strings.Join(kept, " ")
}
