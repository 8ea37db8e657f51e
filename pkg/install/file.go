package install

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// leftoverName begins the name of every file that is there for a moment only.
const leftoverName = "~ninjaone-auth-"

// patience bounds the wait for another process that is changing the module.
const patience = 30 * time.Second

var errBusy = errors.New("another ninjaone-auth is changing it")

// sweep removes what a process left that was killed, and programs that were set aside because they were running.
func sweep(script string) {
	for _, folder := range []string{filepath.Dir(script), filepath.Dir(target(script))} {
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), leftoverName) && entry.Name() != lockName {
				_ = remove(filepath.Join(folder, entry.Name()))
			}
		}
	}
}

// target is the file that a symbolic link leads to.
func target(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// tryToWrite tells what keeps a file from being replaced, if anything does.
func tryToWrite(path string) error {
	probe, err := os.CreateTemp(filepath.Dir(target(path)), leftoverName)
	if err != nil {
		return err
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return adopt(probe, info)
}

// make makes the file be as it shall be, at once. A new one belongs to whom the module's script belongs, and is for all who
// can read that.
func (f file) make(script string) error {
	if f.text == nil {
		return remove(f.path)
	}
	like, err := os.Stat(script)
	if err != nil {
		return err
	}
	path, mode := f.path, like.Mode().Perm()
	switch filepath.Base(path) {
	case programName:
		mode |= 0o200 | mode>>2&0o111
	case wrapperName:
		mode |= 0o200
	default:
		path = target(path)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), leftoverName)
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(f.text)
	err = cmp.Or(err, adopt(temporary, like), temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return replace(temporary.Name(), path)
}
