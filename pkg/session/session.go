// Package session is a NinjaOne session: the contents of the module's two script-scoped variables.
package session

import (
	"encoding/json"
	"strings"
	"time"
)

// Mode is the way in which a session is obtained. In a session it is the way in which the session can be renewed
// (docs/module-contract.md, AuthMode).
type Mode string

// The modes. A session in ModeAuthorisationCode can't be renewed without a user.
const (
	ModeClientCredentials Mode = "Client Credentials"
	ModeToken             Mode = "Token Authentication"
	ModeAuthorisationCode Mode = "Authorisation Code"
)

// Modes are all of them.
var Modes = []Mode{ModeClientCredentials, ModeToken, ModeAuthorisationCode}

// What the help page documents for parameters that are not given.
const (
	DefaultPort         = 9090
	DefaultSecretPrefix = "NinjaOne"
)

// OfflineAccess is the scope that asks for a refresh token.
const OfflineAccess = "offline_access"

// Session is a signed-in session, as docs/conversation.md writes it.
type Session struct {
	Connection     Connection     `json:"connection"`
	Authentication Authentication `json:"authentication"`
}

// Connection is $Script:NRAPIConnectionInformation (docs/module-contract.md). AuthScopes are joined by one space.
type Connection struct {
	AuthMode            Mode
	URL                 string
	Instance            string
	ClientID            string `json:"ClientId"`
	ClientSecret        string
	AuthListenerPort    int
	AuthScopes          string
	RedirectURI         string
	UseSecretManagement bool
	VaultName           Optional
	WriteToSecretVault  bool
	ReadFromSecretVault bool
	SecretPrefix        string
	ParseDateTimes      bool `json:",omitempty"`
}

// Authentication is $Script:NRAPIAuthenticationInformation (docs/module-contract.md).
type Authentication struct {
	Type    string
	Access  string
	Expires time.Time
	Refresh Optional
}

// Optional is a string that is null in JSON when it is empty.
type Optional string

// MarshalJSON writes null for the empty string.
func (o Optional) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

// Scopes returns the connection's scopes one by one.
func (c Connection) Scopes() []string { return strings.Fields(c.AuthScopes) }

// SameApplication tells whether both connections are of one client id on one instance.
func (c Connection) SameApplication(other Connection) bool {
	mine, known := CanonicalInstance(c.Instance)
	theirs, alsoKnown := CanonicalInstance(other.Instance)
	return known && alsoKnown && mine == theirs && c.ClientID == other.ClientID
}

// Renewable tells whether the session can be renewed without anyone to sign in.
func (s Session) Renewable() bool {
	return s.Connection.AuthMode == ModeClientCredentials || s.Authentication.Refresh != ""
}

// MinimumLife is how long an access token must still live to be used without renewing it.
const MinimumLife = 60 * time.Second

// Usable tells whether the access token can still be used at a given time.
func (a Authentication) Usable(now time.Time) bool {
	return a.Access != "" && a.Expires.Sub(now) > MinimumLife
}
