package connect

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// openVault finds out before the sign-in whether and where the session can be stored; a nil store says that it is not.
func openVault(ctx context.Context, v *paramsets.Values, settings session.Connection, present *session.Session, caller Caller) (vault.Store, error) {
	writes := settings.WriteToSecretVault || present != nil && settings.ReadFromSecretVault
	switch {
	case !settings.UseSecretManagement && v.WriteToSecretVault:
		report.Warningf(caller.Sink, "Nothing is stored: -WriteToSecretVault has no effect without -UseSecretManagement. Add that, or leave out -WriteToSecretVault.")
		return nil, nil
	case !settings.UseSecretManagement || !writes:
		return nil, nil
	case settings.VaultName == "":
		return nil, noVaultName()
	}
	isAsked := v.WriteToSecretVault
	store, stored, err := vault.ForWriting(ctx, vault.NewName(string(settings.VaultName), settings.SecretPrefix), caller.Vaults, caller.Sink)
	usesUpNothing := present != nil && settings.AuthMode == session.ModeClientCredentials && !isAsked
	if err != nil && ctx.Err() == nil && usesUpNothing {
		failed := failure.From(err)
		report.Warningf(caller.Sink, "The session is renewed without being stored. %s %s", failed.Message, failed.Recommendation)
		return nil, nil
	}
	if err == nil && present != nil && !isAsked && cmp.Or(stored.Connection.AuthMode, present.Connection.AuthMode) != settings.AuthMode {
		report.Verbosef(caller.Sink, "The session in %s stays as it is: it is of another flow.", store)
		if present.Connection.AuthMode != settings.AuthMode {
			report.Warningf(caller.Sink, "This session is not stored, as the one in %s is of another flow. Add -WriteToSecretVault to put it in its place.", store)
		}
		return nil, nil
	}
	return store, err
}

func noVaultName() *failure.Error {
	return &failure.Error{
		ID: failure.MissingMandatoryParameter, Target: "VaultName",
		Message:        "Cannot process command because of one or more missing mandatory parameters: VaultName. -WriteToSecretVault needs the name of a vault.",
		Recommendation: "Add -VaultName with the name of a SecretManagement vault (Get-SecretVault lists them), or any name for the operating system's keyring.",
	}
}

// forVault is a caller's session as it is stored: how the caller came by it is not the vault's matter.
func forVault(s session.Session) session.Session {
	s.Connection.ReadFromSecretVault = false
	return s
}

// save stores a session whatever happens to the caller. What can't be stored is not lost: the caller gets it.
func (c Caller) save(ctx context.Context, store vault.Store, s session.Session) {
	if err := store.Save(context.WithoutCancel(ctx), s); err != nil {
		c.warnNotStored(store, err)
	}
}

func (c Caller) warnNotStored(store vault.Store, err error) {
	left := "The new token is in $Script:NRAPIAuthenticationInformation only."
	if !c.KeepsTokens {
		left = "A refresh token that was used up for this access token is lost."
	}
	failed := failure.From(err)
	report.Warningf(c.Sink, "The session is signed in but was not stored in %s. %s %s %s", store, failed.Message, left, failed.Recommendation)
}

// leavesRefreshToken tells whether a new refresh token came beside an access token that can't be used.
func leavesRefreshToken(s session.Session, err error) bool {
	return failure.Is(err, failure.InvalidResponse) && s.Authentication.Refresh != ""
}

// keepRefreshToken stores such a session as one whose access token has run out, and says so in the failure.
func keepRefreshToken(ctx context.Context, store vault.Store, s session.Session, failed error) error {
	s.Authentication.Type, s.Authentication.Expires = "Bearer", time.Now().UTC().Truncate(time.Second)
	if err := store.Save(context.WithoutCancel(ctx), s); err != nil {
		return refreshTokenLost(failed, err)
	}
	return failure.From(failed).With(fmt.Sprintf(" The refresh token that came with it is stored in %s.", store),
		"Read the session, which renews it: Connect-NinjaOne -UseSecretManagement -ReadFromSecretVault "+vaultOf(s.Connection))
}

func refreshTokenLost(failed, cause error) error {
	return failure.From(failed).With(" The refresh token that came with it could not be stored and is lost. "+failure.From(cause).Message,
		failure.From(cause).Recommendation+" Then sign in again.")
}
