package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/report"
)

// guard is what every store knows of its session: the name, and the lock that goes with it.
type guard struct {
	name     Name
	sink     report.Sink
	patience time.Duration
}

func newGuard(name Name, sink report.Sink) guard {
	return guard{name: NewName(name.Vault, name.Prefix), sink: sink, patience: lock.Patience}
}

// Await waits until no other process has the lock. See Store.
func (g guard) Await(ctx context.Context) (waited bool, err error) {
	path, err := g.lockPath()
	if err == nil {
		waited, err = lock.Await(ctx, path, g.patience, g.reportWaiting)
	}
	return waited, g.lockFailure(path, err)
}

// lock takes the lock in this process.
func (g guard) lock(ctx context.Context) (unlock func(), err error) {
	path, err := g.lockPath()
	if err == nil {
		unlock, err = lock.Take(ctx, path, g.patience, g.reportWaiting)
	}
	return unlock, g.lockFailure(path, err)
}

// lockPath returns the lock file and makes its directory, which is in the path of an error too.
func (g guard) lockPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "the user's cache directory", err
	}
	directory := filepath.Join(cache, "ninjaone-auth", "locks")
	path := filepath.Join(directory, g.name.key())
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return path, err
	}
	if err := cmp.Or(lock.CheckFolder(directory), lock.CheckFile(path)); err != nil {
		return path, &failure.Error{
			ID: failure.VaultUnavailable, Target: g.name.Vault, Cause: err,
			Message:        fmt.Sprintf("The session of vault %q can't be locked safely: %s.", g.name.Vault, failure.Reason(err)),
			Recommendation: "Put that right, and look for who has done it: whoever can write there can keep this user's sessions from being renewed.",
		}
	}
	return path, nil
}

func (g guard) reportWaiting() {
	report.Verbosef(g.sink, "Waiting for another process that is renewing the session of vault %q, prefix %q.", g.name.Vault, g.name.Prefix)
}

// lockFailure makes a failure of what kept this process from the lock, nil of nil.
func (g guard) lockFailure(path string, err error) error {
	switch {
	case err == nil, failure.Is(err, failure.VaultUnavailable):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return failure.Interruption(err)
	case errors.Is(err, lock.ErrBusy):
		return &failure.Error{
			ID: failure.VaultBusy, Target: g.name.Vault, Cause: err,
			Message:        fmt.Sprintf("Another process has been using the session of vault %q, prefix %q, for %g minutes.", g.name.Vault, g.name.Prefix, g.patience.Minutes()),
			Recommendation: "Look for a ninjaone-auth process that hangs, end it, and run the command again.",
		}
	}
	return &failure.Error{
		ID: failure.LockFailed, Target: path, Cause: err,
		Message: fmt.Sprintf("The lock that keeps two processes from renewing one session at once could not be taken in %s: %s.", path, failure.Reason(err)),
		Recommendation: "Make that directory writable for this user, or name another one: with XDG_CACHE_HOME on Linux, " +
			"LocalAppData on Windows, HOME on macOS.",
	}
}
