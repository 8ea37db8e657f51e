// Package connect carries out one Connect-NinjaOne: parameter set, session to renew, flow, vault, session.
package connect

import (
	"context"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/flows"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// Caller is who wants a session.
type Caller struct {
	Sink        report.Sink
	Vaults      vault.Asker // nil: has none
	Interactive bool        // someone is there to sign in
	Unseen      bool        // nobody sees what Sink gets
	KeepsTokens bool        // in $Script:NRAPIAuthenticationInformation; else only the access token is of use to it
}

// Connect carries out a call and returns the parameter set that it meant and the session. present is the caller's
// session, or nil. Every error is a *failure.Error; the vault is then as it was.
func Connect(ctx context.Context, arguments []paramsets.Argument, present *session.Session, caller Caller) (string, session.Session, error) {
	v, err := paramsets.Bind(arguments)
	if err != nil {
		return "", session.Session{}, failure.From(err)
	}
	var s session.Session
	if v.ParameterSet == paramsets.SecretVaultRead {
		s, err = restore(ctx, v, caller)
	} else {
		s, err = signIn(ctx, v, present, caller)
	}
	if err != nil {
		return "", session.Session{}, failure.From(err)
	}
	return v.ParameterSet, s, nil
}

// signIn follows the call's flow, and stores the session if the call or the renewed session says so.
func signIn(ctx context.Context, v *paramsets.Values, present *session.Session, caller Caller) (session.Session, error) {
	flow, ignored, err := v.Flow()
	if err != nil {
		return session.Session{}, err
	}
	if len(ignored) > 0 {
		report.Warningf(caller.Sink, "Several flows were asked for: the '%s' flow is followed, and -%s ignored.", flow, strings.Join(ignored, " and -"))
	}
	c := call{Caller: caller, values: v, flow: flow, target: session.Session{Connection: connection(v, flow)}}
	if present != nil && present.Connection.SameApplication(c.target.Connection) {
		c.renew(present)
	}
	c.flows = client(c.target.Connection, caller.Sink)
	if err := c.openVault(ctx); err != nil {
		return session.Session{}, err
	}
	if c.store == nil {
		c.target.Authentication, err = c.authenticate(ctx)
		return c.target, err
	}
	if flow == paramsets.AuthorisationCode {
		return c.signInThenStore(ctx)
	}
	return c.storeUnderLock(ctx)
}

// call is one call on its way to a session.
type call struct {
	Caller
	values  *paramsets.Values
	flow    string
	target  session.Session
	present *session.Session // the session that is renewed, nil for a new connection
	flows   *flows.Client
	store   vault.Store // nil: the session is not stored
}

func client(c session.Connection, sink report.Sink) *flows.Client {
	return flows.NewClient(flows.Application{
		Instance: c.Instance, BaseURL: c.URL, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
	}, sink)
}

// openVault finds out before the sign-in whether and where the session can be stored.
func (c *call) openVault(ctx context.Context) error {
	settings := c.target.Connection
	writes := settings.WriteToSecretVault || c.present != nil && settings.ReadFromSecretVault
	switch {
	case !settings.UseSecretManagement && settings.WriteToSecretVault:
		report.Warningf(c.Sink, "Nothing is stored: -WriteToSecretVault has no effect without -UseSecretManagement.")
		return nil
	case !settings.UseSecretManagement || !writes:
		return nil
	case settings.VaultName == "":
		return noVaultName()
	}
	name := vault.Name{Vault: string(settings.VaultName), Prefix: settings.SecretPrefix}
	store, err := vault.ForWriting(ctx, name, c.Vaults, c.Sink)
	if err != nil && ctx.Err() == nil && c.present != nil && c.flow == paramsets.ClientCredentials && !c.values.Given("WriteToSecretVault") {
		failed := failure.From(err)
		report.Warningf(c.Sink, "The session is renewed without being stored. %s %s", failed.Message, failed.Recommendation)
		return nil
	}
	c.store = store
	return err
}

func noVaultName() *failure.Error {
	return &failure.Error{
		ID: "MissingMandatoryParameter", Category: failure.InvalidArgument, Target: "VaultName",
		Message:        "Cannot process command because of one or more missing mandatory parameters: VaultName. -WriteToSecretVault needs the name of a vault.",
		Recommendation: "Add -VaultName with the name of a SecretManagement vault (Get-SecretVault lists them), or any name for the operating system's keyring.",
	}
}

// signInThenStore takes the lock only after the sign-in, as that takes a person's time.
func (c *call) signInThenStore(ctx context.Context) (session.Session, error) {
	var err error
	if c.target.Authentication, err = c.authenticate(ctx); err != nil {
		return session.Session{}, err
	}
	unlock, err := c.store.Lock(ctx)
	if err != nil {
		c.warnNotStored(err)
		return c.target, nil
	}
	defer unlock()
	c.save(ctx)
	return c.target, nil
}

// storeUnderLock holds the lock over reading, renewing and writing, so that a rotated refresh token is never used twice.
func (c *call) storeUnderLock(ctx context.Context) (session.Session, error) {
	waited, err := c.store.Await(ctx)
	if err != nil {
		return session.Session{}, err
	}
	if waited {
		if renewed, err := c.renewedByAnother(ctx); renewed || err != nil {
			return c.target, err
		}
	}
	unlock, err := c.store.Lock(ctx)
	if err != nil {
		return session.Session{}, err
	}
	defer unlock()
	if renewed, err := c.renewedByAnother(ctx); renewed || err != nil {
		return c.target, err
	}
	c.target.Authentication, err = c.authenticate(ctx)
	if failure.HasID(err, "InvalidRefreshToken") && c.retryWithStored(ctx) {
		c.target.Authentication, err = c.authenticate(ctx)
	}
	if failure.HasID(err, "InvalidRefreshToken") {
		failure.From(err).Recommendation = signInAnew(c.target.Connection)
	}
	if err != nil {
		return session.Session{}, err
	}
	c.save(ctx)
	return c.target, nil
}

// save stores the session whatever happens to the caller. What can't be stored is not lost: the caller gets it. How the
// caller came by the session that it renews is not the vault's matter.
func (c *call) save(ctx context.Context) {
	s := c.target
	s.Connection.ReadFromSecretVault = false
	if err := c.store.Save(context.WithoutCancel(ctx), s); err != nil {
		c.warnNotStored(err)
	}
}

func (c *call) warnNotStored(err error) { c.Caller.warnNotStored(c.store, err) }

func (c Caller) warnNotStored(store vault.Store, err error) {
	left := "The new token is in $Script:NRAPIAuthenticationInformation only."
	if !c.KeepsTokens {
		left = "A refresh token that was used up for this access token is lost."
	}
	failed := failure.From(err)
	report.Warningf(c.Sink, "The session is signed in but was not stored in %s. %s %s %s", store, failed.Message, left, failed.Recommendation)
}
