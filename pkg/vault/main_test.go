package vault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault/nobus"
)

// TestMain makes the test binary its own keyring child, and with "save" a parent that can be killed.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == nobus.ChildCommand:
		if err := ServeKeyring(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(os.Args) == 3 && os.Args[1] == "save-for-ever":
		saveForEver(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "save-large":
		saveLarge()
	default:
		os.Exit(m.Run())
	}
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

// large is a session with two tokens of 8 KiB.
func large(name Name) session.Session {
	s := testSession(name)
	s.Authentication.Access = strings.Repeat("a1B2", 2048)
	s.Authentication.Refresh = session.Optional(strings.Repeat("r3F4", 2048))
	return s
}

// home gives the test directories of its own.
func home(t testing.TB) string {
	t.Helper()
	directory := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(variable, directory)
	}
	return directory
}

// useFile chooses the file backend, with a passphrase file, and returns the directory of its files.
func useFile(t *testing.T) string {
	t.Helper()
	directory := home(t)
	file := filepath.Join(directory, "passphrase")
	write(t, file, "correct horse ü\n", 0o600)
	t.Setenv(backendVariable, "file")
	t.Setenv(passphraseFileVariable, file)
	return filepath.Join(directory, "ninjaone-auth", "vault")
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
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

// wantFailure checks the id, that message and recommendation say something, and that the message holds some texts.
func wantFailure(t *testing.T, err error, id string, texts ...string) {
	t.Helper()
	if !failure.HasID(err, id) {
		t.Fatalf("error = %v, want %s", err, id)
	}
	f := failure.From(err)
	if f.Message == "" || f.Recommendation == "" || f.Category == "" {
		t.Errorf("incomplete failure %+v", f)
	}
	for _, text := range texts {
		if !strings.Contains(f.Message+" "+f.Recommendation, text) {
			t.Errorf("message %q, recommendation %q: no %q", f.Message, f.Recommendation, text)
		}
	}
	for _, secret := range []string{"clïent-sécret", "access-token", "refresh-token", "correct horse"} {
		if strings.Contains(f.Message+f.Recommendation+f.Target, secret) {
			t.Errorf("a secret in the failure %+v", f)
		}
	}
}

// roundTrip is what every keyring must be able to do.
func roundTrip(t *testing.T) {
	t.Helper()
	out := &sink{}
	name, other := testName, Name{Vault: testName.Vault, Prefix: "Other"}
	store := NewKeyring(name, out)
	_, err := store.Load(t.Context())
	wantFailure(t, err, "SessionNotStored", "Prefix")
	wantFailure(t, store.Remove(t.Context()), "SessionNotStored")
	if all, err := List(t.Context(), out); err != nil || len(all) != 0 {
		t.Fatalf("List = %v, %v, want none", all, err)
	}
	mustSave(t, store, testSession(name))
	mustSave(t, NewKeyring(other, out), large(other))
	mustLoad(t, store, testSession(name))
	mustLoad(t, NewKeyring(other, out), large(other))
	mustLoad(t, NewKeyring(Name{Vault: strings.ToUpper(name.Vault), Prefix: name.Prefix}, out), func() session.Session {
		s := testSession(name)
		s.Connection.VaultName = session.Optional(strings.ToUpper(name.Vault))
		return s
	}())
	mustSave(t, store, large(name))
	mustLoad(t, store, large(name))
	mustSave(t, store, testSession(name))
	mustLoad(t, store, testSession(name))
	all, err := List(t.Context(), out)
	if err != nil || len(all) != 2 || all[0].Name != other || all[1].Name != name {
		t.Fatalf("List = %+v, %v, want both names", all, err)
	}
	for _, s := range all {
		if s.Problem != "" || s.Session.Connection.ClientSecret+s.Session.Authentication.Access+string(s.Session.Authentication.Refresh) != "" {
			t.Errorf("List holds a problem or secrets: %+v", s)
		}
	}
	if err := store.Remove(t.Context()); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	_, err = store.Load(t.Context())
	wantFailure(t, err, "SessionNotStored")
	mustLoad(t, NewKeyring(other, out), large(other))
}

// saveForEver is a parent to be killed: it counts up the refresh token.
func saveForEver(report string) {
	file, err := os.OpenFile(report, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	store := NewKeyring(testName, &sink{})
	for n := 1; ; n++ {
		unlock, err := store.Lock(context.Background())
		if err != nil {
			panic(err)
		}
		s := large(testName)
		if stored, err := store.Load(context.Background()); err == nil {
			fmt.Sscanf(string(stored.Authentication.Refresh), "refresh %d", &n)
			n++
		} else if !failure.HasID(err, "SessionNotStored") {
			panic(err)
		}
		s.Authentication.Refresh = session.Optional(fmt.Sprintf("refresh %d", n))
		fmt.Fprintf(file, "%d\n", n)
		if err := store.Save(context.Background(), s); err != nil {
			panic(err)
		}
		unlock()
	}
}

// saveLarge is a parent under a limit, such as a full disk's; it prints the failure.
func saveLarge() {
	store := NewKeyring(testName, &sink{})
	unlock, err := store.Lock(context.Background())
	if err == nil {
		defer unlock()
		err = store.Save(context.Background(), large(testName))
	}
	if err != nil {
		fmt.Println(failure.From(err).ID, err)
	}
}
