// Package lock keeps processes out of each other's way, by the lock of a file, which the system takes back when a process
// ends.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
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
	return queue(ctx, path, patience, waiting, (*flock.Flock).TryLock)
}

// Share takes the lock as Take does, but together with others who share it.
func Share(ctx context.Context, path string, patience time.Duration, waiting func()) (release func(), err error) {
	return queue(ctx, path, patience, waiting, (*flock.Flock).TryRLock)
}

// Await waits until no process has the lock of the file at path for itself, and tells whether it had to wait. It waits as Take
// does, with the same errors.
func Await(ctx context.Context, path string, patience time.Duration, waiting func()) (waited bool, err error) {
	file := flock.New(path)
	defer file.Close()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = acquire(limited, ctx, file, (*flock.Flock).TryRLock, func() { waited = true; waiting() })
	return waited, err
}

// queue takes a lock through its gate, the lock of a second file, which whoever is next holds. So those who come and go, be
// it to share the lock, can't keep anybody out.
func queue(ctx context.Context, path string, patience time.Duration, waiting func(), try func(*flock.Flock) (bool, error)) (release func(), err error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waiting = sync.OnceFunc(waiting)
	gate, file := flock.New(path+".gate"), flock.New(path)
	defer gate.Close()
	err = acquire(limited, ctx, gate, (*flock.Flock).TryLock, waiting)
	if err == nil {
		err = acquire(limited, ctx, file, try, waiting)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

// acquire tries until limited, which is ctx with patience, ends.
func acquire(limited, ctx context.Context, file *flock.Flock, try func(*flock.Flock) (bool, error), waiting func()) error {
	taken, err := try(file)
	if taken || err != nil {
		return err
	}
	waiting()
	for {
		select {
		case <-time.After(pollInterval):
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrBusy
		}
		if taken, err = try(file); taken || err != nil {
			return err
		}
	}
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
