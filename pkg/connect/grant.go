package connect

import (
	"context"
	"fmt"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/flows"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// grant is one way to obtain tokens.
type grant struct {
	Caller
	mode session.Mode
	// scopes are asked for in a refresh; without any, expected are those that the refresh token is expected to have.
	scopes, expected []string
	// again says that the scopes are those of an earlier sign-in, which has warned of what it was not granted.
	again bool
	// stored says that the session goes to a vault.
	stored bool
}

// obtain returns the session with new tokens, and with the mode in which these can be renewed. For the failure InvalidResponse
// of a session that is stored, it may hold a new refresh token alone.
func (g grant) obtain(ctx context.Context, s session.Session) (session.Session, error) {
	c := s.Connection
	client := flows.NewClient(flows.Application{
		Instance: c.Instance, BaseURL: c.URL, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
	}, g.Sink)
	client.Keeps, client.Again = g.stored, g.again
	var err error
	switch g.mode {
	case session.ModeClientCredentials:
		s.Authentication, err = client.ClientCredentials(ctx, c.Scopes())
	case session.ModeToken:
		if s.Authentication.Refresh == "" {
			return s, noRefreshToken()
		}
		s.Authentication, err = client.Refresh(ctx, string(s.Authentication.Refresh), g.scopes, g.expected)
	case session.ModeAuthorisationCode:
		s.Authentication, err = client.AuthorizationCode(ctx, flows.AuthorizationCode{
			Scopes: c.Scopes(), RedirectURI: c.RedirectURI, Port: c.AuthListenerPort, SignsIn: g.SignsIn, SeesMessages: g.SeesMessages,
		})
		if err == nil && s.Authentication.Refresh == "" && c.AuthMode == session.ModeToken {
			s.Connection.AuthMode = session.ModeAuthorisationCode
			report.Warningf(g.Sink, "NinjaOne gave no refresh token although offline_access was asked for: the session ends with its access token. "+
				"Allow the grant type 'Refresh Token' for the application under Administration > Apps > API in NinjaOne.")
		}
	}
	return s, err
}

func noRefreshToken() *failure.Error {
	return &failure.Error{
		ID: failure.RefreshTokenMissing, Target: "RefreshToken",
		Message:        "There is no refresh token to sign in with: -RefreshToken was not given, and there is no session of this application to renew.",
		Recommendation: "Add -RefreshToken. Connect-NinjaOne -UseWebAuth … -ShowTokens shows one (with the scope offline_access).",
	}
}

// storedMode is how a stored session is renewed without anyone to sign in.
func storedMode(s session.Session, store vault.Store) (session.Mode, error) {
	switch {
	case s.Connection.AuthMode == session.ModeClientCredentials:
		return session.ModeClientCredentials, nil
	case s.Authentication.Refresh != "":
		return session.ModeToken, nil
	}
	return "", &failure.Error{
		ID: failure.SignInRequired, Target: store.String(),
		Message:        fmt.Sprintf("The session in %s has run out and holds no refresh token to renew it with.", store),
		Recommendation: signInAgain(s.Connection),
	}
}
