package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/99designs/keyring"
)

// Folder is where the encrypted files lie.
func Folder() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", &Problem{Unavailable, err.Error()}
	}
	return filepath.Join(config, "ninjaone-auth", "vault"), nil
}

// fileRing tells the file backend's failures to open a file apart, and does not take an unreadable directory for empty.
type fileRing struct {
	keyring.Keyring
	directory string
}

func (f fileRing) Keys() ([]string, error) {
	if _, err := os.ReadDir(f.directory); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return f.Keyring.Keys()
}

func (f fileRing) Get(key string) (keyring.Item, error) {
	item, err := f.Keyring.Get(key)
	if err == nil {
		return item, nil
	}
	var path *os.PathError
	switch {
	case errors.Is(err, keyring.ErrKeyNotFound), errors.As(err, &path):
		return item, err
	case strings.Contains(err.Error(), "KeyUnwrap"):
		return item, &Problem{PassphraseWrong, "the passphrase does not open it"}
	}
	return item, &Problem{Damaged, "its file is damaged"}
}

// replaceFile writes beside and renames, as the file backend itself would cut off the older file first.
func replaceFile(config keyring.Config, item keyring.Item) error {
	final := config.FileDir
	config.FileDir = filepath.Join(final, "new")
	beside, err := keyring.Open(config)
	if err != nil {
		return err
	}
	if err := beside.Set(item); err != nil {
		return err
	}
	written := filepath.Join(config.FileDir, item.Key)
	if err := patiently(func() error { return flush(written) }); err != nil {
		return err
	}
	return patiently(func() error { return os.Rename(written, filepath.Join(final, item.Key)) })
}

// sharingViolation is ERROR_SHARING_VIOLATION of Windows.
const sharingViolation = syscall.Errno(32)

// patiently does something with a file for which, on Windows, another program that has it open is in the way for a while: a
// process that reads the session, or a virus scanner. It tries for 2 seconds.
func patiently(do func() error) (err error) {
	for range 100 {
		err = do()
		if runtime.GOOS != "windows" || !errors.Is(err, os.ErrPermission) && !errors.Is(err, sharingViolation) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func flush(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
