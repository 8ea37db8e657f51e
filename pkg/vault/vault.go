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
	// Load returns the stored session: one or another, never a mixture, and none whose refresh token is known to be spent.
	// Failures: SessionNotStored, VaultDataInvalid, VaultOutOfDate, VaultNotFound, VaultUnavailable, VaultLocked,
	// VaultPassphraseMissing, VaultPassphraseWrong, VaultTimedOut, VaultFailed, VaultBusy, InvalidSetting, Interrupted.
	Load(ctx context.Context) (session.Session, error)
	// Save stores the session. To be called between Lock and unlock. A save that has begun is finished even when ctx
	// ends, or this process dies; only the wait for it ends. Failures: SecretNotStored, whose message names what was not stored, and Load's.
	Save(ctx context.Context, s session.Session) error
	// Try finds out whether a session could be saved: it writes back, as read, a part of what is stored. Where nothing is
	// stored, it finds out nothing. To be called between Lock and unlock. Failures: SecretNotStored, and Load's.
	Try(ctx context.Context) error
	// IsSpent tells whether this machine knows that NinjaOne has replaced a refresh token by another.
	IsSpent(refreshToken session.Optional) bool
	// NoteSpent notes that it has. To be called between Lock and unlock.
	NoteSpent(refreshToken session.Optional)
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
	// read reads the session once; again says that what was read before is out of date.
	read(ctx context.Context, again bool) (session.Session, error)
}

// Asker lets the caller read and write SecretManagement vaults (docs/conversation.md, getSecrets and setSecrets).
// Its failures are VaultNotFound, with SecretManagementModule as the target where that module is missing;
// VaultFailed; and SecretNotStored, with the secret's name as the target.
type Asker interface {
	// Module returns the name of the extension module of a vault, "" if the vault or its module is not known.
	Module(ctx context.Context, vault string) (string, error)
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
	p, err := find(ctx, name, asker, sink, Store.Load)
	if p.isKeyring && failure.Is(err, failure.SessionNotStored) {
		err = notFound(name, p.store, asker != nil)
	}
	return p.store, p.session, err
}

// Elsewhere says where a session may be that is not in the keyring.
const Elsewhere = "A session in a vault of PowerShell's SecretManagement is read there: Connect-NinjaOne -UseSecretManagement -VaultName … -ReadFromSecretVault."

// ForWriting returns the store that a session of this name is to be written to, having tried that it can be read, and the
// session that is there, however old; an empty one if there is none that can be used.
// It warns when SecretManagement is there but has no such vault, so that the keyring is used.
// Failures: those of Store.Load, but for SessionNotStored, VaultDataInvalid and VaultOutOfDate, as what is there is overwritten.
func ForWriting(ctx context.Context, name Name, asker Asker, sink report.Sink) (Store, session.Session, error) {
	once := func(store Store, ctx context.Context) (session.Session, error) { return store.read(ctx, false) }
	p, err := find(ctx, name, asker, sink, once)
	if err != nil && !failure.Is(err, failure.SessionNotStored, failure.VaultDataInvalid) {
		return nil, session.Session{}, err
	}
	if p.unregistered {
		report.Warningf(sink, "SecretManagement has no vault named %q: the session goes to %s. "+
			"To use SecretManagement, register the vault with Register-SecretVault first.", name.Vault, p.store)
	}
	return p.store, p.session, nil
}

// place is where a session of a name is, or would be.
type place struct {
	store     Store
	session   session.Session
	isKeyring bool
	// unregistered says that the caller has SecretManagement, but no vault of the name.
	unregistered bool
}

func find(ctx context.Context, name Name, asker Asker, sink report.Sink, load func(Store, context.Context) (session.Session, error)) (p place, err error) {
	told := ""
	if asker != nil {
		p.store = NewSecretManagement(name, asker, sink)
		p.session, err = load(p.store, ctx)
		if !failure.Is(err, failure.VaultNotFound) {
			return p, err
		}
		p.unregistered = failure.From(err).Target != SecretManagementModule
		told = fmt.Sprintf(" SecretManagement was asked before, and has no vault %q.", name.Vault)
		report.Verbosef(sink, "There is no SecretManagement vault %q: looking in the system's keyring.", name.Vault)
	}
	p.store, p.isKeyring = NewKeyring(name, sink), true
	p.session, err = load(p.store, ctx)
	if failure.Is(err, failure.VaultUnavailable) {
		err = failure.From(err).With(told, "")
	}
	return p, err
}

func notFound(name Name, store Store, asked bool) *failure.Error {
	where, elsewhere := store.String(), " "+Elsewhere
	if asked {
		where, elsewhere = "SecretManagement, and not in "+where, ""
	}
	return &failure.Error{
		ID: failure.VaultNotFound, Target: name.Vault,
		Message: fmt.Sprintf("No session is stored under vault %q and prefix %q: it was not found in %s.", name.Vault, name.Prefix, where),
		Recommendation: "Store one with Connect-NinjaOne -UseSecretManagement -WriteToSecretVault -VaultName … and one of " +
			"-UseWebAuth, -UseTokenAuth or -UseClientAuth. 'ninjaone-auth vault list' shows what the keyring holds." + elsewhere,
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

// nothingSent says of a failure to store something that it came in time.
func nothingSent(err *failure.Error) *failure.Error {
	return err.With(" The session's refresh token was not used up: nothing was sent to NinjaOne.",
		"Make the vault writable, and run the command again.")
}
