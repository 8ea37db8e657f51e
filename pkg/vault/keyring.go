package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Keyring is the session in the operating system's keyring: one item holds all of it. NINJAONE_AUTH_VAULT_BACKEND
// chooses another keyring: wincred, keychain, secret-service, kwallet, pass or file.
type Keyring struct {
	name Name
	sink report.Sink
	// locked is the child that holds the lock, and works until it is unlocked.
	locked *process
}

// NewKeyring returns the store of a name in the keyring.
func NewKeyring(name Name, sink report.Sink) *Keyring {
	return &Keyring{name: name.withDefault(), sink: sink}
}

// document is what an item holds.
type document struct {
	Version int             `json:"version"`
	Name    Name            `json:"name"`
	Session session.Session `json:"session"`
}

const documentVersion = 1

// String names the keyring.
func (k *Keyring) String() string {
	backend, err := chosenBackend()
	if err != nil {
		return "the operating system's keyring"
	}
	if backend != systemBackend() {
		return "the keyring chosen with " + backendVariable + " (" + titles[backend] + ")"
	}
	return "the operating system's keyring (" + titles[backend] + ")"
}

// Load reads the session. See Store.
func (k *Keyring) Load(ctx context.Context) (session.Session, error) {
	a, err := k.ask(ctx, request{Operation: opLoad, Key: k.name.key()})
	if err != nil {
		return session.Session{}, err
	}
	stored, problem := decode(a.Data)
	if problem == "" {
		problem = complete(&stored.Session, k.name, nil)
	}
	if problem != "" {
		return session.Session{}, invalid(k.name, k, problem)
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
	label := fmt.Sprintf("NinjaOne session %s (%s)", k.name.Vault, k.name.Prefix)
	if _, err := k.ask(ctx, request{Operation: opSave, Key: k.name.key(), Label: label, Data: data}); err != nil {
		return err
	}
	report.Verbosef(k.sink, "Stored the session of vault %q in %s.", k.name.Vault, k)
	return nil
}

// Await waits for the lock. See Store.
func (k *Keyring) Await(ctx context.Context) (bool, error) {
	return awaitUnlocked(ctx, k.name, k.sink)
}

// Lock locks the name: the child holds the lock, so that it lasts until a save has ended even if this process dies.
// See Store.
func (k *Keyring) Lock(ctx context.Context) (unlock func(), err error) {
	path, err := lockPath(k.name)
	if err != nil {
		return nil, err
	}
	child, err := k.start()
	if err != nil {
		return nil, err
	}
	_, err = child.ask(ctx, request{Operation: opLock, LockPath: path}, func() { reportWaiting(k.name, k.sink) })
	if err != nil {
		child.end()
		return nil, k.failed(opLock, err)
	}
	k.locked = child
	return func() {
		child.end()
		k.locked = nil
	}, nil
}

// Remove removes the session, when no other process is renewing it, which would store it again.
// Failures: SessionNotStored and those of Store.Load and Store.Lock.
func (k *Keyring) Remove(ctx context.Context) error {
	unlock, err := k.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = k.ask(ctx, request{Operation: opRemove, Key: k.name.key()})
	return err
}

// Stored is a session in the keyring without its secrets. Problem says why it cannot be used, if it cannot;
// Name is then empty when it is not known.
type Stored struct {
	Name    Name
	Session session.Session
	Problem string
}

// List returns all sessions in the keyring, without client secrets and tokens, sorted by name.
// Failures: those of Store.Load.
func List(ctx context.Context, sink report.Sink) ([]Stored, error) {
	a, err := NewKeyring(Name{}, sink).ask(ctx, request{Operation: opList})
	if err != nil {
		return nil, err
	}
	var all []Stored
	for _, i := range a.Items {
		all = append(all, i.withoutSecrets())
	}
	slices.SortFunc(all, func(a, b Stored) int {
		return strings.Compare(a.Name.Vault+"\x00"+a.Name.Prefix, b.Name.Vault+"\x00"+b.Name.Prefix)
	})
	return all, nil
}

func (i listed) withoutSecrets() Stored {
	if i.Problem != nil {
		return Stored{Problem: fmt.Sprintf("the item %s cannot be read: %s", i.Key, i.Problem.Reason)}
	}
	found, problem := decode(i.Data)
	s := found.Session
	if problem == "" {
		problem = complete(&s, found.Name, nil)
	}
	s.Connection.ClientSecret, s.Authentication.Access, s.Authentication.Refresh = "", "", ""
	return Stored{found.Name, s, problem}
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

func (k *Keyring) start() (*process, error) {
	backend, err := chosenBackend()
	if err != nil {
		return nil, err
	}
	child, err := startProcess(backend)
	if err != nil {
		return nil, k.failed("start", err)
	}
	return child, nil
}

// ask uses the child that holds the lock, else one for this request alone. What a save does not depend on needs none
// with the file backend, which starts no program and asks nobody: that halves the time of a read.
func (k *Keyring) ask(ctx context.Context, r request) (answer, error) {
	backend, err := chosenBackend()
	if err == nil && backend == keyring.FileBackend {
		r.Passphrase, err = passphrase()
	}
	if err != nil {
		return answer{}, err
	}
	child := k.locked
	if child == nil && backend == keyring.FileBackend && r.Operation != opSave {
		a, err := here(ctx, backend, r)
		return a, k.failed(r.Operation, err)
	}
	if child == nil {
		if child, err = k.start(); err != nil {
			return answer{}, err
		}
		defer child.end()
	}
	a, err := child.ask(ctx, r, func() {})
	if child == k.locked && child.ended() {
		// It took the lock with it, but what is to be saved may exist nowhere else.
		k.locked = nil
		if r.Operation == opSave {
			return k.ask(ctx, r)
		}
	}
	return a, k.failed(r.Operation, err)
}

// here carries out a request in this process. Errors: as process.ask.
func here(ctx context.Context, backend keyring.BackendType, r request) (answer, error) {
	done := make(chan answer, 1)
	go func() { done <- handle(string(backend), r, nil) }()
	select {
	case a := <-done:
		if a.Problem != nil {
			return answer{}, a.Problem
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, failure.Interrupted(ctx.Err())
	case <-time.After(patience):
		return answer{}, context.DeadlineExceeded
	}
}

// failed makes a failure of what went wrong with a request, nil of nil.
func (k *Keyring) failed(operation string, err error) error {
	var p *problem
	switch {
	case err == nil:
		return nil
	case failure.HasID(err, "Interrupted"):
		return err
	case errors.Is(err, context.DeadlineExceeded) && operation == opLock:
		return busy(k.name)
	case errors.Is(err, context.DeadlineExceeded):
		return &failure.Error{
			ID: "VaultTimedOut", Category: failure.OperationTimeout, Target: k.name.Vault,
			Message:        fmt.Sprintf("%s has not answered for 2 minutes.", capital(k.String())),
			Recommendation: "It may be locked and wait for somebody to unlock it: unlock it, and run the command again.",
		}
	case !errors.As(err, &p):
		p = &problem{kindFailed, err.Error()}
	}
	return k.explain(p)
}

func (k *Keyring) explain(p *problem) *failure.Error {
	f := &failure.Error{Target: k.name.Vault, Cause: p, Message: fmt.Sprintf("%s cannot be used: %s.", capital(k.String()), p.Reason)}
	switch p.Kind {
	case kindNotFound:
		return notStored(k.name, k)
	case kindDamaged:
		return invalid(k.name, k, p.Reason)
	case kindLockFailed:
		return lockFailed(k.name.key(), p)
	case kindUnavailable:
		f.ID, f.Category = "VaultUnavailable", failure.ResourceUnavailable
		f.Recommendation = "Register a SecretManagement vault of that name (Register-SecretVault), or set " + backendVariable +
			" to file or pass: file encrypts with the passphrase in the file that " + passphraseFileVariable + " names."
	case kindLocked:
		f.ID, f.Category = "VaultLocked", failure.PermissionDenied
		f.Recommendation = "Unlock it (on a desktop sign in, or open Passwords and Keys) and run the command again. " +
			"For jobs without a desktop set " + backendVariable + " to file or pass."
	case kindPassphraseWrong:
		f.ID, f.Category = "VaultPassphraseWrong", failure.AuthenticationError
		f.Recommendation = "Set " + passphraseFileVariable + " to the file with the passphrase that the session was stored with. " +
			"If it is lost, remove the session with 'ninjaone-auth vault remove' and sign in again."
	default:
		f.ID, f.Category = "VaultFailed", failure.ResourceUnavailable
		f.Recommendation = "Put that right and run the command again, or choose another keyring with " + backendVariable + "."
	}
	return f
}
