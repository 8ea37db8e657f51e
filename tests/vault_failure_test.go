package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

// fullDisk starts a program that cannot write to a file.
var fullDisk = []string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`}

const inMemoryOnly = "$Script:NRAPIAuthenticationInformation only"

func TestSecretManagementFailsAtEachSecret(t *testing.T) {
	for at, name := range every[:4] {
		t.Run(name, func(t *testing.T) {
			b := secretManagementBox(t, plainName)
			p := b.example4(parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": b.service.IssueRefreshToken(b.app.ClientID)})
			b.who.secrets.fullAt = "NinjaOne" + name
			o := b.connects(p, nil)
			if got := b.who.secrets.names("NinjaOne"); !slices.Equal(got, every[:at]) {
				t.Errorf("stored were %v", got)
			}
			var lost []string
			for _, name := range every[at:] {
				lost = append(lost, "NinjaOne"+name)
			}
			warning := o.said("warning")
			for _, want := range []string{": " + strings.Join(lost, ", ") + ".", inMemoryOnly, "read only"} {
				if !strings.Contains(warning, want) {
					t.Errorf("the warning %q does not say %q", warning, want)
				}
			}
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
	if warning := o.said("warning"); !strings.Contains(warning, "without being stored") || !strings.Contains(warning, "The store is locked") {
		t.Errorf("warnings %q", warning)
	}
	if o.Connection != s.Connection {
		t.Errorf("the settings changed: %+v", o.Connection)
	}
}

func TestFullDisk(t *testing.T) {
	b := keyringBox(t, plainName)
	old := b.expired()
	b.through = fullDisk
	o := b.connects(b.example5(nil), nil)
	if warning := o.said("warning"); !strings.Contains(warning, inMemoryOnly) || !strings.Contains(warning, "file too large") {
		t.Errorf("warnings %q", warning)
	}
	if string(o.Authentication.Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
		t.Error("the session is without its last refresh token")
	}
	if b.get() != old.Authentication {
		t.Error("the older session is damaged")
	}
	b.through = nil
	o.Connection.ReadFromSecretVault = true
	b.holdsLast(b.connects(b.update(o.Session), &o.Session))
}

// The vault goes away while the token is renewed.
func TestVaultRemovedMeanwhile(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: 300 * time.Millisecond, Times: 1}); err != nil {
			t.Fatal(err)
		}
		c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		b.awaitRequest(1)
		if b.who.secrets == nil {
			if err := os.RemoveAll(b.vaultDirectory()); err != nil {
				t.Fatal(err)
			}
		} else {
			b.who.secrets.mutex.Lock()
			delete(b.who.secrets.vaults, vaultName)
			b.who.secrets.mutex.Unlock()
		}
		o := c.wait()
		if o.Type != "session" || string(o.Authentication.Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
			t.Fatalf("%s: %s", o.ID, o.Message)
		}
		if b.who.secrets == nil {
			b.holdsLast(o)
		} else if warning := o.said("warning"); !strings.Contains(warning, inMemoryOnly) || !strings.Contains(warning, "NinjaOneRefresh, NinjaOneAccess, NinjaOneExpires") {
			t.Errorf("warnings %q", warning)
		}
	})
}

func (m *machine) vaultDirectory() string {
	return filepath.Join(m.home, "config", "ninjaone-auth", "vault")
}

// vaultFile is the one file in the keyring.
func (m *machine) vaultFile() string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.vaultDirectory(), "ninjaone-auth.*"))
	if err != nil || len(files) != 1 {
		m.t.Fatalf("the vault's files are %v, %v", files, err)
	}
	return files[0]
}

// awaitRequest waits until the service has had so many token requests.
func (m *machine) awaitRequest(n int) {
	m.t.Helper()
	for range 500 {
		if len(m.service.Requests()) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatalf("there was no request number %d within 5 seconds", n)
}

func TestFileTrouble(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, b *box) error
		id    string
		words []string
	}{
		{"wrong passphrase", func(t *testing.T, b *box) error {
			b.useFile("another passphrase")
			return nil
		}, "VaultPassphraseWrong", []string{"NINJAONE_AUTH_VAULT_PASSPHRASE_FILE"}},
		{"passphrase for all to read", func(t *testing.T, b *box) error {
			return os.Chmod(filepath.Join(b.home, "passphrase"), 0o644)
		}, "VaultPassphraseMissing", []string{"chmod 600"}},
		{"no passphrase", func(t *testing.T, b *box) error {
			b.set("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "")
			return nil
		}, "VaultPassphraseMissing", []string{"NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "chmod 600"}},
		{"no passphrase file", func(t *testing.T, b *box) error {
			return os.Remove(filepath.Join(b.home, "passphrase"))
		}, "VaultPassphraseMissing", []string{"NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "no such file"}},
		{"garbage", func(t *testing.T, b *box) error {
			return os.WriteFile(b.vaultFile(), []byte("\x00garbage"), 0o600)
		}, "VaultDataInvalid", []string{"damaged", "-WriteToSecretVault"}},
		{"cut off", func(t *testing.T, b *box) error { return os.Truncate(b.vaultFile(), 200) }, "VaultDataInvalid", []string{"damaged"}},
		{"empty", func(t *testing.T, b *box) error { return os.Truncate(b.vaultFile(), 0) }, "VaultDataInvalid", []string{"damaged"}},
		{"not readable", func(t *testing.T, b *box) error {
			file := b.vaultFile()
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Mkdir(file, 0o700)
		}, "VaultFailed", []string{"is a directory"}},
		{"unknown backend", func(t *testing.T, b *box) error {
			b.set("NINJAONE_AUTH_VAULT_BACKEND", "safe")
			return nil
		}, "VaultUnavailable", []string{`"safe"`, "file", "secret-service"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := keyringBox(t, plainName)
			b.put(b.session(time.Hour))
			if err := test.spoil(t, b); err != nil {
				t.Fatal(err)
			}
			b.refuses(b.example5(nil), nil, test.id, test.words...)
			if test.id != "VaultDataInvalid" { // else a write puts it right
				b.refuses(b.example4(nil), nil, test.id, test.words...)
				b.asked()
				return
			}
			wrote := b.connects(b.example4(nil), nil)
			if b.get() != wrote.Authentication {
				t.Error("the damaged session was not replaced")
			}
		})
	}
}

// A valid session is read without a lock; what needs the lock is refused before a token is used up.
func TestLockDirectoryThatCannotBeMade(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(time.Hour)
		b.put(s)
		old := b.session(-time.Hour)
		b.env = append(b.env, "XDG_CACHE_HOME=/dev/null/cache")
		if b.who.secrets == nil {
			b.env = append(b.env, "HOME="+b.home)
		}
		b.connects(b.example5(nil), nil)
		b.put(old)
		b.refuses(b.example5(nil), nil, "LockFailed", "/dev/null/cache", "XDG_CACHE_HOME")
		b.refuses(b.example4(nil), nil, "LockFailed", "XDG_CACHE_HOME")
		b.asked()
	})
}

// A lock that somebody else holds is waited for, which verbose says, until a signal.
func TestWaitingEndsWithASignal(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: 700 * time.Millisecond, Times: 1}); err != nil {
			t.Fatal(err)
		}
		first := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		b.awaitRequest(1)
		second := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		time.Sleep(300 * time.Millisecond)
		if err := second.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		o := second.wait()
		o.hasFailed(t, "Interrupted")
		if !strings.Contains(o.said("verbose"), "Waiting for another process") {
			t.Errorf("verbose %q", o.said("verbose"))
		}
		b.holdsLast(first.wait())
		b.asked("refresh_token")
	})
}

// Once a refresh is under way its answer is awaited and stored, however the call is ended.
func TestEndedDuringARenewal(t *testing.T) {
	for name, end := range map[string]func(*conversation) error{
		"SIGTERM":     func(c *conversation) error { return c.command.Process.Signal(syscall.SIGTERM) },
		"SIGINT":      func(c *conversation) error { return c.command.Process.Signal(syscall.SIGINT) },
		"caller gone": func(c *conversation) error { return c.stdin.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			onBothKinds(t, plainName, func(t *testing.T, b *box) {
				b.expired()
				if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: 500 * time.Millisecond, Times: 1}); err != nil {
					t.Fatal(err)
				}
				c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
				b.awaitRequest(1)
				if err := end(c); err != nil {
					t.Fatal(err)
				}
				o := c.wait()
				if o.Type != "session" {
					t.Fatalf("%s: %s", o.ID, o.Message)
				}
				b.holdsLast(o)
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

func TestPassphraseIsNotInherited(t *testing.T) {
	b := keyringBox(t, plainName)
	b.set("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", "")
	b.env = append(b.env, "NINJAONE_AUTH_VAULT_PASSPHRASE=open sesame")
	b.secrets = append(b.secrets, "open sesame")
	if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: 300 * time.Millisecond, Times: 1}); err != nil {
		t.Fatal(err)
	}
	c := b.start(request{Parameters: b.example4(nil), Caller: b.who})
	b.awaitRequest(1)
	pid := c.command.Process.Pid
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, thread := range threads {
		of, _ := os.ReadFile(thread)
		children = append(children, strings.Fields(string(of))...)
	}
	if len(children) == 0 {
		t.Fatal("there is no child to look at")
	}
	for _, child := range children {
		for _, file := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile("/proc/" + child + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			b.searchForSecrets("the child's "+file, string(text))
		}
	}
	if o := c.wait(); o.Type != "session" {
		t.Fatalf("%s: %s", o.ID, o.Message)
	}
	b.connects(b.example5(nil), nil)
}
