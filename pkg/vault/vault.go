// Package vault keeps sessions beyond the life of a script: in a vault of PowerShell's SecretManagement, which the
// caller reads and writes, else in the system's keyring.
package vault

import (
	"context"
	"fmt"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Store is a place that holds the session of one Name. It is used by one goroutine at a time.
type Store interface {
	// Load returns the stored session. Failures: SessionNotStored, VaultDataInvalid, VaultNotFound, VaultUnavailable,
	// VaultLocked, VaultPassphraseMissing, VaultPassphraseWrong, VaultTimedOut, VaultFailed, Interrupted.
	Load(ctx context.Context) (session.Session, error)
	// Save stores the session. To be called between Lock and unlock. A save that has begun is finished even when ctx
	// ends, or this process dies; only the wait for it ends. Failures: SecretNotStored, whose message names what was not stored, and Load's.
	Save(ctx context.Context, s session.Session) error
	// Lock keeps every other process from renewing this session until unlock is called or this process dies.
	// It waits for 2 minutes at most. Failures: VaultBusy, LockFailed, VaultUnavailable for locks that others have their hands
	// on, Interrupted; from a keyring also Load's.
	Lock(ctx context.Context) (unlock func(), err error)
	// Await waits until no other process has the lock, and tells whether it had to: then the session may have been
	// renewed, which many waiting processes find out faster side by side than one after another under the lock.
	// It waits as long as Lock, with the same failures.
	Await(ctx context.Context) (waited bool, err error)
	// String names the place in messages.
	String() string
}

// Asker lets the caller read and write SecretManagement vaults (docs/conversation.md, getSecrets and setSecrets).
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
// name, else the system's keyring. asker is nil for a caller without vaults.
// Failures: VaultNotFound, which names both places, and those of Store.Load.
func Find(ctx context.Context, name Name, asker Asker, sink report.Sink) (Store, session.Session, error) {
	p, err := find(ctx, name, asker, sink)
	if p.isKeyring && failure.Is(err, failure.SessionNotStored) {
		err = notFound(name, p.store, asker != nil)
	}
	return p.store, p.session, err
}

// ForWriting returns the store that a session of this name is to be written to, having tried that it can be read.
// It warns when SecretManagement is there but has no such vault, so that the keyring is used.
// Failures: those of Store.Load, but for SessionNotStored and VaultDataInvalid, as what is there is overwritten.
func ForWriting(ctx context.Context, name Name, asker Asker, sink report.Sink) (Store, error) {
	p, err := find(ctx, name, asker, sink)
	if err != nil && !failure.Is(err, failure.SessionNotStored, failure.VaultDataInvalid) {
		return nil, err
	}
	if p.unregistered {
		report.Warningf(sink, "SecretManagement has no vault named %q: the session goes to %s. "+
			"To use SecretManagement, register the vault with Register-SecretVault first.", name.Vault, p.store)
	}
	return p.store, nil
}

// place is where a session of a name is, or would be.
type place struct {
	store     Store
	session   session.Session
	isKeyring bool
	// unregistered says that the caller has SecretManagement, but no vault of the name.
	unregistered bool
}

func find(ctx context.Context, name Name, asker Asker, sink report.Sink) (p place, err error) {
	told := ""
	if asker != nil {
		p.store = NewSecretManagement(name, asker, sink)
		p.session, err = p.store.Load(ctx)
		if !failure.Is(err, failure.VaultNotFound) {
			return p, err
		}
		p.unregistered = failure.From(err).Target != SecretManagementModule
		told = fmt.Sprintf(" SecretManagement was asked before, and has no vault %q.", name.Vault)
		report.Verbosef(sink, "There is no SecretManagement vault %q: looking in the system's keyring.", name.Vault)
	}
	p.store, p.isKeyring = NewKeyring(name, sink), true
	p.session, err = p.store.Load(ctx)
	if failure.Is(err, failure.VaultUnavailable) {
		err = failure.From(err).With(told, "")
	}
	return p, err
}

func notFound(name Name, store Store, asked bool) *failure.Error {
	where := store.String()
	if asked {
		where = "SecretManagement, and not in " + where
	}
	return &failure.Error{
		ID: failure.VaultNotFound, Target: name.Vault,
		Message: fmt.Sprintf("No session is stored under vault %q and prefix %q: it was not found in %s.", name.Vault, name.Prefix, where),
		Recommendation: "Store one with Connect-NinjaOne -UseSecretManagement -WriteToSecretVault -VaultName … and one of " +
			"-UseWebAuth, -UseTokenAuth or -UseClientAuth. 'ninjaone-auth vault list' shows what the keyring holds.",
	}
}

func (g guard) notStored(store Store) *failure.Error {
	return &failure.Error{
		ID: failure.SessionNotStored, Target: g.name.Vault,
		Message:        fmt.Sprintf("No session is stored under vault %q and prefix %q in %s.", g.name.Vault, g.name.Prefix, store),
		Recommendation: "Store one with Connect-NinjaOne … -WriteToSecretVault, or give the -SecretPrefix that it was stored with.",
	}
}

func (g guard) invalid(store Store, problem string) *failure.Error {
	return &failure.Error{
		ID: failure.VaultDataInvalid, Target: g.name.Vault,
		Message:        fmt.Sprintf("The session with the prefix %q in %s cannot be used: %s.", g.name.Prefix, store, problem),
		Recommendation: "Correct it, or sign in again with Connect-NinjaOne … -WriteToSecretVault, which overwrites it.",
	}
}
