//go:build unix

package tests

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
)

// Where somebody else could hold, remove or replace the locks, no refresh token is used.
func TestLocksThatOthersHaveTheirHandsOn(t *testing.T) {
	for _, test := range []struct {
		name, reason string
		spoil        func(t *testing.T, folder string)
	}{
		{"writable for others", "others can write", func(t *testing.T, folder string) { must(t, os.Chmod(folder, 0o777)) }},
		{"somebody else's", "belongs to somebody else", func(t *testing.T, folder string) {
			if os.Chown(folder, 65534, 65534) != nil {
				need.Missing(t, "a folder of somebody else", "run the tests as root")
			}
			must(t, os.Chmod(folder, 0o700))
		}},
		{"a link to a folder", "not a folder", func(t *testing.T, folder string) {
			must(t, os.Rename(folder, folder+".moved"))
			must(t, os.Symlink(folder+".moved", folder))
		}},
		{"a link for a lock", "not a plain file", func(t *testing.T, folder string) {
			locks, err := filepath.Glob(filepath.Join(folder, "*"))
			if err != nil || len(locks) == 0 {
				t.Fatalf("%v, %v", locks, err)
			}
			for _, lock := range locks {
				must(t, os.Remove(lock))
				must(t, os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), lock))
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBothKinds(t, plainName, func(t *testing.T, b *box) {
				b.expired()
				b.connects(b.example5(nil), nil)
				b.expired()
				test.spoil(t, b.stateFolder())
				b.refuses(b.example5(nil), nil, "VaultUnavailable", "locked safely", test.reason)
				b.asked("refresh_token")
			})
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Opening a pipe waits for somebody to write to it, for ever.
func TestPassphraseFileThatIsAPipe(t *testing.T) {
	b := keyringBox(t, plainName)
	pipe := filepath.Join(b.home, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	b.env = append(b.env, "NINJAONE_AUTH_VAULT_PASSPHRASE_FILE="+pipe)
	c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
	defer time.AfterFunc(atOnce, func() { _ = c.command.Process.Kill() }).Stop()
	c.wait().hasFailed(t, "VaultUnavailable", "not a plain file", pipe)
}

func TestShortPassphrase(t *testing.T) {
	b := keyringBox(t, plainName)
	equal(t, "the warning", b.connects(b.example4(nil), nil).said("warning"), "")
	b.useFile("eleven char")
	must(t, os.Remove(b.vaultFile()))
	contains(t, "the warning", b.connects(b.example4(nil), nil).said("warning"), "fewer than 12 characters", "head -c 24 /dev/urandom | base64.")
}
