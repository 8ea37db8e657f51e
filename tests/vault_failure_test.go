package tests

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

func TestSecretManagementFailsAtEachSecret(t *testing.T) {
	for at, name := range every[:4] {
		t.Run(name, func(t *testing.T) {
			b := secretManagementBox(t, plainName)
			p := b.example4(parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": b.service.IssueRefreshToken(b.app.ClientID)})
			b.who.secrets.fullAt = "NinjaOne" + name
			o := b.connects(p, nil)
			equal(t, "stored", strings.Join(b.who.secrets.names("NinjaOne"), " "), strings.Join(every[:at], " "))
			var lost []string
			for _, name := range every[at:] {
				lost = append(lost, "NinjaOne"+name)
			}
			contains(t, "the warning", o.said("warning"), ": "+strings.Join(lost, ", ")+".", inMemoryOnly, "read only")
			if string(o.Authentication.Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
				t.Error("the session is without its last refresh token")
			}
		})
	}
}

// To a caller that shows no stream, the answer tells the warning.
func TestWarningInTheAnswer(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.expired()
	b.who.Streams, b.who.secrets.fullAt = nil, "NinjaOneRefresh"
	if o := b.connects(b.example5(nil), nil); len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], inMemoryOnly) {
		t.Errorf("warnings %q", o.Warnings)
	}
}

func TestSecretManagementDown(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.who.secrets.down = true
	for _, p := range []parameters{b.example4(nil), b.example5(nil)} {
		b.refuses(p, nil, "VaultFailed", vaultName, "The store is locked", "Unlock-SecretVault")
	}
	b.asked()
}

// A renewal that uses up no refresh token goes on without a vault that has locked itself meanwhile; one that would waits
// for the vault.
func TestRenewalWhileSecretManagementIsDown(t *testing.T) {
	b := secretManagementBox(t, plainName)
	s := b.expired()
	b.who.secrets.down = true
	b.refuses(b.update(s), &s, "VaultFailed", "The store is locked")
	b.asked()
	s.Connection.AuthMode, s.Connection.AuthScopes, s.Authentication.Refresh = session.ModeClientCredentials, "monitoring", ""
	o := b.connects(b.update(s), &s)
	contains(t, "the warning", o.said("warning"), "without being stored", "The store is locked")
	equal(t, "connection", o.Connection, s.Connection)
}

func TestFullDisk(t *testing.T) {
	b := keyringBox(t, plainName)
	old := b.expired()
	b.through = fullDisk
	b.refuses(b.example5(nil), nil, "SecretNotStored", "file too large", "nothing was sent")
	b.asked()
	equal(t, "the older session", b.get(), old.Authentication)
	b.through = nil
	b.holdsLast(b.connects(b.example5(nil), nil))
}

// The vault goes away while the token is renewed.
func TestVaultRemovedMeanwhile(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		b.hold()
		c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		b.awaitRequests(1)
		if b.who.secrets == nil {
			if err := os.RemoveAll(b.vaultDirectory()); err != nil {
				t.Fatal(err)
			}
		} else {
			b.who.secrets.mutex.Lock()
			delete(b.who.secrets.vaults, vaultName)
			b.who.secrets.mutex.Unlock()
		}
		b.release()
		o := c.wait().succeeded(t)
		equal(t, "refresh token", string(o.Authentication.Refresh), b.service.CurrentRefreshToken(b.app.ClientID))
		if b.who.secrets == nil {
			b.holdsLast(o)
		} else {
			contains(t, "the warning", o.said("warning"), inMemoryOnly, "NinjaOneRefresh, NinjaOneAccess, NinjaOneExpires")
		}
	})
}

// What a keyring in files can suffer is tested with the package; here, that no token is asked for that can't be stored.
func TestFileTrouble(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(b *box)
		id    string
		words []string
	}{
		{"wrong passphrase", func(b *box) { b.useFile("another passphrase") }, "VaultPassphraseWrong", []string{"NINJAONE_AUTH_VAULT_PASSPHRASE_FILE"}},
		{"no passphrase", func(b *box) { b.set("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "") },
			"VaultPassphraseMissing", []string{"NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "chmod 600"}},
		{"garbage", func(b *box) { write(b.t, b.vaultFile(), "\x00garbage") }, "VaultDataInvalid", []string{"damaged", "-WriteToSecretVault"}},
		{"not readable", func(b *box) {
			file := b.vaultFile()
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				b.t.Fatal(err)
			}
		}, "VaultFailed", []string{"is a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := keyringBox(t, plainName)
			b.put(b.session(time.Hour))
			test.spoil(b)
			b.refuses(b.example5(nil), nil, test.id, test.words...)
			if test.id == "VaultDataInvalid" { // a write puts it right
				equal(t, "stored", b.connects(b.example4(nil), nil).Authentication, b.get())
				return
			}
			b.refuses(b.example4(nil), nil, test.id, test.words...)
			b.asked()
		})
	}
}

// A valid session is read without a lock; what needs the lock is refused before a token is used up.
func TestLockDirectoryThatCannotBeMade(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(time.Hour)
		b.put(s)
		old := b.session(-time.Hour)
		b.env = append(b.env, "HOME=/dev/null/home")
		b.connects(b.example5(nil), nil)
		b.put(old)
		b.refuses(b.example5(nil), nil, "LockFailed", "/dev/null/home", "NINJAONE_AUTH_STATE_DIR")
		b.refuses(b.example4(nil), nil, "LockFailed", "NINJAONE_AUTH_STATE_DIR")
		b.env = append(b.env, "NINJAONE_AUTH_STATE_DIR=relative")
		b.refuses(b.example5(nil), nil, "LockFailed", "NINJAONE_AUTH_STATE_DIR has to be an absolute path")
		b.asked()
		b.env = append(b.env, "NINJAONE_AUTH_STATE_DIR="+b.stateFolder())
		b.holdsLast(b.connects(b.example5(nil), nil))
	})
}

// A lock that somebody else holds is waited for, which verbose says, until a signal.
func TestWaitingEndsWithASignal(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		b.hold()
		first := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		b.awaitRequests(1)
		second := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		second.await("verbose", "Waiting for another process")
		second.endsAtOnce(endings["SIGTERM"])
		b.release()
		b.holdsLast(first.wait())
		b.asked("refresh_token")
	})
}

// Once a refresh is under way its response is awaited and stored, however the call is ended.
func TestEndedDuringARenewal(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			onBothKinds(t, plainName, func(t *testing.T, b *box) {
				b.expired()
				b.hold()
				c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
				b.awaitRequests(1)
				end(c)
				time.Sleep(100 * time.Millisecond) // one that would give up has time to
				b.release()
				b.holdsLast(c.wait().succeeded(t))
			})
		})
	}
}

// 8 KiB tokens, and secrets of every alphabet.
func TestLargeAndForeign(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.app = b.machine.app(standin.App{ClientSecret: "gehëim-秘密-\U0001F511-\"'\\\u2028", TokenLength: 8 << 10})
		b.expired()
		o := b.connects(b.example5(nil), nil)
		b.holdsLast(o)
		if len(o.Authentication.Refresh) != 8<<10 {
			t.Errorf("the refresh token has %d bytes", len(o.Authentication.Refresh))
		}
		again := b.connects(b.example5(nil), nil)
		if again.Session != o.Session || again.Connection.ClientSecret != b.app.ClientSecret {
			t.Error("what was read is not what was written")
		}
	})
}

// A clock that is an hour off, on the machine that shares the vault: what it stored looks older than what this one has.
func TestClockOfAnotherMachine(t *testing.T) {
	b := secretManagementBox(t, plainName)
	mine := b.session(-time.Hour)
	mine.Connection.ReadFromSecretVault = true
	stored := mine
	stored.Authentication.Access, stored.Authentication.Refresh = "of the other", mine.Authentication.Refresh
	mine.Authentication.Refresh = "used up by the other"
	stored.Authentication.Expires = mine.Authentication.Expires.Add(-time.Minute)
	b.put(stored)
	b.holdsLast(b.connects(b.update(mine), &mine))
}
