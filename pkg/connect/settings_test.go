package connect

import (
	"encoding/json"
	"strings"
	"testing"

	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/session"
)

// planned is the session that a call asks for, given as the JSON of its parameters beyond those that name the application.
// present are the settings of the session that it renews, if any.
func planned(t *testing.T, more string, present *session.Connection) session.Connection {
	t.Helper()
	all := map[string]json.RawMessage{"Instance": json.RawMessage(`"eu"`), "ClientId": json.RawMessage(`"id"`), "ClientSecret": json.RawMessage(`"secret"`)}
	if err := json.Unmarshal([]byte(more), &all); err != nil {
		t.Fatal(err)
	}
	var arguments []paramsets.Argument
	for name, value := range all {
		arguments = append(arguments, paramsets.Argument{Name: name, Value: value})
	}
	v, err := paramsets.Bind(arguments)
	if err != nil {
		t.Fatal(err)
	}
	mode, _, err := v.Mode()
	if err != nil {
		t.Fatal(err)
	}
	var old *session.Session
	if present != nil {
		old = &session.Session{Connection: *present}
		old.Connection.Instance, old.Connection.ClientID = "eu", "id"
	}
	s, _, _ := plan(v, mode, old)
	return s.Connection
}

func TestPortAndRedirectURL(t *testing.T) {
	for _, test := range []struct {
		given string
		port  int
		uri   string
	}{
		{`{}`, 9090, "http://localhost:9090/"},
		{`{"Port":8080}`, 8080, "http://localhost:8080/"},
		{`{"Port":"8080"}`, 8080, "http://localhost:8080/"},
		{`{"RedirectURL":"http://localhost:7070"}`, 7070, "http://localhost:7070"},
		{`{"RedirectURL":"http://127.0.0.1:7070/cb?x=1"}`, 7070, "http://127.0.0.1:7070/cb?x=1"},
		{`{"RedirectURL":"http://[::1]:7070/"}`, 7070, "http://[::1]:7070/"},
		{`{"RedirectURL":"HTTP://LOCALHOST"}`, 80, "HTTP://LOCALHOST"},
		{`{"RedirectURL":"https://localhost/"}`, 443, "https://localhost/"},
		{`{"RedirectURL":"http://localhost:7070/","Port":8080}`, 8080, "http://localhost:7070/"},
		{`{"RedirectURL":"https://redirect.example.uk:9091/auth"}`, 9090, "https://redirect.example.uk:9091/auth"},
		{`{"RedirectURL":"https://redirect.example.uk/auth","Port":8080}`, 8080, "https://redirect.example.uk/auth"},
		{`{"RedirectURL":null,"Port":null}`, 9090, "http://localhost:9090/"},
	} {
		call := `{"UseWebAuth":true,` + strings.TrimPrefix(test.given, "{")
		if c := planned(t, strings.Replace(call, ",}", "}", 1), nil); c.AuthListenerPort != test.port || c.RedirectURI != test.uri {
			t.Errorf("%s: port %d, redirect URI %s", test.given, c.AuthListenerPort, c.RedirectURI)
		}
	}
}

// Whether a session is renewed by a refresh token follows from its scopes (docs/module-contract.md, AuthMode).
func TestAuthMode(t *testing.T) {
	for call, want := range map[string]session.Mode{
		`{"UseClientAuth":true}`:                                       session.ModeClientCredentials,
		`{"UseTokenAuth":true}`:                                        session.ModeToken,
		`{"UseWebAuth":true}`:                                          session.ModeToken,
		`{"UseWebAuth":true,"Scopes":"monitoring"}`:                    session.ModeAuthorisationCode,
		`{"UseWebAuth":true,"Scopes":["monitoring","offline_access"]}`: session.ModeToken,
		`{"UseSecretManagement":true,"VaultName":"V","WriteToSecretVault":true,"RefreshToken":"r","SecretPrefix":"P"}`: session.ModeToken,
	} {
		if c := planned(t, call, nil); c.AuthMode != want {
			t.Errorf("%s: %s", call, c.AuthMode)
		}
	}
}

func TestRenewedPortAndRedirectURL(t *testing.T) {
	plain := session.Connection{AuthListenerPort: 8123, RedirectURI: "http://localhost:8123/"}
	forwarded := session.Connection{AuthListenerPort: 8123, RedirectURI: "https://redirect.example.uk/auth"}
	for _, test := range []struct {
		call string
		old  session.Connection
		port int
		uri  string
	}{
		{`{"UseWebAuth":true}`, plain, 8123, "http://localhost:8123/"},
		{`{"UseWebAuth":true}`, forwarded, 8123, "https://redirect.example.uk/auth"},
		{`{"UseWebAuth":true,"Port":7000}`, plain, 7000, "http://localhost:7000/"},
		{`{"UseWebAuth":true,"Port":7000}`, forwarded, 7000, "https://redirect.example.uk/auth"},
		{`{"UseWebAuth":true,"RedirectURL":"http://localhost:7070/x"}`, plain, 7070, "http://localhost:7070/x"},
		{`{"UseWebAuth":true,"RedirectURL":"https://other.example.uk/cb"}`, plain, 8123, "https://other.example.uk/cb"},
		{`{"UseWebAuth":true}`, session.Connection{}, 9090, "http://localhost:9090/"},
	} {
		if got := planned(t, test.call, &test.old); got.AuthListenerPort != test.port || got.RedirectURI != test.uri {
			t.Errorf("%s: port %d, redirect URI %s", test.call, got.AuthListenerPort, got.RedirectURI)
		}
	}
}

func TestRenewedScopes(t *testing.T) {
	for _, test := range []struct {
		call            string
		oldMode         session.Mode
		oldScopes, want string
	}{
		{`{"UseClientAuth":true}`, session.ModeClientCredentials, "a offline_access", "a offline_access"},
		{`{"UseClientAuth":true}`, session.ModeToken, "a offline_access", "a"},
		{`{"UseTokenAuth":true,"RefreshToken":"r"}`, session.ModeToken, "a offline_access", "a offline_access"},
		{`{"UseTokenAuth":true,"RefreshToken":"r"}`, session.ModeClientCredentials, "monitoring", "monitoring"},
		{`{"UseTokenAuth":true,"RefreshToken":"r"}`, session.ModeClientCredentials, "monitoring management control", "monitoring management control offline_access"},
		{`{"UseClientAuth":true,"Scopes":"b"}`, session.ModeToken, "a", "b"},
		{`{"UseClientAuth":true}`, session.ModeClientCredentials, "", "monitoring management control"},
	} {
		old := session.Connection{AuthMode: test.oldMode, AuthScopes: test.oldScopes}
		if got := planned(t, test.call, &old).AuthScopes; got != test.want {
			t.Errorf("%s after %s with %q: %q", test.call, test.oldMode, test.oldScopes, got)
		}
	}
}
