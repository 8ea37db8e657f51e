package tests

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

func TestExample1ClientCredentials(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.Demo())
	o := m.connect(asClient(app))
	equal(t, "set", o.ParameterSet, "Client Credentials")
	equal(t, "connection", o.Connection, session.Connection{
		AuthMode: "Client Credentials", URL: "https://eu.ninjarmm.com", Instance: "eu", ClientID: app.ClientID, ClientSecret: app.ClientSecret,
		AuthListenerPort: 9090, AuthScopes: "monitoring management control", RedirectURI: "http://localhost:9090/", SecretPrefix: "NinjaOne",
	})
	m.hasFreshTokens(o)
	if o.Authentication.Refresh != "" {
		t.Errorf("a refresh token without a user: %+v", o.Authentication)
	}
}

func TestExample3RefreshToken(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.Demo())
	o := m.connect(asToken(app))
	if o.ParameterSet != "Token Authentication" || o.Connection.AuthMode != "Token Authentication" ||
		o.Connection.AuthScopes != "monitoring management control offline_access" {
		t.Errorf("connection: %+v", o.Connection)
	}
	m.hasFreshTokens(o)
	if refresh := string(o.Authentication.Refresh); refresh == app.RefreshToken || !m.service.IsValidRefresh(refresh) {
		t.Error("the rotated refresh token did not come back")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	const most = "monitoring management control"
	for _, test := range []struct {
		name       string
		with       parameters
		sent, kept string
	}{
		{"default for client credentials", parameters{"UseClientAuth": true}, most, most},
		{"default for a refresh token", parameters{"UseTokenAuth": true}, "", most + " offline_access"},
		{"one", parameters{"UseClientAuth": true, "Scopes": "monitoring"}, "monitoring", "monitoring"},
		{"several in a string", parameters{"UseClientAuth": true, "Scopes": " control  monitoring control"}, "control monitoring", "control monitoring"},
		{"an array", parameters{"UseTokenAuth": true, "Scopes": []string{"monitoring control", "management"}},
			"monitoring control management", "monitoring control management"},
		{"an empty array", parameters{"UseClientAuth": true, "Scopes": []string{}}, most, most},
		{"null", parameters{"UseClientAuth": true, "Scopes": nil}, most, most},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			if test.with["UseTokenAuth"] == true {
				test.with["RefreshToken"] = app.RefreshToken
			}
			o := m.connect(of(app, test.with))
			equal(t, "sent and kept", []string{m.tokenRequests()[0].Scope, o.Connection.AuthScopes}, []string{test.sent, test.kept})
		})
	}
}

func TestOtherScopesThanAskedFor(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.App{GrantedScopes: []string{"monitoring"}})
	want := "NinjaOne granted the scopes 'monitoring' instead of 'monitoring control'."
	with := of(app, parameters{"UseClientAuth": true, "Scopes": "monitoring control"})
	if o := m.connect(with); o.said("warning") != want || len(o.Warnings) > 0 {
		t.Errorf("warning: %q, in the answer: %q", o.said("warning"), o.Warnings)
	}
	if o := m.call(request{Parameters: with}); !slices.Equal(o.Warnings, []string{want}) || len(o.messages) > 0 {
		t.Errorf("without a caller, before the answer: %v, warnings: %q", o.messages, o.Warnings)
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for given, host := range map[string]string{
		"eu": "eu", "oc": "oc", "us": "app", "ca": "ca", "us2": "us2", "fed": "fed", "EU": "eu", "Us": "app", "US2": "us2",
	} {
		app := m.app(standin.App{Instance: strings.ToLower(given)})
		o := m.connect(of(app, parameters{"Instance": given, "USECLIENTAUTH": true}))
		if o.Connection.URL != "https://"+host+".ninjarmm.com" || o.Connection.Instance != given {
			t.Errorf("%s: %+v", given, o.Connection)
		}
	}
}

func TestParametersOfNewerAndOlderScripts(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.App{})
	o := m.connect(of(app, parameters{"UseClientAuth": map[string]bool{"IsPresent": true}, "ParseDateTimes": true, "ShowTokens": nil}))
	if !o.Connection.ParseDateTimes {
		t.Errorf("connection: %+v", o.Connection)
	}
	m.fails(of(app, parameters{"UseClientAuth": false}), "ParameterArgumentValidationError", "-UseClientAuth is $false")
	m.fails(parameters{"ReadFromSecretVault": true, "UseSecretManagement": true}, "MissingMandatoryParameter", "VaultName")
	m.fails(of(app, parameters{"UseTokenAuth": true}), "RefreshTokenMissing", "-UseWebAuth")
}

func TestTokenWithoutExpiry(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.App{})
	m.fault(standin.Fault{Kind: standin.Respond, Status: 200, Body: `{"access_token":"opaque-access-token","token_type":"bearer"}`})
	m.secrets = append(m.secrets, "opaque-access-token")
	o := m.connect(of(app, parameters{"UseClientAuth": true}))
	if left := time.Until(o.Authentication.Expires); o.Authentication.Type != "Bearer" || left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("authentication: %+v", o.Authentication)
	}
}

func TestRefreshTokenThatDoesNotRotate(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.App{KeepRefreshToken: true, RefreshToken: "lasting-refresh-token"})
	o := m.connect(asToken(app))
	if string(o.Authentication.Refresh) != app.RefreshToken {
		t.Error("the refresh token was not kept")
	}
}
