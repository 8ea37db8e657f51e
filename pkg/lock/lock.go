// Package lock keeps processes out of each other's way, by the lock of a file, which the system takes back when a process
// ends.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Patience bounds every wait for a vault: for its lock, for a keyring, and for the caller's SecretManagement, which may
// have to ask for a password.
const Patience = 2 * time.Minute

// ErrBusy says that another process has kept a lock for as long as anyone waits.
var ErrBusy = errors.New("another process holds the lock")

const pollInterval = 20 * time.Millisecond

// Take takes the lock of the file at path, for this process alone. It calls waiting if another process has the lock, and
// then waits until that gives it up, ctx ends or patience is over. Errors: ctx's, ErrBusy, and those of the file system.
func Take(ctx context.Context, path string, patience time.Duration, waiting func()) (release func(), err error) {
	file := flock.New(path)
	if _, err := acquire(ctx, file.TryLock, file.TryLockContext, patience, waiting); err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// Await waits until no process has the lock of the file at path, and tells whether it had to wait. It waits as Take does,
// with the same errors.
func Await(ctx context.Context, path string, patience time.Duration, waiting func()) (waited bool, err error) {
	file := flock.New(path)
	defer file.Close()
	return acquire(ctx, file.TryRLock, file.TryRLockContext, patience, waiting)
}

func acquire(ctx context.Context, try func() (bool, error), retry func(context.Context, time.Duration) (bool, error),
	patience time.Duration, waiting func()) (waited bool, err error) {
	taken, err := try()
	if taken || err != nil {
		return false, err
	}
	waiting()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = retry(limited, pollInterval)
	switch {
	case err != nil && ctx.Err() != nil:
		return true, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return true, ErrBusy
	}
	return true, err
}

// CheckFile refuses what is no lock file, a symbolic link say. One that is not there yet is none.
func CheckFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a plain file: remove it", path)
	}
	return err
}
