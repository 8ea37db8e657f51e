package tests

import (
	"testing"
	"time"

	"ninjaone-auth/tests/standin"
)

func TestExample1ClientCredentials(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.Demo())
	o := m.connect(of(app, parameters{"UseClientAuth": true}))
	if o.ParameterSet != "Client Credentials" || o.Connection.AuthMode != "Client Credentials" ||
		o.Connection.URL != "https://eu.ninjarmm.com" || o.Connection.AuthScopes != "monitoring management control" ||
		o.Connection.RedirectURI != "http://localhost:9090/" || o.Connection.AuthListenerPort != 9090 ||
		o.Connection.SecretPrefix != "NinjaOne" || o.Connection.ClientSecret != app.ClientSecret {
		t.Errorf("connection: %+v", o.Connection)
	}
	if left := time.Until(o.Authentication.Expires); o.Authentication.Type != "Bearer" || o.Authentication.Refresh != "" ||
		left < 59*time.Minute || left > time.Hour || !m.service.IsValidAccess(o.Authentication.Access) {
		t.Errorf("authentication: %+v", o.Authentication)
	}
}
