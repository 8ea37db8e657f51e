package vault

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/vault/nobus"
)

// backendVariable chooses a keyring other than the operating system's own.
const backendVariable = "NINJAONE_AUTH_VAULT_BACKEND"

// windowsLimit is CRED_MAX_CREDENTIAL_BLOB_SIZE of Windows' wincred.h, in bytes.
const windowsLimit = 5 * 512

// titles are the backends by the names of the library, which backendVariable takes too.
var titles = map[keyring.BackendType]string{
	keyring.WinCredBackend:       "Windows Credential Manager",
	keyring.KeychainBackend:      "macOS Keychain",
	keyring.SecretServiceBackend: "Secret Service",
	keyring.KWalletBackend:       "KWallet",
	keyring.PassBackend:          "pass",
	keyring.FileBackend:          "encrypted file",
}

func systemBackend() keyring.BackendType {
	switch runtime.GOOS {
	case "windows":
		return keyring.WinCredBackend
	case "darwin":
		return keyring.KeychainBackend
	}
	return keyring.SecretServiceBackend
}

// openBackend runs in the child only.
func openBackend(name, passphrase string) (*items, error) {
	backend := keyring.BackendType(name)
	config := keyring.Config{
		AllowedBackends:                []keyring.BackendType{backend},
		ServiceName:                    "ninjaone-auth",
		KeychainTrustApplication:       true,
		KeychainAccessibleWhenUnlocked: true,
		KWalletAppID:                   "ninjaone-auth",
		KWalletFolder:                  "ninjaone-auth",
		PassPrefix:                     "ninjaone-auth",
		FilePasswordFunc:               keyring.FixedStringPrompt(passphrase),
	}
	if err := prepare(backend, &config); err != nil {
		return nil, err
	}
	ring, err := keyring.Open(config)
	if err != nil {
		return nil, &problem{kindUnavailable, "it does not answer"}
	}
	opened := &items{ring: ring, replace: ring.Set}
	switch backend {
	case keyring.WinCredBackend:
		opened.limit = windowsLimit
	case keyring.FileBackend:
		opened.ring = fileRing{ring, config.FileDir}
		opened.replace = func(item keyring.Item) error { return replaceFile(config, item) }
	case keyring.PassBackend:
		opened.replace = func(item keyring.Item) error { return replaceInPass(config, item) }
	case keyring.KWalletBackend:
		opened.replace = func(item keyring.Item) error { return replaceInKWallet(ring, item) }
	}
	return opened, nil
}

// prepare finds out why a backend cannot be used, which the library keeps to itself, and completes its configuration.
func prepare(backend keyring.BackendType, config *keyring.Config) (err error) {
	switch backend {
	case keyring.SecretServiceBackend:
		config.LibSecretCollectionName, err = secretServiceCollection()
	case keyring.KWalletBackend:
		config.ServiceName = "kdewallet"
		if reason := nobus.Reason(); reason != "" {
			err = &problem{kindUnavailable, "there is no D-Bus session bus: " + reason}
		}
	case keyring.PassBackend:
		if _, missing := exec.LookPath("pass"); missing != nil {
			err = &problem{kindUnavailable, "the program pass is not installed"}
		}
	case keyring.FileBackend:
		config.FileDir, err = fileDirectory()
	}
	if err == nil && !slices.Contains(keyring.AvailableBackends(), backend) {
		err = &problem{kindUnavailable, "this build of ninjaone-auth for " + runtime.GOOS + " has no support for it"}
	}
	return err
}

func fileDirectory() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", &problem{kindUnavailable, err.Error()}
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
		return item, &problem{kindPassphraseWrong, "the passphrase does not open it"}
	}
	return item, &problem{kindDamaged, "its file is damaged"}
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
	if err := flush(written); err != nil {
		return err
	}
	return rename(written, filepath.Join(final, item.Key))
}

// rename replaces a file; Windows refuses that while another process reads it.
func rename(from, to string) (err error) {
	for range 100 {
		if err = os.Rename(from, to); runtime.GOOS != "windows" || !errors.Is(err, os.ErrPermission) {
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

// replaceInPass inserts beside and moves, as gpg would cut off the older file first.
func replaceInPass(config keyring.Config, item keyring.Item) error {
	final := config.PassPrefix + "/" + item.Key
	config.PassPrefix += "/new"
	beside, err := keyring.Open(config)
	if err != nil {
		return err
	}
	if err := beside.Set(item); err != nil {
		return err
	}
	move := exec.Command("pass", "mv", "--force", config.PassPrefix+"/"+item.Key, final)
	move.Stderr = os.Stderr
	return move.Run()
}

// replaceInKWallet reads back what it wrote, as the library drops KWallet's own verdict.
func replaceInKWallet(ring keyring.Keyring, item keyring.Item) error {
	if err := ring.Set(item); err != nil {
		return err
	}
	stored, err := ring.Get(item.Key)
	if err == nil && string(stored.Data) != string(item.Data) {
		err = errors.New("KWallet did not store the item")
	}
	return err
}
