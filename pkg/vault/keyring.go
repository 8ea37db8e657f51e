package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Keyring is the session in the system's keyring: one item holds all of it.
type Keyring struct {
	guard
	ring *keyring.Ring
}

// NewKeyring returns the store of a name in the keyring.
func NewKeyring(name Name, sink report.Sink) *Keyring {
	ring := keyring.Open(lock.Patience)
	ring.Warn = func(message string) { report.Warningf(sink, "%s", message) }
	return &Keyring{newGuard(name, sink), ring}
}

// document is what an item holds.
type document struct {
	Version int             `json:"version"`
	Name    Name            `json:"name"`
	Session session.Session `json:"session"`
}

const documentVersion = 1

// copied is the problem of a document that was copied to the key of another name than its own.
func (d document) copied(key string) (problem string) {
	if d.Name.Vault == "" || d.Name.key() == key {
		return ""
	}
	return fmt.Sprintf("it is a copy of the session of vault %q, prefix %q", d.Name.Vault, d.Name.Prefix)
}

// String names the keyring.
func (k *Keyring) String() string { return k.ring.String() }

// Load reads the session. See Store.
func (k *Keyring) Load(ctx context.Context) (session.Session, error) { return k.current(ctx, k) }

// read reads the session once. There are no copies.
func (k *Keyring) read(ctx context.Context, _ bool) (session.Session, error) {
	data, err := k.ring.Load(ctx, k.name.key())
	if err != nil {
		return session.Session{}, k.failed(err)
	}
	stored, problem := decode(data)
	if problem == "" {
		problem = stored.copied(k.name.key())
	}
	if problem == "" {
		problem = complete(&stored.Session, k.name, nil)
	}
	if problem != "" {
		return session.Session{}, k.invalid(k, problem)
	}
	report.Verbosef(k.sink, "Read the session of vault %q from %s.", k.name.Vault, k)
	return stored.Session, nil
}

// Save stores the whole session or leaves the older one as it was. See Store.
func (k *Keyring) Save(ctx context.Context, s session.Session) error {
	data, err := json.Marshal(document{documentVersion, k.name, s})
	if err != nil {
		return err
	}
	if err := k.ring.Save(ctx, k.name.key(), k.label(), data); err != nil {
		return k.failed(err)
	}
	report.Verbosef(k.sink, "Stored the session of vault %q in %s.", k.name.Vault, k)
	return nil
}

// label is what the system's own programs show for the session.
func (k *Keyring) label() string {
	return fmt.Sprintf("NinjaOne session %s (%s)", k.name.Vault, k.name.Prefix)
}

// Try writes back the whole item. See Store.
func (k *Keyring) Try(ctx context.Context) error {
	data, err := k.ring.Load(ctx, k.name.key())
	switch err := k.failed(err); {
	case failure.Is(err, failure.SessionNotStored, failure.VaultDataInvalid):
		return nil
	case err != nil:
		return err
	}
	err = k.failed(k.ring.Save(ctx, k.name.key(), k.label(), data))
	if err == nil || failure.Is(err, failure.Interrupted) {
		return err
	}
	cause := failure.From(err)
	return nothingSent(&failure.Error{ID: failure.SecretNotStored, Target: k.name.Vault, Cause: cause, Message: "The session could not be stored. " + cause.Message})
}

// Lock locks the name, until a save that has begun has ended even if this process dies. See Store.
func (k *Keyring) Lock(ctx context.Context) (unlock func(), err error) {
	path, err := k.path("")
	if err != nil {
		return nil, k.lockFailure(path, err)
	}
	err = k.ring.Lock(ctx, path, k.reportWaiting)
	k.isLocked = err == nil
	var p *keyring.Problem
	switch {
	case err == nil:
		return func() { k.isLocked = false; k.ring.Unlock() }, nil
	case errors.As(err, &p) && p.Kind == keyring.TimedOut:
		return nil, k.lockFailure(path, lock.ErrBusy)
	case errors.As(err, &p) && p.Kind == keyring.LockFailed:
		return nil, k.lockFailure(path, p)
	}
	return nil, k.failed(err)
}

// Remove removes the session, when no other process is renewing it, which would store it again.
// Failures: SessionNotStored and those of Store.Load and Store.Lock.
func (k *Keyring) Remove(ctx context.Context) error {
	unlock, err := k.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return k.failed(k.ring.Remove(ctx, k.name.key()))
}

// Stored is a session in the keyring without its secrets. Problem says why it cannot be used, if it cannot;
// Name is then empty when it is not known.
type Stored struct {
	Name      Name
	Session   session.Session
	Renewable bool
	Problem   string
	key       string
}

// List returns all sessions in the keyring, without client secrets and tokens, sorted by name.
// Failures: those of Store.Load.
func List(ctx context.Context, sink report.Sink) ([]Stored, error) {
	k := NewKeyring(Name{}, sink)
	items, err := k.ring.List(ctx, wholeKey)
	if err != nil {
		return nil, k.failed(err)
	}
	var all []Stored
	for _, item := range items {
		all = append(all, withoutSecrets(item))
	}
	slices.SortFunc(all, func(a, b Stored) int {
		return strings.Compare(a.Name.Vault+"\x00"+a.Name.Prefix, b.Name.Vault+"\x00"+b.Name.Prefix)
	})
	return all, nil
}

// Remove removes a listed session. What can't be read has no name under which it could be locked.
func (s Stored) Remove(ctx context.Context, sink report.Sink) error {
	k := NewKeyring(s.Name, sink)
	if k.name.key() == s.key {
		return k.Remove(ctx)
	}
	return k.failed(k.ring.Remove(ctx, s.key))
}

func withoutSecrets(item keyring.Item) Stored {
	if item.Problem != nil {
		return Stored{Problem: fmt.Sprintf("the item %s cannot be read: %s", item.Key, item.Problem.Reason), key: item.Key}
	}
	found, problem := decode(item.Data)
	s := found.Session
	if problem == "" {
		problem = found.copied(item.Key)
	}
	if problem == "" {
		problem = complete(&s, found.Name, nil)
	}
	renewable := s.Renewable()
	s.Connection.ClientSecret, s.Authentication.Access, s.Authentication.Refresh = "", "", ""
	return Stored{found.Name, s, renewable, problem, item.Key}
}

func decode(data []byte) (d document, problem string) {
	switch err := json.Unmarshal(data, &d); {
	case d.Version > documentVersion:
		return d, fmt.Sprintf("it was written by a newer ninjaone-auth (format %d)", d.Version)
	case err != nil || d.Version != documentVersion:
		return d, "its JSON is damaged"
	}
	return d, ""
}

// KeyringFailure is the failure that an error of package keyring means.
func KeyringFailure(err error) error { return NewKeyring(Name{}, report.Silent{}).failed(err) }

// failed makes a failure of what went wrong with the keyring, nil of nil.
func (k *Keyring) failed(err error) error {
	var p *keyring.Problem
	if !errors.As(err, &p) {
		return err
	}
	unusable := func(id failure.ID, recommendation string) error {
		return &failure.Error{
			ID: id, Target: k.name.Vault, Cause: p,
			Message: fmt.Sprintf("%s cannot be used: %s.", capital(k.String()), failure.Reason(p)), Recommendation: recommendation,
		}
	}
	switch p.Kind {
	case keyring.NotFound:
		notStored := k.notStored(k)
		return notStored.With("", notStored.Recommendation+" "+Elsewhere)
	case keyring.Damaged:
		return k.invalid(k, p.Reason)
	case keyring.TimedOut:
		return &failure.Error{
			ID: failure.VaultTimedOut, Target: k.name.Vault, Cause: p,
			Message:        fmt.Sprintf("%s has not answered for %g minutes.", capital(k.String()), k.patience.Minutes()),
			Recommendation: "It may be locked and wait for somebody to unlock it: unlock it, and run the command again.",
		}
	case keyring.Unavailable:
		return unusable(failure.VaultUnavailable, "Register a SecretManagement vault of that name (Register-SecretVault), or set "+keyring.BackendVariable+
			" ("+keyring.Choices()+"): file encrypts with the passphrase in the file that "+keyring.PassphraseFileVariable+" names.")
	case keyring.Locked:
		return unusable(failure.VaultLocked, "Unlock it (on a desktop sign in, or open Passwords and Keys) and run the command again. "+
			"For jobs without a desktop choose another with "+keyring.BackendVariable+" ("+keyring.Choices()+").")
	case keyring.PassphraseWrong:
		return unusable(failure.VaultPassphraseWrong, "Set "+keyring.PassphraseFileVariable+" to the file with the passphrase that the session was stored with. "+
			"If it is lost, remove the session with 'ninjaone-auth logout --vault NAME' and sign in again.")
	}
	return unusable(failure.VaultFailed, "Put that right and run the command again, or choose another keyring with "+keyring.BackendVariable+".")
}
