// Package connect carries out one Connect-NinjaOne. docs/architecture.md draws the road.
package connect

import (
	"context"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// Caller is who wants a session.
type Caller struct {
	Sink         report.Sink
	Vaults       vault.Asker // nil: it has none
	SeesMessages bool        // someone sees what Sink gets
	SignsIn      bool        // someone is there to sign in
	KeepsTokens  bool        // in $Script:NRAPIAuthenticationInformation; else only the access token is of use to it
}

// Connect carries out a call and returns the parameter set that it meant and the session. present is the caller's
// session, or nil. Every error is a *failure.Error; the vault is then as it was, unless a refresh token came beside an access
// token that can't be used.
func Connect(ctx context.Context, arguments []paramsets.Argument, present *session.Session, caller Caller) (parameterSet string, s session.Session, err error) {
	v, err := paramsets.Bind(arguments)
	switch {
	case err != nil:
	case v.ParameterSet == paramsets.SecretVaultRead:
		s, err = read(ctx, v, caller)
	default:
		s, err = signIn(ctx, v, present, caller)
	}
	if err != nil {
		return "", session.Session{}, failure.From(err)
	}
	return v.ParameterSet, s, nil
}

// read is the set Secret Vault Read.
func read(ctx context.Context, v *paramsets.Values, caller Caller) (session.Session, error) {
	name := vault.NewName(v.VaultName, v.SecretPrefix)
	s, err := Restore(ctx, name, caller)
	if err == nil {
		s.Connection = readSettings(v, name, s.Connection)
	}
	return s, err
}

// Restore returns the session stored under a name. One whose access token has run out is renewed. Renewing invalidates the
// stored refresh token, so the result is saved.
func Restore(ctx context.Context, name vault.Name, caller Caller) (session.Session, error) {
	store, s, err := vault.Find(ctx, name, caller.Vaults, caller.Sink)
	if err != nil || s.Authentication.Usable(time.Now()) {
		return s, err
	}
	r := renewal{grant: grant{Caller: caller, again: true}, store: store, session: s, whole: true, newer: func(session.Session) bool { return true }}
	return r.run(ctx)
}

// signIn obtains a session in the call's mode, and stores it if the call, or the session that it renews, says so.
func signIn(ctx context.Context, v *paramsets.Values, present *session.Session, caller Caller) (session.Session, error) {
	mode, ignored, err := v.Mode()
	if err != nil {
		return session.Session{}, err
	}
	if len(ignored) > 0 {
		report.Warningf(caller.Sink, "Several flows were asked for: the '%s' flow is followed. Leave out -%s, which has no effect.", mode, strings.Join(ignored, " and -"))
	}
	s, present, kept := plan(v, mode, present)
	if len(kept) > 0 {
		report.Verbosef(caller.Sink, "Kept from the present session: -%s. Give a parameter to change it.", strings.Join(kept, ", -"))
	}
	g := grant{Caller: caller, mode: mode, scopes: v.Scopes, again: present != nil && len(v.Scopes) == 0}
	if present == nil && len(v.Scopes) == 0 {
		g.expected = s.Connection.Scopes()
	}
	store, err := openVault(ctx, v, s.Connection, present, caller)
	g.stored = store != nil
	switch {
	case err != nil:
		return session.Session{}, err
	case store == nil:
		return g.obtain(ctx, s)
	case mode == session.ModeAuthorisationCode:
		return signInThenStore(ctx, s, store, g)
	}
	r := renewal{grant: g, store: store, session: s}
	if present != nil && s.Authentication.Refresh == present.Authentication.Refresh {
		r.newer = func(stored session.Session) bool {
			return stored.Authentication.Expires.After(present.Authentication.Expires) && sameGrant(stored.Connection, s.Connection)
		}
	}
	return r.run(ctx)
}

// signInThenStore takes the lock only after the sign-in, as that takes a person's time.
func signInThenStore(ctx context.Context, s session.Session, store vault.Store, g grant) (session.Session, error) {
	s, failed := g.obtain(ctx, s)
	if failed != nil && !leavesRefreshToken(s, failed) {
		return session.Session{}, failed
	}
	unlock, err := store.Lock(ctx)
	switch {
	case err != nil && failed == nil:
		g.warnNotStored(store, err)
		return s, nil
	case err != nil:
		return session.Session{}, refreshTokenLost(failed, err)
	}
	defer unlock()
	if failed != nil {
		return session.Session{}, keepRefreshToken(ctx, store, forVault(s), failed)
	}
	g.save(ctx, store, forVault(s))
	return s, nil
}

// run waits, looks, locks, looks again, and renews. The first look lets many waiting processes find out side by side what
// one of them has renewed. A refresh token that NinjaOne refuses is not the end: another machine may have renewed the
// session, so run looks once more.
func (r *renewal) run(ctx context.Context) (session.Session, error) {
	waited, err := r.store.Await(ctx)
	if err != nil {
		return session.Session{}, err
	}
	if waited {
		// What can't be read while others write is read again under the lock.
		if done, err := r.look(ctx, r.newer); done || failure.Is(err, failure.Interrupted) {
			return r.session, err
		}
	}
	unlock, err := r.store.Lock(ctx)
	if err != nil {
		return session.Session{}, err
	}
	defer unlock()
	if done, err := r.look(ctx, r.newer); done || err != nil {
		return r.session, err
	}
	refused := r.session.Authentication.Refresh
	s, err := r.renew(ctx)
	if !failure.Is(err, failure.InvalidRefreshToken) {
		return s, err
	}
	other := func(stored session.Session) bool { return stored.Authentication.Refresh != refused }
	if done, err := r.look(ctx, other); done && err == nil {
		return r.session, nil
	}
	if r.session.Authentication.Refresh != refused {
		report.Verbosef(r.Sink, "The refresh token is out of date: trying the one in %s.", r.store)
		s, err = r.renew(ctx)
	}
	if failure.Is(err, failure.InvalidRefreshToken) {
		err = failure.From(err).With("", signInAgain(r.session.Connection))
	}
	return s, err
}
