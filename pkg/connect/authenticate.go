package connect

import (
	"context"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/flows"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// authenticate follows the flow.
func (c *call) authenticate(ctx context.Context) (session.Authentication, error) {
	switch c.flow {
	case paramsets.ClientCredentials:
		return c.flows.ClientCredentials(ctx, c.target.Connection.Scopes())
	case paramsets.TokenAuthentication:
		token := c.refreshToken()
		if token == "" {
			return session.Authentication{}, noRefreshToken()
		}
		var expected []string
		if c.present == nil && len(c.values.Scopes) == 0 {
			expected = c.target.Connection.Scopes()
		}
		return c.flows.Refresh(ctx, token, c.values.Scopes, expected)
	}
	authentication, err := c.flows.AuthorizationCode(ctx, flows.AuthorizationCode{
		Scopes: c.target.Connection.Scopes(), RedirectURI: c.target.Connection.RedirectURI,
		Port: c.target.Connection.AuthListenerPort, Interactive: c.Interactive, Unseen: c.Unseen,
	})
	if err == nil && authentication.Refresh == "" && c.target.Connection.AuthMode == session.ModeToken {
		c.target.Connection.AuthMode = session.ModeAuthorisationCode
		report.Warningf(c.Sink, "NinjaOne gave no refresh token although offline_access was asked for: the session ends with its access token. "+
			"Allow the grant type 'Refresh Token' for the application under Administration > Apps > API in NinjaOne.")
	}
	return authentication, err
}

// refreshToken is the one given, else that of the session to renew.
func (c *call) refreshToken() string {
	if c.values.RefreshToken != "" || c.present == nil {
		return c.values.RefreshToken
	}
	return string(c.present.Authentication.Refresh)
}

func noRefreshToken() *failure.Error {
	return &failure.Error{
		ID: "RefreshTokenMissing", Category: failure.InvalidArgument, Target: "RefreshToken",
		Message:        "There is no refresh token to sign in with: -RefreshToken was not given, and there is no session of this application to renew.",
		Recommendation: "Add -RefreshToken. Connect-NinjaOne -UseWebAuth … -ShowTokens shows one (with the scope offline_access).",
	}
}

// renewedByAnother takes over what another process has stored since the session to renew was read, and tells whether
// that makes a renewal needless.
func (c *call) renewedByAnother(ctx context.Context) (bool, error) {
	if c.present == nil || c.values.RefreshToken != "" && c.values.RefreshToken != string(c.present.Authentication.Refresh) {
		return false, nil
	}
	stored, ok, err := c.stored(ctx)
	if !ok || !stored.Authentication.Expires.After(c.present.Authentication.Expires) || !sameGrant(stored.Connection, c.target.Connection) {
		return false, err
	}
	if stored.Authentication.Usable(time.Now()) {
		report.Verbosef(c.Sink, "Another process has renewed the session in %s: using it.", c.store)
		c.target.Authentication = stored.Authentication
		return true, nil
	}
	if stored.Authentication.Refresh != "" {
		c.values.RefreshToken = string(stored.Authentication.Refresh)
	}
	return false, nil
}

// sameGrant tells whether a token of one connection is what the other asks for.
func sameGrant(a, b session.Connection) bool {
	return a.AuthMode == b.AuthMode && a.AuthScopes == b.AuthScopes && a.ClientSecret == b.ClientSecret
}

// retryWithStored is for a refresh token that NinjaOne does not accept: it tells whether the vault holds another.
func (c *call) retryWithStored(ctx context.Context) bool {
	stored, ok, _ := c.stored(ctx)
	token := string(stored.Authentication.Refresh)
	if !ok || token == "" || token == c.refreshToken() {
		return false
	}
	report.Verbosef(c.Sink, "The refresh token is out of date: trying the one in %s.", c.store)
	c.values.RefreshToken = token
	return true
}

// stored is what the vault now holds, if it is of the same application. That it holds nothing of use is no error.
func (c *call) stored(ctx context.Context) (s session.Session, ok bool, err error) {
	s, err = c.store.Load(ctx)
	if failure.HasID(err, "SessionNotStored", "VaultDataInvalid") {
		report.Debugf(c.Sink, "Nothing to take over from %s: %s", c.store, failure.From(err).Message)
		return s, false, nil
	}
	return s, err == nil && s.Connection.SameApplication(c.target.Connection), err
}
