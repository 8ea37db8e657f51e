//go:build unix

package install

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// newLock locks the folder itself, so that nothing is left of it.
func newLock(folder string) *flock.Flock { return flock.New(folder, flock.SetFlag(os.O_RDONLY)) }

const lockName = ""

func unlockAndRemove(file *flock.Flock) { file.Close() }

// adopt gives a file the owner of another.
func adopt(path string, like fs.FileInfo) error {
	own, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, has := like.Sys().(*syscall.Stat_t), own.Sys().(*syscall.Stat_t)
	if owner.Uid == has.Uid && owner.Gid == has.Gid {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

func replace(from, to string) error { return os.Rename(from, to) }

func remove(path string) error { return os.Remove(path) }
