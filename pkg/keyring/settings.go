package keyring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/99designs/keyring"
	"github.com/agnivade/levenshtein"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring/nobus"
)

// The environment variables that choose a keyring and open the file backend.
const (
	BackendVariable        = "NINJAONE_AUTH_VAULT_BACKEND"
	PassphraseFileVariable = "NINJAONE_AUTH_VAULT_PASSPHRASE_FILE"
	passphraseVariable     = "NINJAONE_AUTH_VAULT_PASSPHRASE"
)

// environmentPassphrase is what passphraseVariable held.
var environmentPassphrase string

// PrepareEnvironment makes the environment fit for child processes: it takes the passphrase out of it, and gives it back
// the bus address that package nobus hid from the keyring library. It is called once, before any child is started.
func PrepareEnvironment() {
	nobus.Restore()
	environmentPassphrase = os.Getenv(passphraseVariable)
	os.Unsetenv(passphraseVariable)
}

// chosenBackend returns the backend that BackendVariable names, else the operating system's.
func chosenBackend() (keyring.BackendType, error) {
	chosen := keyring.BackendType(strings.ToLower(os.Getenv(BackendVariable)))
	if chosen == "" {
		return systemBackend(), nil
	}
	if _, known := titles[chosen]; known {
		return chosen, nil
	}
	return "", &failure.Error{
		ID: failure.InvalidSetting, Target: BackendVariable,
		Message:        fmt.Sprintf("%s is '%s', which is no keyring that ninjaone-auth knows.%s", BackendVariable, failure.Clean(string(chosen)), didYouMean(chosen)),
		Recommendation: "Set it to " + Choices() + ", or remove it to use the operating system's own keyring.",
	}
}

// didYouMean names the backend whose name is at most two letters away from a misspelt one.
func didYouMean(misspelt keyring.BackendType) string {
	near, least := keyring.BackendType(""), 3
	for known := range titles {
		if distance := levenshtein.ComputeDistance(string(misspelt), string(known)); distance < least {
			near, least = known, distance
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean '%s'?", near)
}

// Choices are the keyrings that can be chosen on this system, as the middle of a sentence.
func Choices() string {
	switch runtime.GOOS {
	case "windows":
		return "wincred or file"
	case "darwin":
		return "keychain, file or pass"
	}
	return "secret-service, file or pass"
}

// passphrase returns what opens the file backend, without the line end of a passphrase file.
func passphrase() (string, error) {
	path := os.Getenv(PassphraseFileVariable)
	if path == "" {
		if environmentPassphrase == "" {
			return "", passphraseMissing("neither " + PassphraseFileVariable + " nor " + passphraseVariable + " is set")
		}
		return environmentPassphrase, nil
	}
	text, err := ReadPrivate(path)
	if errors.Is(err, errNoFile) {
		return "", &failure.Error{
			ID: failure.VaultUnavailable, Target: PassphraseFileVariable,
			Message:        fmt.Sprintf("%s names %s, which is not a plain file.", PassphraseFileVariable, path),
			Recommendation: "Write the passphrase to a file, and set " + PassphraseFileVariable + " to its path.",
		}
	}
	if err != nil {
		return "", passphraseMissing(fmt.Sprintf("%s (%s) cannot be used: %s", PassphraseFileVariable, filepath.Base(path), failure.Reason(err)))
	}
	line := strings.TrimRight(string(text), "\r\n")
	if line == "" {
		return "", passphraseMissing(fmt.Sprintf("%s names an empty file", PassphraseFileVariable))
	}
	return line, nil
}

const shortestPassphrase = 12 // characters

// weakness says what is wrong with a passphrase that is good but for its length, and how to make a better one.
func weakness(passphrase string) string {
	if utf8.RuneCountInString(passphrase) >= shortestPassphrase {
		return ""
	}
	better := "head -c 24 /dev/urandom | base64"
	if runtime.GOOS == "windows" {
		better = "$bytes = [byte[]]::new(24); [Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes); [Convert]::ToBase64String($bytes)"
	}
	return fmt.Sprintf("The encrypted file's passphrase has fewer than %d characters, so whoever gets the file can guess it. This makes a good one: %s. "+
		"Sign in again after the change, as what is stored opens with the old one only.", shortestPassphrase, better)
}

var errNoFile = errors.New("not a plain file")

// ReadPrivate returns the first 64 KiB of a plain file that no other user can read; any other file is an error (on Windows
// entries of its access list for the system and administrators aside). It looks before it opens, as opening a pipe waits for
// somebody to write to it.
func ReadPrivate(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := checkPrivate(file); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, 1<<16))
}

func passphraseMissing(reason string) *failure.Error {
	return &failure.Error{
		ID: failure.VaultPassphraseMissing, Target: PassphraseFileVariable,
		Message: "The encrypted file has no passphrase: " + reason + ".",
		Recommendation: "Write the passphrase to a file that only this user can read (chmod 600) and set " +
			PassphraseFileVariable + " to its path.",
	}
}
