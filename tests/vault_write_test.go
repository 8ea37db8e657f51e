package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/tests/standin"
)

func TestExamples4And5(t *testing.T) {
	for _, name := range []vault.Name{plainName, {Vault: "Tresor \"süß\" 漢字/../$x", Prefix: "Kunde-Ä_"}} {
		onBothKinds(t, name, func(t *testing.T, b *box) {
			wrote := b.connects(b.example4(nil), nil)
			connections := b.service.Counters().Connections
			read := b.connects(b.example5(nil), nil)
			if wrote.ParameterSet != "Secret Vault Write" || read.ParameterSet != "Secret Vault Read" {
				t.Errorf("sets %q and %q", wrote.ParameterSet, read.ParameterSet)
			}
			if b.service.Counters().Connections != connections {
				t.Error("reading a valid session used the network")
			}
			want := wrote.Session
			want.Connection.ReadFromSecretVault = true
			equal(t, "read", read.Session, want)
			if b.who.secrets != nil {
				b.hasModulesForms(wrote.Session)
			}
		})
	}
}

// hasModulesForms compares the secrets with the module contract, literally.
func (b *box) hasModulesForms(s session.Session) {
	b.t.Helper()
	equal(b.t, "written", b.who.secrets.names(b.name.Prefix), every[1:])
	for name, want := range map[string]string{
		"AuthMode": "Client Credentials", "URL": "https://eu.ninjarmm.com", "Instance": "eu", "ClientId": b.app.ClientID,
		"ClientSecret": b.app.ClientSecret, "AuthScopes": "monitoring management control", "RedirectURI": "http://localhost:9090/",
		"AuthListenerPort": "9090", "UseSecretManagement": "True", "WriteToSecretVault": "True", "ReadFromSecretVault": "False",
		"VaultName": b.name.Vault, "ParseDateTimes": "False", "Type": "Bearer", "Access": s.Authentication.Access,
		"Expires": s.Authentication.Expires.Format("2006-01-02T15:04:05Z"),
	} {
		equal(b.t, name, b.who.secrets.vaults[b.name.Vault][b.name.Prefix+name], want)
	}
}

// Every set that has -WriteToSecretVault, without a browser; chromium_test.go signs in with one.
func TestSetsThatWrite(t *testing.T) {
	for _, test := range []struct {
		set  string
		mode session.Mode
		more parameters
	}{
		{"Secret Vault Write", session.ModeClientCredentials, nil},
		{"Secret Vault Write", session.ModeToken, parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": "?"}},
		{"Secret Vault Write", session.ModeToken, parameters{"UseClientAuth": nil, "RefreshToken": "?"}},
		{"Client Credentials", session.ModeClientCredentials, parameters{"ShowTokens": true}},
		{"Token Authentication", session.ModeToken, parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": "?", "ShowTokens": true}},
	} {
		onBothKinds(t, plainName, func(t *testing.T, b *box) {
			if _, ok := test.more["RefreshToken"]; ok {
				test.more["RefreshToken"] = b.service.IssueRefreshToken(b.app.ClientID)
			}
			o := b.connects(b.example4(test.more), nil)
			stored := b.get()
			if o.ParameterSet != test.set || o.Connection.AuthMode != test.mode || stored != o.Authentication {
				t.Errorf("%s, %s; stored %+v\nwant %+v", o.ParameterSet, o.Connection.AuthMode, stored, o.Authentication)
			}
			if test.mode == session.ModeToken && string(stored.Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
				t.Error("the stored refresh token is not the last one")
			}
		})
	}
}

// -UseSecretManagement alone only marks the session; the next renewal does not store it either.
func TestUseSecretManagementAlone(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		o := b.connects(b.example4(parameters{"WriteToSecretVault": nil}), nil)
		c := o.Connection
		if o.ParameterSet != "Client Credentials" || !c.UseSecretManagement || c.WriteToSecretVault || c.VaultName != vaultName {
			t.Errorf("%s: %+v", o.ParameterSet, c)
		}
		b.connects(of(b.app, parameters{"UseClientAuth": true, "ShowTokens": nil}), &o.Session)
		b.holdsNothing()
	})
}

// holdsNothing fails the test if the vault was asked for anything, or has a session.
func (b *box) holdsNothing() {
	b.t.Helper()
	if b.who.secrets != nil {
		if read, written := b.who.secrets.counted(); read+written > 0 {
			b.t.Errorf("%d secrets were read and %d written", read, written)
		}
		return
	}
	b.refuses(b.example5(nil), nil, "VaultNotFound")
}

func TestWriteWithoutSecretManagement(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		o := b.connects(b.example4(parameters{"UseSecretManagement": nil}), nil)
		if !strings.Contains(o.said("warning"), "-UseSecretManagement") {
			t.Errorf("warnings %q", o.said("warning"))
		}
		b.holdsNothing()
	})
}

func TestWriteWithoutVaultName(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		o := b.refuses(b.example4(parameters{"VaultName": nil}), nil, "MissingMandatoryParameter", "VaultName")
		if o.Target != "VaultName" {
			t.Errorf("target %q", o.Target)
		}
		b.asked()
		b.holdsNothing()
	})
}

func TestWhichVault(t *testing.T) {
	for _, test := range []struct {
		name    string
		secrets *secretManagement
		warns   bool
	}{
		{"no such vault", newSecretManagement("Other"), true},
		{"no SecretManagement", &secretManagement{missing: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := keyringBox(t, plainName)
			b.who = &caller{Streams: allStreams, Vaults: true, secrets: test.secrets}
			b.refuses(b.example5(nil), nil, "VaultNotFound", "SecretManagement", "encrypted file", vaultName, "-WriteToSecretVault")
			o := b.connects(b.example4(nil), nil)
			warning := o.said("warning")
			if warned := strings.Contains(warning, "Register-SecretVault"); warned != test.warns || !test.warns && warning != "" {
				t.Errorf("warnings %q", warning)
			}
			if !strings.Contains(o.said("verbose"), "keyring") {
				t.Errorf("verbose does not say that the keyring is used: %q", o.said("verbose"))
			}
			if o = b.connects(b.example5(nil), nil); o.said("warning") != "" {
				t.Errorf("a read warns: %q", o.said("warning"))
			}
			if _, written := test.secrets.counted(); written > 0 {
				t.Error("SecretManagement was written to")
			}
			// A caller without vaults, a shell script, finds the same session.
			b.who = nil
			b.connects(b.example5(nil), nil)
		})
	}
}

// What cannot be stored anywhere is said before anybody signs in.
func TestNoVaultAtAll(t *testing.T) {
	m := newMachine(t)
	m.set("NINJAONE_AUTH_VAULT_BACKEND", "")
	b := &box{m, plainName, &caller{Streams: allStreams}, m.app(standin.App{})}
	b.refuses(b.example4(nil), nil, "VaultUnavailable", "Secret Service", "NINJAONE_AUTH_VAULT_BACKEND", "Register-SecretVault")
	b.refuses(b.example5(nil), nil, "VaultUnavailable", "Secret Service")
	b.asked()
	if o := b.connects(asClient(b.app), nil); o.elapsed > atOnce {
		t.Errorf("a connect without a vault took %s", o.elapsed)
	}
}

// A session of another flow takes the place of an older one.
func TestOverwrite(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		wrote := b.connects(b.example4(nil), nil)
		read := b.connects(b.example5(nil), nil)
		if read.Connection.AuthMode != session.ModeClientCredentials || read.Authentication != wrote.Authentication {
			t.Errorf("read %+v\nwant %+v", read.Session, wrote.Session)
		}
	})
}

// Two prefixes are two sessions in one vault.
func TestPrefixes(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		one := b.connects(b.example4(parameters{"SecretPrefix": "One"}), nil)
		two := b.connects(b.example4(parameters{"SecretPrefix": "Two"}), nil)
		for prefix, want := range map[string]*outcome{"One": one, "Two": two} {
			if got := b.connects(b.example5(parameters{"SecretPrefix": prefix}), nil); got.Authentication != want.Authentication || got.Connection.SecretPrefix != prefix {
				t.Errorf("prefix %s: read %+v", prefix, got.Session)
			}
		}
		id := map[bool]string{true: "VaultNotFound", false: "SessionNotStored"}[b.who.secrets == nil]
		b.refuses(b.example5(nil), nil, id, `"NinjaOne"`)
	})
}

// What the program writes to disk is this user's alone, and holds nothing in the clear.
func TestFilesArePrivate(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	b.connects(b.example5(nil), nil)
	seen := 0
	err := filepath.WalkDir(b.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == b.home {
			return err
		}
		info, err := entry.Info()
		if err != nil || entry.IsDir() && !strings.Contains(path, "ninjaone-auth") {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		if entry.Type().IsRegular() && filepath.Base(path) != "passphrase" {
			text, err := os.ReadFile(path)
			b.searchForSecrets(path, string(text))
			return err
		}
		return nil
	})
	if err != nil || seen < 4 {
		t.Errorf("looked at %d files and directories, %v", seen, err)
	}
}
