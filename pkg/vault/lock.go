package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/report"
)

// StateVariable names another folder for locks and digests, where the user's home can't be written.
const StateVariable = "NINJAONE_AUTH_STATE_DIR"

// guard is what every store knows of its session: the name, and the files in the state folder that go with it.
type guard struct {
	name     Name
	sink     report.Sink
	patience time.Duration
	// copyPatience is how long a copy that the vault was read from may be out of date.
	copyPatience time.Duration
	// isLocked says that the session's lock is held.
	isLocked bool
}

func newGuard(name Name, sink report.Sink) guard {
	return guard{name: NewName(name.Vault, name.Prefix), sink: sink, patience: lock.Patience}
}

// Await waits until no other process has the lock. See Store.
func (g guard) Await(ctx context.Context) (waited bool, err error) {
	path, err := g.path("")
	if err == nil {
		waited, err = lock.Await(ctx, path, g.patience, g.reportWaiting)
	}
	return waited, g.lockFailure(path, err)
}

// lock takes the lock in this process.
func (g *guard) lock(ctx context.Context) (unlock func(), err error) {
	path, err := g.path("")
	var release func()
	if err == nil {
		release, err = lock.Take(ctx, path, g.patience, g.reportWaiting)
	}
	g.isLocked = err == nil
	return func() { g.isLocked = false; release() }, g.lockFailure(path, err)
}

// path returns the path of the session's file with this ending, the lock's being empty, and makes its folder. The path is
// that of an error too.
func (g guard) path(ending string) (string, error) { return statePath(g.name.key() + ending) }

func statePath(file string) (string, error) {
	folder, err := StateFolder()
	if err != nil {
		return folder, err
	}
	path := filepath.Join(folder, file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return path, err
	}
	if err := cmp.Or(lock.CheckFolder(folder), lock.CheckFile(path)); err != nil {
		return path, &failure.Error{
			ID: failure.VaultUnavailable, Target: path, Cause: err,
			Message:        fmt.Sprintf("The vault can't be locked safely: %s.", failure.Reason(err)),
			Recommendation: "Put that right, and look for who has done it: whoever can write there can keep this user's sessions from being renewed.",
		}
	}
	return path, nil
}

// StateFolder is where locks and digests lie, the same for all processes of a user, so the XDG variables, which differ between a desktop, a shell and a
// job, have no say.
func StateFolder() (string, error) {
	switch folder := os.Getenv(StateVariable); {
	case folder != "" && !filepath.IsAbs(folder):
		return folder, errors.New(StateVariable + " has to be an absolute path")
	case folder != "":
		return folder, nil
	case runtime.GOOS == "windows":
		local, err := os.UserCacheDir() // %LOCALAPPDATA%
		return filepath.Join(local, "ninjaone-auth", "state"), err
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "ninjaone-auth"), err
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
		Message:        fmt.Sprintf("The lock that keeps two processes from renewing one session at once could not be taken in %s: %s.", path, failure.Reason(err)),
		Recommendation: "Make that folder writable for this user, or name another one, the same for all of the user's jobs, in " + StateVariable + ".",
	}
}
