package tests

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// loginBox is a machine whose keyring is an encrypted file, and the name under which login keeps its session.
func loginBox(t *testing.T) *box {
	return keyringBox(t, vault.Name{Vault: "NinjaOne", Prefix: "NinjaOne"})
}

// login is a command line for the box's application.
func (b *box) login(more ...string) []string {
	return append([]string{"login", "--instance", b.app.Instance, "--client-id=" + b.app.ClientID}, more...) // which may begin with -
}

// secretFile is a file with a secret that only this user can read.
func (b *box) secretFile(secret string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "secret")
	write(b.t, path, secret)
	return path
}

func TestLoginWithClientCredentials(t *testing.T) {
	b := loginBox(t)
	for name, login := range map[string]func() ran{
		"a file": func() ran {
			return b.runs(0, b.login("--client", "--client-secret-file", b.secretFile(b.app.ClientSecret))...)
		},
		"a file's line": func() ran {
			return b.runs(0, b.login("--client", "--client-secret-file", b.secretFile(b.app.ClientSecret+"\r\n"))...)
		},
		"stdin": func() ran {
			return b.runsOn(b.app.ClientSecret+"\n", 0, b.login("--client", "--client-secret-file", "-")...)
		},
		"the environment": func() ran {
			return b.with("NINJAONE_CLIENT_SECRET="+b.app.ClientSecret).runs(0, b.login("--client")...)
		},
	} {
		login().saysOnly(t, "Signed in to eu.ninjarmm.com", "'NinjaOne'", "encrypted file")
		if stored := b.get(); !b.service.IsValidAccess(stored.Access) {
			t.Errorf("%s: stored %+v", name, stored)
		}
	}
	if token := b.runs(0, "token").stdout; token != b.get().Access+"\n" {
		t.Errorf("token printed %q", token)
	}
}

// with is the machine with more in its environment.
func (m *machine) with(variables ...string) *machine {
	changed := *m
	changed.env = append(slices.Clone(m.env), variables...)
	return &changed
}

func TestLoginWithARefreshToken(t *testing.T) {
	b := loginBox(t)
	b.app = b.machine.app(standin.App{RefreshToken: "first-refresh-token"})
	r := b.with("NINJAONE_CLIENT_SECRET="+b.app.ClientSecret).runs(0, b.login("--refresh-token-file", b.secretFile(b.app.RefreshToken), "--json", "--vault", "Mine", "--prefix", "P")...)
	var told facts
	if err := json.Unmarshal([]byte(r.stdout), &told); err != nil || told.Vault != "Mine" || told.Prefix != "P" || !told.Renewable || told.AuthMode != "Token Authentication" {
		t.Errorf("%v: %s", err, r.stdout)
	}
	b.name = vault.Name{Vault: "Mine", Prefix: "P"}
	b.holdsNewest()
	next := b.service.IssueRefreshToken(b.app.ClientID)
	b.with("NINJAONE_CLIENT_SECRET="+b.app.ClientSecret, "NINJAONE_REFRESH_TOKEN="+next).runs(0, b.login("--token")...)
	b.asked("refresh_token", "refresh_token")
}

func TestLoginAsksForScopes(t *testing.T) {
	b := loginBox(t)
	secret := b.secretFile(b.app.ClientSecret)
	b.runs(0, b.login("--client", "--client-secret-file", secret, "--scope", "monitoring,control", "--scope", "management")...)
	b.runs(0, b.login("--client", "--client-secret-file", secret, "--scope", "monitoring control")...)
	var sent []string
	for _, r := range b.tokenRequests() {
		sent = append(sent, r.Scope)
	}
	equal(t, "scopes", sent, []string{"monitoring control management", "monitoring control"})
}

// Neither the browser nor the keyring's child gets a secret from the environment.
func TestLoginInTheBrowser(t *testing.T) {
	b := loginBox(t)
	p, browser := b.useWeb(nil)
	port, _ := json.Marshal(p["Port"])
	r := b.with("NINJAONE_CLIENT_SECRET="+b.app.ClientSecret, "NINJAONE_REFRESH_TOKEN=not-used").runs(0, b.login("--web", "--port", string(port))...)
	r.saysOnly(t, "Sign in to NinjaOne", b.app.ClientID, "Signed in", "renews it")
	if environment := read(t, browser+".environment"); strings.Contains(environment, b.app.ClientSecret) || strings.Contains(environment, "NINJAONE_REFRESH_TOKEN") ||
		!strings.Contains(environment, "BROWSER=") {
		t.Errorf("the browser's environment: %s", environment)
	}
	b.asked("authorization_code")
	b.holdsNewest()
}

func TestLoginIsRefused(t *testing.T) {
	b := loginBox(t)
	secret := b.secretFile(b.app.ClientSecret)
	b.runs(2, b.login()...).saysOnly(t, "--web, --client, or --token")
	b.runs(2, b.login("--client")...).saysOnly(t, "--client-secret-file", "NINJAONE_CLIENT_SECRET")
	b.runs(2, b.login("--client", "--client-secret-file", "-")...).saysOnly(t, "missing or empty")
	b.runs(2, b.login("--client", "--web")...).saysOnly(t, "--client", "--web")
	b.runs(2, b.login("--client", "--client-secret", b.app.ClientSecret)...).saysOnly(t, "unknown flag --client-secret")
	b.runs(2, b.login("--token", "--client-secret-file", secret)...).saysOnly(t, "--refresh-token-file")
	b.runs(2, b.login("--token", "--client-secret-file", "-", "--refresh-token-file", "-")...).saysOnly(t, "one of")
	b.runs(2, b.login("--client", "--client-secret-file", secret+"-none")...).saysOnly(t, "no such file")
	b.runs(2, "login", "--instance", "mars", "--client-id", "x").saysOnly(t, "--instance", "eu", "fed", "ninjaone-auth login --help")
	b.runs(2, "login", "--client").saysOnly(t, "--client-id", "--instance")
	b.runs(1, b.login("--client", "--client-secret-file", secret, "--port", "70000")...).saysOnly(t, "--port takes")
	b.requested(0)
	b.runs(1, b.login("--client", "--client-secret-file", b.secretFile("wrong"))...).saysOnly(t, "InvalidClient", "--client-id, --client-secret-file and --instance")
}

// A session of the same name gives way to the new one only when there is one.
func TestLoginThatFailsLeavesTheSession(t *testing.T) {
	b := loginBox(t)
	old := b.session(time.Hour)
	b.put(old)
	b.runs(1, b.login("--client", "--client-secret-file", b.secretFile("wrong"))...)
	equal(t, "the session", b.get(), old.Authentication)
	b.runs(0, b.login("--client", "--client-secret-file", b.secretFile(b.app.ClientSecret))...)
	if s, err := keyringOf(b).Load(t.Context()); err != nil || s.Connection.AuthMode != session.ModeClientCredentials || s.Authentication.Access == old.Authentication.Access {
		t.Errorf("%v: %+v", err, s.Authentication)
	}
}

// A keyring that can't be used is noticed before anybody signs in, and a session that could not be stored is a failure.
func TestLoginNeedsItsKeyring(t *testing.T) {
	b := loginBox(t)
	p, browser := b.useWeb(nil)
	port, _ := json.Marshal(p["Port"])
	b.put(b.session(time.Hour))
	login := b.login("--web", "--port", string(port), "--client-secret-file", b.secretFile(b.app.ClientSecret))
	b.with("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE="+b.secretFile("another passphrase")).runs(1, login...).saysOnly(t, "VaultPassphraseWrong")
	b.with("NINJAONE_AUTH_VAULT_BACKEND=fille").runs(1, login...).saysOnly(t, "InvalidSetting", "Did you mean 'file'?")
	if exists(browser + ".pid") {
		t.Error("a browser was opened")
	}
	b.through = fullDisk
	b.runs(1, b.login("--client", "--client-secret-file", b.secretFile(b.app.ClientSecret), "--json", "--vault", "New")...).saysOnly(t, "SecretNotStored", "file too large")
}

func TestLogout(t *testing.T) {
	b := loginBox(t)
	b.runs(1, "logout").saysOnly(t, "SessionNotStored", "NinjaOne")
	for _, prefix := range []string{"NinjaOne", "A", "B"} {
		b.name.Prefix = prefix
		b.put(b.session(time.Hour))
	}
	write(t, filepath.Join(b.vaultDirectory(), "ninjaone-auth.old.0123456789abcdef0123456789abcdef"), "garbage")
	equal(t, "logout --json", b.runs(0, "logout", "--prefix", "A", "--json").stdout, "{\n  \"removed\": [\n    {\n      \"vault\": \"NinjaOne\",\n      \"prefix\": \"A\"\n    }\n  ]\n}\n")
	b.runs(2, "logout", "--all").saysOnly(t, "--yes")
	b.runs(0, "logout", "--all", "--yes").saysOnly(t, "prefix 'B'", "prefix 'NinjaOne'", "could not be read")
	b.runs(0, "logout", "--all", "--yes").saysOnly(t, "no session")
	equal(t, "vault list --json", b.runs(0, "vault", "list", "--json").stdout, "[]\n")
}

// The line of the README.
func TestHeaderInCurl(t *testing.T) {
	need.Command(t, "curl", "apt-get install curl")
	b := loginBox(t)
	b.expired()
	script := exec.Command("sh", "-c", `"$0" token --header | curl --silent --fail --max-time 20 -H @- https://eu.ninjarmm.com/v2/organizations`, binary)
	script.Env = b.environment()
	output, err := script.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "Example Dental") {
		t.Errorf("%v: %s", err, output)
	}
}
