package connect

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// renewal gets new tokens, by a grant, for a session that other processes may be renewing at the same time.
type renewal struct {
	grant
	store vault.Store
	// session is what is renewed. If it is the caller's, it has no access token as long as it needs new tokens.
	session session.Session
	// whole says that the stored session counts with its settings, which say by which grant; else only its tokens do.
	whole bool
	// newer tells whether a stored session takes the place of session; nil for a new sign-in, to which at most the stored
	// refresh token is of use, if NinjaOne refuses its own.
	newer func(stored session.Session) bool
}

// look takes over what the store holds by now if that is newer, and tells whether it can be used as it is.
func (r *renewal) look(ctx context.Context, newer func(session.Session) bool) (done bool, err error) {
	if newer == nil {
		return false, nil
	}
	stored, err := r.store.Load(ctx)
	usable := stored.Authentication.Usable(time.Now())
	switch {
	case !r.whole && failure.Is(err, failure.SessionNotStored, failure.VaultDataInvalid, failure.VaultOutOfDate):
		report.Debugf(r.Sink, "There is nothing to take over from %s: %s", r.store, failure.From(err).Message)
		return false, nil
	case err != nil:
		return false, err
	case !newer(stored):
		return false, nil
	case r.whole:
		r.session = stored
	case !stored.Connection.SameApplication(r.session.Connection):
		return false, nil
	case usable && r.newer != nil && sameGrant(stored.Connection, r.session.Connection):
		r.session.Authentication = stored.Authentication
	case stored.Authentication.Refresh != "":
		r.session.Authentication.Refresh = stored.Authentication.Refresh
	}
	if done = r.session.Authentication.Usable(time.Now()); done {
		report.Verbosef(r.Sink, "Another process has renewed the session in %s: using it.", r.store)
	}
	return done, nil
}

// sameGrant tells whether a token of one connection is what the other asks for.
func sameGrant(a, b session.Connection) bool {
	return a.AuthMode == b.AuthMode && a.AuthScopes == b.AuthScopes && a.ClientSecret == b.ClientSecret
}

// renew obtains new tokens and saves them. A refresh token is sent only if it is not known to be spent, and if what comes of
// it can be stored.
func (r *renewal) renew(ctx context.Context) (session.Session, error) {
	g, refreshToken := r.grant, r.session.Authentication.Refresh
	if r.whole {
		report.Verbosef(r.Sink, "The access token in %s has run out: renewing it.", r.store)
		var err error
		if g.mode, err = storedMode(r.session, r.store); err != nil {
			return session.Session{}, err
		}
	}
	spends := g.mode == session.ModeToken && refreshToken != ""
	if spends && r.store.IsSpent(refreshToken) {
		return session.Session{}, spentToken(r.store)
	}
	if spends {
		if err := r.store.Try(ctx); err != nil {
			return session.Session{}, err
		}
	}
	g.stored = true
	s, err := g.obtain(ctx, r.session)
	leaves := leavesRefreshToken(s, err)
	if err != nil && !leaves {
		return session.Session{}, err
	}
	if spends && s.Authentication.Refresh != refreshToken {
		defer r.store.NoteSpent(refreshToken) // once the new one is stored
	}
	stored := s
	if !r.whole {
		stored = forVault(s)
	}
	if leaves {
		return session.Session{}, keepRefreshToken(ctx, r.store, stored, err)
	}
	r.save(ctx, r.store, stored)
	return s, nil
}

func spentToken(store vault.Store) *failure.Error {
	return &failure.Error{
		ID: failure.InvalidRefreshToken, Target: store.String(),
		Message:        fmt.Sprintf("The refresh token was not sent to NinjaOne: this machine has used it up before, and %s holds none that is newer.", store),
		Recommendation: "Sign in again.",
	}
}

func signInAgain(c session.Connection) string {
	return fmt.Sprintf("Sign in again: Connect-NinjaOne -UseSecretManagement -WriteToSecretVault %s -Instance %s -ClientId %s -ClientSecret … -UseWebAuth",
		vaultOf(c), quoted(c.Instance), quoted(c.ClientID))
}

// vaultOf are the parameters that name the session in its vault.
func vaultOf(c session.Connection) string {
	name := "-VaultName " + quoted(string(c.VaultName))
	if c.SecretPrefix != session.DefaultSecretPrefix {
		name += " -SecretPrefix " + quoted(c.SecretPrefix)
	}
	return name
}

// quoted is a text as PowerShell writes it.
func quoted(text string) string { return "'" + quotes.Replace(text) + "'" }

// quotes doubles what PowerShell takes for a single quote.
var quotes = strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛")
