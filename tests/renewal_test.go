package tests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

// presentSession is what a caller's variables hold of an earlier sign-in with settings of its own.
func presentSession(app standin.App) *session.Session {
	return &session.Session{
		Connection: session.Connection{
			AuthMode: "Token Authentication", URL: app.BaseURL(), Instance: app.Instance, ClientID: app.ClientID, ClientSecret: app.ClientSecret,
			AuthListenerPort: 8123, AuthScopes: "monitoring offline_access", RedirectURI: "http://localhost:8123/callback",
			UseSecretManagement: true, VaultName: vaultName, WriteToSecretVault: true, SecretPrefix: "Work", ParseDateTimes: true,
		},
		Authentication: session.Authentication{
			Type: "Bearer", Access: "old-access-token", Expires: time.Now().Add(-time.Hour), Refresh: session.Optional(app.RefreshToken),
		},
	}
}

func callerWithVault() *caller {
	return &caller{Streams: allStreams, Vaults: true, secrets: newSecretManagement(vaultName)}
}

// What a session keeps without effect, or was not granted, is a warning where it is given, and later a word for those who ask.
func TestKeptSettingsAreNoNews(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{GrantedScopes: []string{"monitoring"}})
	given := of(app, parameters{"UseClientAuth": true, "Scopes": "monitoring control", "WriteToSecretVault": true})
	who := func() *caller { return &caller{Streams: allStreams} }
	first := m.call(request{Parameters: given, Caller: who()}).succeeded(t)
	contains(t, "the warnings", first.said("warning"), "-WriteToSecretVault has no effect without -UseSecretManagement. Add that", "granted the scopes 'monitoring'")
	renewed := m.call(request{Parameters: asClient(app), Session: &first.Session, Caller: who()}).succeeded(t)
	if warned := renewed.said("warning"); warned != "" {
		t.Errorf("a renewal warns again: %s", warned)
	}
	contains(t, "the verbose stream", renewed.said("verbose"), "Kept from the present session: -Scopes, -WriteToSecretVault.", "granted the scopes 'monitoring'")
	equal(t, "kept", renewed.Connection.AuthScopes, "monitoring control")
}

// The two calls of the module's Update-NinjaOneToken: what they do not say, they keep.
func TestTheModulesRenewals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call   func(standin.App) parameters
		mode   session.Mode
		scopes string
		sent   string
	}{
		"-UseTokenAuth":  {asToken, "Token Authentication", "monitoring offline_access", ""},
		"-UseClientAuth": {asClient, "Client Credentials", "monitoring", "monitoring"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token", RefuseOfflineAccess: true})
			present, who, call := presentSession(app), callerWithVault(), test.call(app)
			call["ShowTokens"] = nil
			o := m.call(request{Parameters: call, Session: present, Caller: who})
			want := present.Connection
			want.AuthMode, want.AuthScopes = test.mode, test.scopes
			equal(t, "connection", o.succeeded(t).Connection, want)
			m.hasFreshTokens(o)
			equal(t, "scopes asked for", m.tokenRequests()[0].Scope, test.sent)
			stored := who.secrets.vaults[vaultName]
			if test.mode != present.Connection.AuthMode {
				// A sign-in in another flow is nobody's renewal.
				if len(stored) > 0 || !strings.Contains(o.said("warning"), "not stored") {
					t.Errorf("stored %d secrets, warned %q", len(stored), o.said("warning"))
				}
			} else if stored["WorkAccess"] != o.Authentication.Access || stored["WorkRefresh"] != string(o.Authentication.Refresh) {
				t.Error("the vault that the session came from does not hold the new tokens")
			}
		})
	}
}

func TestNewSettingsInARenewal(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	with := asClient(app)
	with["Scopes"], with["WriteToSecretVault"], with["ParseDateTimes"], with["Instance"] = "control", false, false, "EU"
	who := callerWithVault()
	present := presentSession(app)
	want := present.Connection
	want.AuthMode, want.AuthScopes, want.WriteToSecretVault, want.ParseDateTimes, want.Instance = "Client Credentials", "control", false, false, "EU"
	equal(t, "connection", m.call(request{Parameters: with, Session: present, Caller: who}).succeeded(t).Connection, want)
	if read, written := who.secrets.counted(); written > 0 {
		t.Errorf("%d secrets read, %d written", read, written)
	}
}

// Another application's session passes nothing on, least of all its refresh token.
func TestSessionOfAnotherApplication(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	elsewhere := m.app(standin.App{Instance: "oc"})
	for _, change := range []func(*session.Connection){
		func(c *session.Connection) { c.Instance = "oc" },
		func(c *session.Connection) { c.ClientID = elsewhere.ClientID },
		func(c *session.Connection) { c.ClientID = strings.ToUpper(c.ClientID) + "x" },
		func(c *session.Connection) { c.Instance = "" },
	} {
		present, who := presentSession(app), callerWithVault()
		change(&present.Connection)
		o := m.call(request{Parameters: asClient(app), Session: present, Caller: who}).succeeded(t)
		equal(t, "connection", o.Connection, m.connect(asClient(app)).Connection)
		m.call(request{Parameters: of(app, parameters{"UseTokenAuth": true}), Session: present, Caller: who}).hasFailed(t, "RefreshTokenMissing")
	}
	if !m.service.IsValidRefresh(app.RefreshToken) {
		t.Error("the refresh token was used")
	}
}

func TestRenewalWithTheSessionsOwnRefreshToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{Instance: "us", RefreshToken: "first-refresh-token"})
	present := presentSession(app)
	present.Connection.Instance = "app" // another name of us in stored connections
	present.Connection.UseSecretManagement = false
	present.Connection.WriteToSecretVault = false
	o := m.call(request{Parameters: of(app, parameters{"UseTokenAuth": true}), Session: present, Caller: callerWithVault()})
	if o.status != 0 || o.Connection.RedirectURI != "http://localhost:8123/callback" || o.Connection.URL != "https://app.ninjarmm.com" {
		t.Errorf("%s: %+v", o.Message, o.Connection)
	}
	m.hasFreshTokens(o)
}

// A session as PowerShell may write it: switches as objects, a date in the writer's culture, null for what is not set.
func TestSessionsAsCallersWriteThem(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{})
	call, err := json.Marshal(asClient(app))
	if err != nil {
		t.Fatal(err)
	}
	of := `"Instance":"eu","ClientId":"` + app.ClientID + `"`
	for name, test := range map[string]struct{ session, scopes string }{
		"switches as objects": {`{"connection":{` + of + `,"AuthScopes":"control","UseSecretManagement":{"IsPresent":false},"ParseDateTimes":{"IsPresent":true},"VaultName":null},
			"authentication":{"Access":"a","Expires":"2026-11-24T08:00:00Z","Refresh":null}}`, "control"},
		"a date of another culture":   {`{"connection":{` + of + `,"AuthScopes":"control"},"authentication":{"Expires":"24.11.2026 08:00:00"}}`, "control"},
		"a date as a number":          {`{"connection":{` + of + `,"AuthScopes":"control"},"authentication":{"Expires":1795500000}}`, "control"},
		"texts as vaults hold them":   {`{"connection":{` + of + `,"AuthScopes":["control"],"AuthListenerPort":"9090","UseSecretManagement":"False","WriteToSecretVault":0},"authentication":null}`, "control"},
		"no authentication":           {`{"connection":{` + of + `,"AuthScopes":"control"},"authentication":null}`, "control"},
		"unknown fields":              {`{"connection":{` + of + `,"AuthScopes":"control","More":{"a":[1]}},"also":1}`, "control"},
		"nothing but the application": {`{"connection":{` + of + `}}`, "monitoring management control"},
		"no connection":               {`{"connection":null,"authentication":{"Access":"a"}}`, "monitoring management control"},
		"null":                        {`null`, "monitoring management control"},
		"empty":                       {`{}`, "monitoring management control"},
	} {
		c := m.answerTo(`{"parameters":` + string(call) + `,"session":` + strings.ReplaceAll(test.session, "\n", "") + `}`).succeeded(t).Connection
		if c.AuthScopes != test.scopes || c.AuthListenerPort != 9090 || c.RedirectURI != "http://localhost:9090/" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// One of another client may be as odd as it likes.
	m.answerTo(`{"parameters":` + string(call) + `,"session":{"connection":{"Instance":"eu","ClientId":"other","ClientSecret":{"Length":3},"SecretPrefix":7}}}`).succeeded(t)
	m.answerTo(`{"parameters":`+string(call)+`,"session":{"connection":{`+of+`,"ClientSecret":{"Length":3}}}}`).hasFailed(t, "MalformedRequest")
	if !slices.ContainsFunc(m.tokenRequests(), func(r standin.Request) bool { return r.Scope == "control" }) {
		t.Error("no renewal asked for the kept scopes")
	}
}
