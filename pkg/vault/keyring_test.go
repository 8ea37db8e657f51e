package vault

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/need"
)

func TestFile(t *testing.T) {
	useFile(t)
	roundTrip(t)
}

func TestFilePassphrase(t *testing.T) {
	useFile(t)
	store := NewKeyring(testName, &sink{})
	mustSave(t, store, testSession(testName))
	other := filepath.Join(t.TempDir(), "other")

	write(t, other, "wrong", 0o600)
	t.Setenv(passphraseFileVariable, other)
	_, err := store.Load(t.Context())
	wantFailure(t, err, "VaultPassphraseWrong")

	write(t, other, "correct horse ü", 0o644)
	_, err = store.Load(t.Context())
	wantFailure(t, err, "VaultPassphraseMissing", "chmod 600")

	write(t, other, "\n", 0o600)
	_, err = store.Load(t.Context())
	wantFailure(t, err, "VaultPassphraseMissing", "empty")

	t.Setenv(passphraseFileVariable, filepath.Join(t.TempDir(), "none"))
	_, err = store.Load(t.Context())
	wantFailure(t, err, "VaultPassphraseMissing", "no such file")

	t.Setenv(passphraseFileVariable, "")
	_, err = store.Load(t.Context())
	wantFailure(t, err, "VaultPassphraseMissing", "neither")

	environmentPassphrase = "correct horse ü"
	defer func() { environmentPassphrase = "" }()
	mustLoad(t, store, testSession(testName))
}

func TestFileDamage(t *testing.T) {
	directory := useFile(t)
	store := NewKeyring(testName, &sink{})
	mustSave(t, store, testSession(testName))
	file := filepath.Join(directory, testName.key())
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "garbage", string(whole[:len(whole)/2]), string(whole[:len(whole)-9]) + "AAAAAAAAA"} {
		write(t, file, text, 0o600)
		_, err = store.Load(t.Context())
		wantFailure(t, err, "VaultDataInvalid")
		if all, err := List(t.Context(), &sink{}); err != nil || len(all) != 1 || all[0].Problem == "" {
			t.Errorf("List = %+v, %v", all, err)
		}
	}
	mustSave(t, store, testSession(testName))
	mustLoad(t, store, testSession(testName))

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = store.Load(t.Context())
	wantFailure(t, err, "VaultFailed", "is a directory")
}

func TestDocumentValidity(t *testing.T) {
	useFile(t)
	store := NewKeyring(testName, &sink{})
	for text, problem := range map[string]string{
		`{"version":2,"session":"of another shape"}`: "newer ninjaone-auth (format 2)",
		`{"version":1,"session":{}}`:                 "it lacks AuthMode, URL, Instance, ClientId, ClientSecret, AuthScopes",
		`{"version":1,"session":[]}`:                 "JSON",
		`{}`:                                         "JSON",
		`null`:                                       "JSON",
		`text`:                                       "JSON",
	} {
		if _, err := store.ask(t.Context(), request{Operation: opSave, Key: testName.key(), Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		_, err := store.Load(t.Context())
		wantFailure(t, err, "VaultDataInvalid", problem)
	}
}

func TestUnknownBackend(t *testing.T) {
	home(t)
	t.Setenv(backendVariable, "floppy")
	_, err := NewKeyring(testName, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultUnavailable", "floppy", "secret-service")
	t.Setenv(backendVariable, "wincred")
	_, err = NewKeyring(testName, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultUnavailable", "no support")
}

func TestPass(t *testing.T) {
	usePass(t)
	roundTrip(t)
	t.Setenv("GNUPGHOME", t.TempDir())
	_, err := NewKeyring(Name{Vault: testName.Vault, Prefix: "Other"}, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultFailed", "gpg")
}

// usePass chooses pass, with a key made for the test.
func usePass(t *testing.T) {
	t.Helper()
	need.Command(t, "pass", "apt-get install pass")
	need.Command(t, "gpg", "apt-get install gnupg")
	home(t)
	// The agent's socket needs a short path.
	keys, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", keys)
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = append(os.Environ(), "GNUPGHOME="+keys)
		_ = kill.Run()
		os.RemoveAll(keys)
	})
	for _, command := range [][]string{
		{"gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "test@example.org", "future-default", "default", "never"},
		{"pass", "init", "test@example.org"},
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, output)
		}
	}
	t.Setenv(backendVariable, "pass")
}

func TestPassIsNotInstalled(t *testing.T) {
	home(t)
	t.Setenv(backendVariable, "pass")
	t.Setenv("PATH", t.TempDir())
	_, err := NewKeyring(testName, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultUnavailable", "not installed", "SecretManagement")
}

// A limit on the size of files stands for a full disk.
func TestFullDisk(t *testing.T) {
	for backend, use := range map[string]func(*testing.T){"file": func(t *testing.T) { useFile(t) }, "pass": usePass} {
		t.Run(backend, func(t *testing.T) {
			use(t)
			store := NewKeyring(testName, &sink{})
			mustSave(t, store, testSession(testName))
			limited := exec.Command("bash", "-c", `ulimit -f 8; exec "$0" save-large`, os.Args[0])
			output, err := limited.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(output), "VaultFailed ") {
				t.Errorf("the save under a limit: %v, %s", err, output)
			}
			mustLoad(t, store, testSession(testName))
			mustSave(t, store, large(testName))
			mustLoad(t, store, large(testName))
		})
	}
}

// Many at once: each reads what the one before it wrote.
func TestConcurrentRenewals(t *testing.T) {
	useFile(t)
	mustSave(t, NewKeyring(testName, &sink{}), withCount(0))
	var group sync.WaitGroup
	const workers = 20
	for range workers {
		group.Go(func() {
			store := NewKeyring(testName, &sink{})
			unlock, err := store.Lock(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			s, err := store.Load(t.Context())
			if err == nil {
				err = store.Save(t.Context(), withCount(count(s)+1))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	mustLoad(t, NewKeyring(testName, &sink{}), withCount(workers))
}

func withCount(n int) session.Session {
	s := large(testName)
	s.Authentication.Refresh = session.Optional(fmt.Sprintf("refresh %d", n))
	return s
}

func count(s session.Session) (n int) {
	fmt.Sscanf(string(s.Authentication.Refresh), "refresh %d", &n)
	return n
}

// A save that was handed over is stored, and the lock held until then, though its parent is gone.
func TestSaveOutlivesItsParent(t *testing.T) {
	useFile(t)
	for n := range 10 {
		store := NewKeyring(testName, &sink{})
		if _, err := store.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantFailure(t, store.Save(ctx, withCount(n)), "Interrupted")
		store.locked.end()
		next := NewKeyring(testName, &sink{})
		unlock, err := next.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustLoad(t, next, withCount(n))
		unlock()
	}
}

// A child that is killed takes its lock along, but not the only copy of a token.
func TestSaveOutlivesItsChild(t *testing.T) {
	useFile(t)
	store := NewKeyring(testName, &sink{})
	unlock, err := store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	kill(store.locked.command)
	if err := store.Save(t.Context(), withCount(1)); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, store, withCount(1))
}

// The same with a real parent, killed at random moments while it saves without a pause.
func TestKilledParent(t *testing.T) {
	useFile(t)
	for round := range 20 {
		announced := filepath.Join(t.TempDir(), "announced")
		parent := exec.Command(os.Args[0], "save-for-ever", announced)
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		for first := false; !first; first = size(announced) > 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(150 * time.Millisecond))
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
		last := lastNumber(t, announced)
		store := NewKeyring(testName, &sink{})
		unlock, err := store.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Load(t.Context())
		if err != nil && !(round == 0 && last == 1) {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := count(s); n != last && n != last-1 {
			t.Errorf("round %d: stored is %d, announced was %d", round, n, last)
		}
		time.Sleep(50 * time.Millisecond)
		if err == nil {
			mustLoad(t, store, s)
		}
		unlock()
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func lastNumber(t *testing.T, path string) (last int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fmt.Sscan(lines.Text(), &last)
	}
	return last
}

func TestChildThatIsNone(t *testing.T) {
	useFile(t)
	p, err := startProcess("file")
	if err != nil {
		t.Fatal(err)
	}
	kill(p.command)
	_, err = p.ask(t.Context(), request{Operation: opLoad, Key: "k"}, nil)
	wantFailure(t, NewKeyring(testName, &sink{}).failed(opLoad, err), "VaultFailed", "ended")
}

func TestServeKeyringTakesGarbage(t *testing.T) {
	in, requests := io.Pipe()
	answers, out := io.Pipe()
	served := make(chan error)
	go func() { served <- ServeKeyring("file", in, out) }()
	lines := json.NewDecoder(answers)
	for range 2 {
		var a answer
		fmt.Fprintln(requests, `{"Operation":"none"}`)
		if err := lines.Decode(&a); err != nil || a.Problem == nil || !strings.Contains(a.Problem.Reason, `"none"`) {
			t.Errorf("answer %+v, %v", a, err)
		}
	}
	fmt.Fprintln(requests, "garbage")
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	var dismissed any = "path"
	func() {
		defer func() {
			if p := panicked(recover()); p.Kind != kindLocked {
				t.Errorf("a dismissed prompt is %+v", p)
			}
		}()
		_ = dismissed.(int)
	}()
	if p := panicked("secret"); p.Kind != kindFailed || strings.Contains(p.Reason, "secret") {
		t.Errorf("a panic is %+v", p)
	}
}

// The numbers of issue 5: `go test -bench Read ./pkg/vault`.
func BenchmarkReadFile(b *testing.B) {
	directory := b.TempDir()
	b.Setenv("XDG_CONFIG_HOME", directory)
	b.Setenv("XDG_CACHE_HOME", directory)
	b.Setenv(backendVariable, "file")
	environmentPassphrase = "passphrase"
	defer func() { environmentPassphrase = "" }()
	store := NewKeyring(testName, &sink{})
	if err := store.Save(b.Context(), testSession(testName)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := store.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
