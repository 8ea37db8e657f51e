package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
)

// lock takes the lock of a name in this process.
func lock(ctx context.Context, name Name, sink report.Sink) (unlock func(), err error) {
	path, err := lockPath(name)
	if err != nil {
		return nil, err
	}
	file := flock.New(path)
	if _, err := acquire(ctx, name, file, file.TryLock, file.TryLockContext, sink); err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// awaitUnlocked waits until no other process has the lock of a name, and tells whether it had to.
func awaitUnlocked(ctx context.Context, name Name, sink report.Sink) (waited bool, err error) {
	path, err := lockPath(name)
	if err != nil {
		return false, err
	}
	file := flock.New(path)
	defer file.Close()
	return acquire(ctx, name, file, file.TryRLock, file.TryRLockContext, sink)
}

// acquire takes the lock with the one function, or waits for it with the other.
func acquire(ctx context.Context, name Name, file *flock.Flock, try func() (bool, error), tryLonger func(context.Context, time.Duration) (bool, error), sink report.Sink) (waited bool, err error) {
	taken, err := try()
	if err == nil && !taken {
		waited = true
		reportWaiting(name, sink)
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err = tryLonger(limited, 20*time.Millisecond)
	}
	switch {
	case err == nil:
		return waited, nil
	case ctx.Err() != nil:
		return waited, failure.Interrupted(ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return waited, busy(name)
	}
	return waited, lockFailed(file.Path(), err)
}

// lockPath returns the lock file of a name and makes its directory.
func lockPath(name Name) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", lockFailed("the user's cache directory", err)
	}
	directory := filepath.Join(cache, "ninjaone-auth", "locks")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", lockFailed(directory, err)
	}
	return filepath.Join(directory, name.key()), nil
}

func reportWaiting(name Name, sink report.Sink) {
	report.Verbosef(sink, "Waiting for another process that is renewing the session of vault %q, prefix %q.", name.Vault, name.Prefix)
}

func busy(name Name) *failure.Error {
	return &failure.Error{
		ID: "VaultBusy", Category: failure.ResourceBusy, Target: name.Vault,
		Message:        fmt.Sprintf("Another process has been using the session of vault %q, prefix %q, for 2 minutes.", name.Vault, name.Prefix),
		Recommendation: "Look for a ninjaone-auth process that hangs, end it, and run the command again.",
	}
}

func lockFailed(path string, err error) *failure.Error {
	return &failure.Error{
		ID: "LockFailed", Category: failure.ResourceUnavailable, Target: path, Cause: err,
		Message: fmt.Sprintf("The lock that keeps two processes from renewing one session at once could not be taken in %s: %v.", path, err),
		Recommendation: "Make that directory writable for this user, or name another one: with XDG_CACHE_HOME on Linux, " +
			"LocalAppData on Windows, HOME on macOS.",
	}
}
