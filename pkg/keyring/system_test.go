//go:build windows || darwin

package keyring

import (
	"errors"
	"os"
	"testing"

	"ninjaone-auth/tests/need"
)

// Credential Manager, or Keychain. It is the user's own, so the test runs only where a variable says that the machine is
// there for tests.
func TestSystemKeyring(t *testing.T) {
	if os.Getenv("NINJAONE_AUTH_TEST_MACHINE") != "1" {
		need.Missing(t, "a throw-away machine", "set NINJAONE_AUTH_TEST_MACHINE=1 there")
	}
	t.Setenv(BackendVariable, "")
	folder, err := os.MkdirTemp("", "keyring") // Wine can't remove what t.TempDir has made
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", folder)
	t.Cleanup(func() {
		if err := errors.Join(os.Remove(lockFile(t)), os.Remove(lockFile(t)+".gate"), os.Remove(folder)); err != nil {
			t.Error(err)
		}
	})
	roundTrip(t)
	for _, key := range []string{key, otherKey} {
		if err := open().Remove(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
}
