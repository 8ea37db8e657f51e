//go:build unix

package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const lockName = ""

// lock keeps other processes from changing a module until unlock, by the lock of its folder.
func lock(folder string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	file := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	if _, err = file.TryLockContext(ctx, 20*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
		err = errBusy
	}
	return func() { file.Close() }, err
}

// adopt gives a file the owner of another.
func adopt(file *os.File, like fs.FileInfo) error {
	own, err := file.Stat()
	if err != nil {
		return err
	}
	owner, has := like.Sys().(*syscall.Stat_t), own.Sys().(*syscall.Stat_t)
	if owner.Uid == has.Uid && owner.Gid == has.Gid {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

func replace(from, to string) error { return os.Rename(from, to) }

func remove(path string) error { return os.Remove(path) }
