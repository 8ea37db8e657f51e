package vault

import (
	"context"
	"errors"
	"io"

	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Keyring is the session in the operating system's keyring: one item holds all of it.
type Keyring struct {
	name Name
	sink report.Sink
}

// NewKeyring returns the store of a name in the keyring.
func NewKeyring(name Name, sink report.Sink) *Keyring {
	return &Keyring{name: name.withDefault(), sink: sink}
}

var errNotYet = errors.New("the keyring is not implemented yet")

// String names the keyring.
func (k *Keyring) String() string { return "the operating system's keyring" }

// Load reads the session. See Store.
func (k *Keyring) Load(context.Context) (session.Session, error) { return session.Session{}, errNotYet }

// Save stores the whole session or leaves the older one as it was. See Store.
func (k *Keyring) Save(context.Context, session.Session) error { return errNotYet }

// Lock locks the name. See Store.
func (k *Keyring) Lock(ctx context.Context) (func(), error) { return lock(ctx, k.name, k.sink) }

// Remove removes the session. Failures: SessionNotStored and those of Store.Load.
func (k *Keyring) Remove(context.Context) error { return errNotYet }

// List returns the names of all sessions in the keyring, by vault and prefix. Failures: those of Store.Load.
func List(ctx context.Context, sink report.Sink) ([]Name, error) { return nil, errNotYet }

// ServeKeyring is the hidden command "keyring BACKEND", the child process in which the keyring library runs.
// It answers requests until in ends. Interrupts and the parent's death do not end a save that has begun.
func ServeKeyring(backend string, in io.Reader, out io.Writer) error { return errNotYet }
