package keyring

import (
	"path/filepath"
	"testing"

	"ninjaone-auth/tests/need"
)

// The tests of Windows alone. Wine's Credential Manager has no limit of 2,560 bytes.
func TestCredentialManager(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "private"), "correct horse", 0o600)
	write(t, filepath.Join(folder, "shared"), "correct horse", 0o644)
	need.OnWindows(t, folder, "TestSystemKeyring", "TestCredentialsThatCannotBeListed", "TestScannedFile", "TestIgnoresSignals",
		"TestAccessListOfThePassphraseFile")
}
