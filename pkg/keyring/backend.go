package keyring

import (
	"os"
	"os/exec"
	"runtime"
	"slices"

	"github.com/99designs/keyring"
)

// windowsLimit is CRED_MAX_CREDENTIAL_BLOB_SIZE of Windows' wincred.h, in bytes.
const windowsLimit = 5 * 512

// titles are the backends by the names of the library, which BackendVariable takes too.
var titles = map[keyring.BackendType]string{
	keyring.WinCredBackend:       "Windows Credential Manager",
	keyring.KeychainBackend:      "macOS Keychain",
	keyring.SecretServiceBackend: "Secret Service",
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

// prompts tells whether a backend waits for ever where nobody sees what it asks. (macOS shows Keychain's dialogs itself.)
func prompts(backend keyring.BackendType) bool {
	return backend == keyring.SecretServiceBackend || backend == keyring.PassBackend
}

func openBackend(backend keyring.BackendType, passphrase string) (*items, error) {
	config := keyring.Config{
		AllowedBackends:                []keyring.BackendType{backend},
		ServiceName:                    "ninjaone-auth",
		KeychainTrustApplication:       true,
		KeychainAccessibleWhenUnlocked: true,
		PassPrefix:                     "ninjaone-auth",
		FilePasswordFunc:               keyring.FixedStringPrompt(passphrase),
	}
	if err := prepare(backend, &config); err != nil {
		return nil, err
	}
	ring, err := keyring.Open(config)
	if err != nil {
		return nil, &Problem{Unavailable, "it does not answer"}
	}
	opened := &items{ring: ring, replace: ring.Set}
	switch backend {
	case keyring.WinCredBackend:
		opened.ring, opened.limit = credentials{ring}, windowsLimit
	case keyring.FileBackend:
		opened.ring = fileRing{ring, config.FileDir}
		opened.replace = func(item keyring.Item) error { return replaceFile(config, item) }
	case keyring.PassBackend:
		opened.replace = func(item keyring.Item) error { return replaceInPass(config, item) }
	}
	return opened, nil
}

// prepare finds out why a backend cannot be used, which the library keeps to itself, and completes its configuration.
func prepare(backend keyring.BackendType, config *keyring.Config) (err error) {
	switch backend {
	case keyring.SecretServiceBackend:
		config.LibSecretCollectionName, err = secretServiceCollection()
	case keyring.PassBackend:
		if _, missing := exec.LookPath("pass"); missing != nil {
			err = &Problem{Unavailable, "the program pass is not installed"}
		}
	case keyring.FileBackend:
		config.FileDir, err = Folder()
	}
	if err == nil && !slices.Contains(keyring.AvailableBackends(), backend) {
		err = &Problem{Unavailable, "this build of ninjaone-auth for " + runtime.GOOS + " has no support for it"}
	}
	return err
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
