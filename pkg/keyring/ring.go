// Package keyring keeps bytes under keys in the system's keyrings.
//
// It wraps github.com/99designs/keyring, which contacts D-Bus when it is initialised, waits for prompts for ever, writes to
// stderr, splits nothing that is too large, and writes in place. So what waits for a prompt that nobody may see runs in a child,
// and so does every save, whatever the backend: it is complete as soon as it has been handed over, even if this process is
// killed then.
package keyring

import (
	"cmp"
	"context"
	"crypto/rand"
	"regexp"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
)

// Ring is a keyring. It is used by one goroutine at a time.
type Ring struct {
	// Warn is told of a passphrase that is easily guessed, if it is set.
	Warn     func(message string)
	backend  keyring.BackendType
	unusable error // what is wrong with the settings
	patience time.Duration
	// passphrase opens the file backend, once it was needed.
	passphrase string
	// locked is the child that holds a lock, and does everything until Unlock.
	locked *process
}

// Open returns the keyring that NINJAONE_AUTH_VAULT_BACKEND names, else the operating system's. Patience bounds the wait for
// it. A name that is none makes every method fail with InvalidSetting.
func Open(patience time.Duration) *Ring {
	backend, err := chosenBackend()
	return &Ring{backend: backend, unusable: err, patience: patience}
}

// String names the keyring in messages.
func (r *Ring) String() string {
	switch r.backend {
	case "":
		return "the operating system's keyring"
	case systemBackend():
		return "the operating system's keyring (" + titles[r.backend] + ")"
	}
	return "the keyring chosen with " + BackendVariable + " (" + titles[r.backend] + ")"
}

// Item is one item of a keyring. Problem says why it could not be read, if it could not.
type Item struct {
	Key     string
	Data    []byte   `json:",omitempty"`
	Problem *Problem `json:",omitempty"`
}

// Load returns the bytes under a key. The errors of all of Ring's methods are *Problem, and of package failure InvalidSetting,
// VaultUnavailable, VaultPassphraseMissing and Interrupted.
func (r *Ring) Load(ctx context.Context, key string) ([]byte, error) {
	done, err := r.do(ctx, command{Operation: opLoad, Key: key})
	return done.Data, err
}

// Save stores bytes under a key, or leaves the older ones as they were. label is what the system's own programs show for
// the item. A save that has begun is finished even when ctx ends or this process dies; only the wait for it ends.
func (r *Ring) Save(ctx context.Context, key, label string, data []byte) error {
	save := command{Operation: opSave, Key: key, Label: label, Data: data}
	_, err := r.do(ctx, save)
	if r.locked != nil && r.locked.ended() {
		// It took the lock with it, but what is to be saved may exist nowhere else.
		r.locked = nil
		_, err = r.do(ctx, save)
	}
	return err
}

// Remove removes a key with its bytes.
func (r *Ring) Remove(ctx context.Context, key string) error {
	_, err := r.do(ctx, command{Operation: opRemove, Key: key})
	return err
}

// List returns all items whose keys match a pattern; no others are read.
func (r *Ring) List(ctx context.Context, keys *regexp.Regexp) ([]Item, error) {
	done, err := r.do(ctx, command{Operation: opList, Key: keys.String()})
	return done.Items, err
}

// MayAsk tells whether a read may have somebody asked to unlock the keyring.
func (r *Ring) MayAsk() bool {
	return prompts(r.backend) || r.backend == keyring.KeychainBackend
}

// Try finds out whether the keyring can be used, without having anybody asked: it writes, reads and removes an item of its own,
// or where that might ask, tried is false, and it only looks what there is.
func (r *Ring) Try(ctx context.Context) (tried bool, err error) {
	if r.unusable != nil || r.MayAsk() {
		_, err = r.List(ctx, regexp.MustCompile("^$"))
		return false, err
	}
	key := "ninjaone-auth-try-" + rand.Text()
	if err := r.Save(ctx, key, "ninjaone-auth doctor", []byte("tried")); err != nil {
		return true, err
	}
	_, err = r.Load(ctx, key)
	return true, cmp.Or(err, r.Remove(ctx, key))
}

// Lock takes the lock of the file at path and holds it until Unlock, or until a save that was handed over has ended if this
// process dies before. It calls waiting if another process has the lock. A *Problem of the kind TimedOut says that this
// one still has it.
func (r *Ring) Lock(ctx context.Context, path string, waiting func()) error {
	if r.unusable != nil {
		return r.unusable
	}
	child, err := startProcess(r.backend, r.patience)
	if err != nil {
		return &Problem{Failed, err.Error()}
	}
	if _, err := child.do(ctx, command{Operation: opLock, Key: path}, waiting); err != nil {
		child.end()
		return err
	}
	r.locked = child
	return nil
}

// Unlock gives up the lock.
func (r *Ring) Unlock() {
	if r.locked != nil {
		r.locked.end()
		r.locked = nil
	}
}

// do carries out a command where it belongs.
func (r *Ring) do(ctx context.Context, c command) (result, error) {
	if r.unusable != nil {
		return result{}, r.unusable
	}
	if r.backend == keyring.FileBackend && r.passphrase == "" {
		var err error
		if r.passphrase, err = passphrase(); err != nil {
			return result{}, err
		}
		if weakness := weakness(r.passphrase); weakness != "" && r.Warn != nil {
			r.Warn(weakness)
		}
	}
	c.Passphrase = r.passphrase
	switch {
	case r.locked != nil:
		return r.locked.do(ctx, c, nil)
	case c.Operation != opSave && !prompts(r.backend):
		return r.here(ctx, c)
	}
	child, err := startProcess(r.backend, r.patience)
	if err != nil {
		return result{}, &Problem{Failed, err.Error()}
	}
	defer child.end()
	return child.do(ctx, c, nil)
}

// here carries out a command in this process.
func (r *Ring) here(ctx context.Context, c command) (result, error) {
	done := make(chan result, 1)
	go func() { done <- carryOut(r.backend, c) }()
	select {
	case outcome := <-done:
		return outcome, outcome.err()
	case <-ctx.Done():
		return result{}, failure.Interruption(ctx.Err())
	case <-time.After(r.patience):
		return result{}, timedOut()
	}
}
