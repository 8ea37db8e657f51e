// Package vault keeps sessions beyond the life of a script: in a vault of PowerShell's SecretManagement, which the
// caller reads and writes, else in the operating system's keyring.
package vault

import (
	"context"
	"fmt"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Name names a stored session: -VaultName and -SecretPrefix. As in PowerShell, its case does not matter.
type Name struct {
	Vault  string `json:"vault"`
	Prefix string `json:"prefix"`
}

// Store is a place that holds the session of one Name. It is used by one goroutine at a time.
type Store interface {
	// Load returns the stored session. Failures: SessionNotStored, VaultDataInvalid, VaultNotFound, VaultUnavailable,
	// VaultLocked, VaultPassphraseMissing, VaultPassphraseWrong, VaultTimedOut, VaultFailed, Interrupted.
	Load(ctx context.Context) (session.Session, error)
	// Save stores the session. To be called between Lock and unlock. A save that has begun is finished even when ctx
	// ends, or this process dies; only the wait for it ends. Failures: SecretNotStored, whose message names what was not stored, and Load's.
	Save(ctx context.Context, s session.Session) error
	// Lock keeps every other process from renewing this session until unlock is called or this process dies.
	// It waits for 2 minutes at most. Failures: VaultBusy, LockFailed, Interrupted; from a keyring also Load's.
	Lock(ctx context.Context) (unlock func(), err error)
	// Await waits until no other process has the lock, and tells whether it had to: then the session may have been
	// renewed, which many waiting processes find out faster side by side than one after another under the lock.
	// It waits as long as Lock, with the same failures.
	Await(ctx context.Context) (waited bool, err error)
	// String names the place in messages.
	String() string
}

// Asker lets the caller read and write SecretManagement vaults (wire-format.md, getSecrets and setSecrets).
// Its failures are VaultNotFound, with SecretManagementModule as the target where that module is missing;
// VaultFailed; and SecretNotStored, with the secret's name as the target.
type Asker interface {
	// GetSecrets returns the values of those of the named secrets that have one.
	GetSecrets(ctx context.Context, vault string, names []string) (map[string]string, error)
	// SetSecrets stores the secrets in their order and stops at the first that cannot be stored.
	SetSecrets(ctx context.Context, vault string, secrets []Secret) error
}

// Secret is one secret of a SecretManagement vault.
type Secret struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SecretManagementModule is the PowerShell module that gives a caller its vaults.
const SecretManagementModule = "Microsoft.PowerShell.SecretManagement"

// Find loads the session of a name from where it is stored: the SecretManagement vault if the caller has one of that
// name, else the operating system's keyring. asker is nil for a caller without vaults.
// Failures: VaultNotFound, which names both places, and those of Store.Load.
func Find(ctx context.Context, name Name, asker Asker, sink report.Sink) (Store, session.Session, error) {
	store, found, missing, err := find(ctx, name, asker, sink)
	if missing != nil && failure.HasID(err, "VaultUnavailable") {
		failure.From(err).Message += fmt.Sprintf(" SecretManagement was asked before, and has no vault %q.", name.Vault)
	}
	if _, isKeyring := store.(*Keyring); isKeyring && failure.HasID(err, "SessionNotStored") {
		err = notFound(name, store, asker != nil)
	}
	return store, found, err
}

// ForWriting returns the store that a session of this name is to be written to, having tried that it can be read.
// It warns when SecretManagement is there but has no such vault, so that the keyring is used.
// Failures: those of Store.Load, but for SessionNotStored and VaultDataInvalid, as what is there is overwritten.
func ForWriting(ctx context.Context, name Name, asker Asker, sink report.Sink) (Store, error) {
	store, _, missing, err := find(ctx, name, asker, sink)
	if err != nil && !failure.HasID(err, "SessionNotStored", "VaultDataInvalid") {
		return nil, err
	}
	if missing != nil && failure.From(missing).Target != SecretManagementModule {
		report.Warningf(sink, "SecretManagement has no vault named %q: the session goes to %s. "+
			"To use SecretManagement, register the vault with Register-SecretVault first.", name.Vault, store)
	}
	return store, nil
}

// find also returns the failure with which the caller said that it has no such vault.
func find(ctx context.Context, name Name, asker Asker, sink report.Sink) (store Store, s session.Session, missing, err error) {
	if asker != nil {
		store = NewSecretManagement(name, asker, sink)
		s, err = store.Load(ctx)
		if !failure.HasID(err, "VaultNotFound") {
			return store, s, nil, err
		}
		missing = err
		report.Verbosef(sink, "There is no SecretManagement vault %q: looking in the operating system's keyring.", name.Vault)
	}
	store = NewKeyring(name, sink)
	s, err = store.Load(ctx)
	return store, s, missing, err
}

func notFound(name Name, store Store, asked bool) *failure.Error {
	where := store.String()
	if asked {
		where = "SecretManagement, and not in " + where
	}
	return &failure.Error{
		ID: "VaultNotFound", Category: failure.ObjectNotFound, Target: name.Vault,
		Message: fmt.Sprintf("No session is stored under vault %q and prefix %q: it was not found in %s.", name.Vault, name.Prefix, where),
		Recommendation: "Store one with Connect-NinjaOne -UseSecretManagement -WriteToSecretVault -VaultName … and one of " +
			"-UseWebAuth, -UseTokenAuth or -UseClientAuth. 'ninjaone-auth vault list' shows what the keyring holds.",
	}
}

func notStored(name Name, store Store) *failure.Error {
	return &failure.Error{
		ID: "SessionNotStored", Category: failure.ObjectNotFound, Target: name.Vault,
		Message:        fmt.Sprintf("No session is stored under vault %q and prefix %q in %s.", name.Vault, name.Prefix, store),
		Recommendation: "Store one with Connect-NinjaOne … -WriteToSecretVault, or give the -SecretPrefix that it was stored with.",
	}
}

func invalid(name Name, store Store, problem string) *failure.Error {
	return &failure.Error{
		ID: "VaultDataInvalid", Category: failure.InvalidData, Target: name.Vault,
		Message:        fmt.Sprintf("The session with the prefix %q in %s cannot be used: %s.", name.Prefix, store, problem),
		Recommendation: "Correct it, or sign in again with Connect-NinjaOne … -WriteToSecretVault, which overwrites it.",
	}
}
