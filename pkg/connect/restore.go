package connect

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// restore is the set Secret Vault Read.
func restore(ctx context.Context, v *paramsets.Values, caller Caller) (session.Session, error) {
	name := vault.Name{Vault: v.VaultName, Prefix: v.SecretPrefix}
	if name.Prefix == "" {
		name.Prefix = session.DefaultSecretPrefix
	}
	s, err := Restore(ctx, name, caller)
	if err != nil {
		return s, err
	}
	s.Connection.UseSecretManagement, s.Connection.ReadFromSecretVault = true, true
	s.Connection.VaultName, s.Connection.SecretPrefix = session.Optional(name.Vault), name.Prefix
	if v.Given("WriteToSecretVault") {
		s.Connection.WriteToSecretVault = v.WriteToSecretVault
	}
	if v.Given("ParseDateTimes") {
		s.Connection.ParseDateTimes = v.ParseDateTimes
	}
	return s, nil
}

// Restore returns the session stored under a name. One whose access token has run out is renewed and stored again, as
// the stored refresh token is then dead.
func Restore(ctx context.Context, name vault.Name, caller Caller) (session.Session, error) {
	store, s, err := vault.Find(ctx, name, caller.Vaults, caller.Sink)
	if err != nil || s.Authentication.Usable(time.Now()) {
		return s, err
	}
	waited, err := store.Await(ctx)
	if err != nil {
		return session.Session{}, err
	}
	if waited {
		if s, err = store.Load(ctx); err == nil && s.Authentication.Usable(time.Now()) {
			return s, nil
		}
	}
	unlock, err := store.Lock(ctx)
	if err != nil {
		return session.Session{}, err
	}
	defer unlock()
	if s, err = store.Load(ctx); err != nil || s.Authentication.Usable(time.Now()) {
		return s, err
	}
	if !caller.KeepsTokens {
		// Nobody else would have the new refresh token: find out now whether it can be stored.
		if err := store.Save(ctx, s); err != nil {
			return session.Session{}, err
		}
	}
	renewed, err := renewStored(ctx, store, s, caller.Sink)
	if failure.HasID(err, "InvalidRefreshToken") {
		newer, changed := changedByAnother(ctx, store, s)
		switch {
		case !changed:
		case newer.Authentication.Usable(time.Now()):
			return newer, nil
		default:
			s = newer
			renewed, err = renewStored(ctx, store, s, caller.Sink)
		}
	}
	if failure.HasID(err, "InvalidRefreshToken") {
		failure.From(err).Recommendation = signInAnew(s.Connection)
	}
	if err != nil {
		return session.Session{}, err
	}
	s.Authentication = renewed
	if err := store.Save(context.WithoutCancel(ctx), s); err != nil {
		caller.warnNotStored(store, err)
	}
	return s, nil
}

// changedByAnother reads once more what NinjaOne did not accept: a writer that this process's lock did not keep out may
// have stored a newer session.
func changedByAnother(ctx context.Context, store vault.Store, tried session.Session) (newer session.Session, changed bool) {
	newer, err := store.Load(ctx)
	return newer, err == nil && newer.Authentication.Refresh != tried.Authentication.Refresh
}

// renewStored renews a session by its AuthMode.
func renewStored(ctx context.Context, store vault.Store, s session.Session, sink report.Sink) (session.Authentication, error) {
	report.Verbosef(sink, "The access token in %s has run out: renewing it.", store)
	switch {
	case s.Connection.AuthMode == session.ModeClientCredentials:
		return client(s.Connection, sink).ClientCredentials(ctx, s.Connection.Scopes())
	case s.Authentication.Refresh != "":
		return client(s.Connection, sink).Refresh(ctx, string(s.Authentication.Refresh), nil, nil)
	}
	return session.Authentication{}, &failure.Error{
		ID: "SignInRequired", Category: failure.AuthenticationError, Target: store.String(),
		Message:        fmt.Sprintf("The session in %s has run out and holds no refresh token to renew it with.", store),
		Recommendation: signInAnew(s.Connection),
	}
}

func signInAnew(c session.Connection) string {
	prefix := ""
	if c.SecretPrefix != session.DefaultSecretPrefix {
		prefix = " -SecretPrefix " + quoted(c.SecretPrefix)
	}
	return fmt.Sprintf("Sign in anew: Connect-NinjaOne -UseSecretManagement -WriteToSecretVault -VaultName %s%s -Instance %s -ClientId %s -ClientSecret … -UseWebAuth",
		quoted(string(c.VaultName)), prefix, quoted(c.Instance), quoted(c.ClientID))
}

// quoted is a text as PowerShell writes it.
func quoted(text string) string { return "'" + quotes.Replace(text) + "'" }

// quotes doubles what PowerShell takes for a single quote.
var quotes = strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛")
