package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
)

const lockName = leftoverName + "lock"

// lock keeps other processes from changing a module until unlock, by a file that only one can have open. The system removes
// it when that process ends. Where a file can't be made, the module can't be changed either, which is found out later.
func lock(folder string) (unlock func(), err error) {
	name, err := windows.UTF16PtrFromString(filepath.Join(folder, lockName))
	if err != nil {
		return nil, err
	}
	var file windows.Handle
	for end := time.Now().Add(patience); time.Now().Before(end); {
		err = patiently(func() (err error) {
			file, err = windows.CreateFile(name, windows.GENERIC_WRITE|windows.DELETE, 0, nil, windows.OPEN_ALWAYS,
				windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
			return err
		})
		switch {
		case err == nil:
			return func() { _ = windows.CloseHandle(file) }, nil
		case errors.Is(err, windows.ERROR_ACCESS_DENIED):
			return func() {}, nil
		case !errors.Is(err, windows.ERROR_SHARING_VIOLATION):
			return nil, err
		}
	}
	return nil, errBusy
}

// adopt has nothing to do: a new file gets the owner and the access list that the folder has for it.
func adopt(*os.File, fs.FileInfo) error { return nil }

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
