package vault

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/keyring/nobus"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// TestMain makes the test binary its own keyring child.
func TestMain(m *testing.M) {
	keyring.PrepareEnvironment()
	if len(os.Args) == 3 && os.Args[1] == nobus.ChildCommand {
		_ = keyring.Serve(os.Args[2], os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// sink collects messages.
type sink struct {
	mutex sync.Mutex
	lines []string
}

func (s *sink) Write(stream report.Stream, message string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lines = append(s.lines, string(stream)+": "+message)
}

func (s *sink) Progress(report.Progress) {}
func (s *sink) Pending(time.Duration)    {}

func (s *sink) contains(text string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return strings.Contains(strings.Join(s.lines, "\n"), text)
}

var testName = Name{Vault: "NinjaOne Vault/../ü", Prefix: "Prefix"}

// testSession is a session that is as Load returns it.
func testSession(name Name) session.Session {
	return session.Session{
		Connection: session.Connection{
			AuthMode: session.ModeToken, URL: "https://eu.ninjarmm.com", Instance: "eu", ClientID: "client-id",
			ClientSecret: "clïent-sécret-漢字", AuthListenerPort: 9090, AuthScopes: "monitoring offline_access",
			RedirectURI: "http://localhost:9090/", UseSecretManagement: true, VaultName: session.Optional(name.Vault),
			WriteToSecretVault: true, SecretPrefix: name.Prefix,
		},
		Authentication: session.Authentication{
			Type: "Bearer", Access: "access-token", Refresh: "refresh-token", Expires: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		},
	}
}

// useFile gives the test directories of its own and chooses the file backend, with a passphrase file.
func useFile(t *testing.T) {
	t.Helper()
	directory := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		t.Setenv(variable, directory)
	}
	passphrase := filepath.Join(directory, "passphrase")
	if err := os.WriteFile(passphrase, []byte("correct horse ü"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(keyring.BackendVariable, "file")
	t.Setenv(keyring.PassphraseFileVariable, passphrase)
}

func mustSave(t *testing.T, store Store, s session.Session) {
	t.Helper()
	unlock, err := store.Lock(t.Context())
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	defer unlock()
	if err := store.Save(t.Context(), s); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func mustLoad(t *testing.T, store Store, want session.Session) {
	t.Helper()
	got, err := store.Load(t.Context())
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if got != want {
		t.Fatalf("Load = %+v, want %+v", got, want)
	}
}

// wantFailure checks the id, that message and recommendation say something, and that they hold some texts and no secret.
func wantFailure(t *testing.T, err error, id failure.ID, texts ...string) {
	t.Helper()
	if !failure.Is(err, id) {
		t.Fatalf("error = %v, want %s", err, id)
	}
	f := failure.From(err)
	told := f.Message + " " + f.Recommendation
	if f.Message == "" || f.Recommendation == "" {
		t.Errorf("incomplete failure %+v", f)
	}
	for _, text := range texts {
		if !strings.Contains(told, text) {
			t.Errorf("%q does not say %q", told, text)
		}
	}
	for _, secret := range []string{"clïent-sécret", "access-token", "refresh-token", "correct horse"} {
		if strings.Contains(told+f.Target, secret) {
			t.Errorf("a secret in the failure %+v", f)
		}
	}
}
