package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/windows"
)

// newLock locks a file in the folder: the folder itself can't be locked.
func newLock(folder string) *flock.Flock { return flock.New(filepath.Join(folder, lockName)) }

const lockName = leftoverName + "lock"

// unlockAndRemove leaves the file to the last one who has it open.
func unlockAndRemove(file *flock.Flock) {
	file.Close()
	_ = os.Remove(file.Path())
}

// adopt has nothing to do: a new file gets the owner and the access list that the folder has for it.
func adopt(string, fs.FileInfo) error { return nil }

// replace waits for those who read the file, a virus scanner say. A program that is running can't be replaced, but renamed.
func replace(from, to string) error {
	if info, err := os.Stat(to); err == nil && info.Mode()&0o200 == 0 {
		if err := os.Chmod(to, 0o666); err != nil { // it may not be replaced while it is read-only
			return err
		}
	}
	err := patiently(func() error { return os.Rename(from, to) })
	if err != nil && filepath.Base(to) == programName && setAside(to, filepath.Dir(to)) == nil {
		return os.Rename(from, to)
	}
	return err
}

// remove sets a program that is running aside: among the temporary files, or if that is another drive, where it is, for the
// next install or uninstall to remove.
func remove(path string) error {
	err := patiently(func() error { return os.Remove(path) })
	if err != nil && (setAside(path, os.TempDir()) == nil || setAside(path, filepath.Dir(path)) == nil) {
		return nil
	}
	return err
}

func setAside(path, folder string) error {
	aside, err := os.CreateTemp(folder, leftoverName)
	if err != nil {
		return err
	}
	aside.Close()
	if err = os.Rename(path, aside.Name()); err != nil {
		_ = os.Remove(aside.Name())
	}
	return err
}

func patiently(try func() error) (err error) {
	for range 10 {
		err = try()
		if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
