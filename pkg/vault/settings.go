package vault

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
)

const (
	passphraseVariable     = "NINJAONE_AUTH_VAULT_PASSPHRASE"
	passphraseFileVariable = "NINJAONE_AUTH_VAULT_PASSPHRASE_FILE"
)

// environmentPassphrase is taken out of the environment, so that no child process inherits it.
var environmentPassphrase = take(passphraseVariable)

func take(variable string) string {
	value := os.Getenv(variable)
	os.Unsetenv(variable)
	return value
}

// chosenBackend returns the backend that backendVariable names, else the operating system's.
func chosenBackend() (keyring.BackendType, error) {
	chosen := keyring.BackendType(strings.ToLower(os.Getenv(backendVariable)))
	if chosen == "" {
		return systemBackend(), nil
	}
	if _, known := titles[chosen]; known {
		return chosen, nil
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(titles)) {
		names = append(names, string(name))
	}
	return "", &failure.Error{
		ID: "VaultUnavailable", Category: failure.InvalidArgument, Target: backendVariable,
		Message:        fmt.Sprintf("%s is %q, which is no keyring that ninjaone-auth knows.", backendVariable, chosen),
		Recommendation: "Set it to one of " + strings.Join(names, ", ") + ", or remove it to use the operating system's own keyring.",
	}
}

// passphrase returns what opens the file backend, without the line end of a passphrase file.
func passphrase() (string, error) {
	path := os.Getenv(passphraseFileVariable)
	if path == "" {
		if environmentPassphrase == "" {
			return "", passphraseMissing("neither " + passphraseFileVariable + " nor " + passphraseVariable + " is set")
		}
		return environmentPassphrase, nil
	}
	text, err := readPrivate(path)
	if err != nil {
		return "", passphraseMissing(fmt.Sprintf("%s (%s) cannot be used: %v", passphraseFileVariable, filepath.Base(path), err))
	}
	line := strings.TrimRight(string(text), "\r\n")
	if line == "" {
		return "", passphraseMissing(fmt.Sprintf("%s names an empty file", passphraseFileVariable))
	}
	return line, nil
}

func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if err := checkPrivate(info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, 1<<16))
}

func passphraseMissing(reason string) *failure.Error {
	return &failure.Error{
		ID: "VaultPassphraseMissing", Category: failure.InvalidArgument, Target: passphraseFileVariable,
		Message: "The encrypted file has no passphrase: " + reason + ".",
		Recommendation: "Write the passphrase to a file that only this user can read (chmod 600) and set " +
			passphraseFileVariable + " to its path.",
	}
}
