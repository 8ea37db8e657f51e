package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring/nobus"
	"ninjaone-auth/pkg/lock"
)

// TestMain makes the test binary its own child, and a few other programs that tests need.
func TestMain(m *testing.M) {
	PrepareEnvironment()
	switch {
	case filepath.Base(os.Args[0]) == "pinentry":
		_ = os.WriteFile(filepath.Join(os.Getenv("GNUPGHOME"), "asked"), nil, 0o600)
		time.Sleep(time.Minute)
	case len(os.Args) == 3 && os.Args[1] == nobus.ChildCommand:
		if err := Serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(os.Args) == 2 && os.Args[1] == "save-large":
		fmt.Println(open().Save(context.Background(), key, "", large))
	default:
		os.Exit(m.Run())
	}
}

const (
	key      = "ninjaone-auth.test.0123456789abcdef0123456789abcdef"
	otherKey = "ninjaone-auth.other.0123456789abcdef0123456789abcdef"
)

var (
	ours  = regexp.MustCompile(`^ninjaone-auth\.\w+\.[0-9a-f]{32}$`)
	small = []byte(`{"secret":"gehëim 秘密"}`)
	large = bytes.Repeat([]byte("a1B2"), 5000)
)

// home gives the test directories of its own.
func home(t testing.TB) string {
	t.Helper()
	directory := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(variable, directory)
	}
	return directory
}

// useFile chooses the file backend, with a passphrase file, and returns the folder of its files.
func useFile(t testing.TB) (folder string) {
	t.Helper()
	directory := home(t)
	file := filepath.Join(directory, "passphrase")
	write(t, file, "correct horse ü\n", 0o600)
	t.Setenv(BackendVariable, "file")
	t.Setenv(PassphraseFileVariable, file)
	return filepath.Join(directory, "ninjaone-auth", "vault")
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// open opens the chosen keyring, with the usual patience.
func open() *Ring { return Open(lock.Patience) }

func mustSave(t testing.TB, r *Ring, key string, data []byte) {
	t.Helper()
	if err := r.Save(t.Context(), key, "label", data); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func mustLoad(t testing.TB, r *Ring, key string, want []byte) {
	t.Helper()
	got, err := r.Load(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Load = %.40q, %v; want %.40q", got, err, want)
	}
}

func mustLock(t testing.TB, r *Ring) {
	t.Helper()
	if err := r.Lock(t.Context(), lockFile(t), func() {}); err != nil {
		t.Fatalf("Lock: %v", err)
	}
}

// lockFile is the same for all keyrings of a test.
func lockFile(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("XDG_CACHE_HOME")
	if folder == "" {
		t.Fatal("the test has no home of its own")
	}
	return filepath.Join(folder, "lock")
}

func mustFail(t *testing.T, err error, kind Kind, words ...string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || p.Kind != kind {
		t.Fatalf("error %v, want the problem %q", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(p.Reason, word) {
			t.Errorf("the reason %q does not say %q", p.Reason, word)
		}
	}
}

func mustBeInterrupted(t *testing.T, err error) {
	t.Helper()
	if !failure.Is(err, failure.Interrupted) {
		t.Errorf("error %v, want Interrupted", err)
	}
}

// roundTrip is what every keyring must be able to do.
func roundTrip(t *testing.T) {
	t.Helper()
	r := open()
	_, err := r.Load(t.Context(), key)
	mustFail(t, err, NotFound)
	mustFail(t, r.Remove(t.Context(), key), NotFound)
	mustHold(t, r, nil)
	mustSave(t, r, otherKey, large)
	for _, data := range [][]byte{small, large, small} {
		mustSave(t, r, key, data)
		mustLoad(t, r, key, data)
		mustHold(t, r, map[string][]byte{key: data, otherKey: large})
	}
	if err := r.Remove(t.Context(), key); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	mustHold(t, r, map[string][]byte{otherKey: large})
	mustLock(t, r)
	mustSave(t, r, key, small)
	mustLoad(t, r, key, small)
	r.Unlock()
	mustHold(t, r, map[string][]byte{key: small, otherKey: large})
	if r.backend == keyring.WinCredBackend {
		stayWithinLimit(t)
	}
}

// mustHold compares all items of ours.
func mustHold(t *testing.T, r *Ring, want map[string][]byte) {
	t.Helper()
	items, err := r.List(t.Context(), ours)
	if err != nil || len(items) != len(want) {
		t.Fatalf("List = %d items, %v; want %d", len(items), err, len(want))
	}
	for _, item := range items {
		if data, ok := want[item.Key]; !ok || item.Problem != nil || !slices.Equal(item.Data, data) {
			t.Errorf("List holds %.60q, %v, %.40q", item.Key, item.Problem, item.Data)
		}
	}
}
