package vault

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func lockables(t *testing.T) map[string]func(*sink) Store {
	useFile(t)
	return map[string]func(*sink) Store{
		"keyring":          func(s *sink) Store { return NewKeyring(testName, s) },
		"SecretManagement": func(s *sink) Store { return NewSecretManagement(testName, newCaller(testName.Vault), s) },
	}
}

func TestLockIsWaitedFor(t *testing.T) {
	for kind, open := range lockables(t) {
		unlock, err := open(&sink{}).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, got := &sink{}, make(chan error)
		go func() {
			unlock, err := open(out).Lock(t.Context())
			if err == nil {
				unlock()
			}
			got <- err
		}()
		select {
		case err := <-got:
			t.Fatalf("%s: the second lock did not wait: %v", kind, err)
		case <-time.After(200 * time.Millisecond):
		}
		unlock()
		if err := <-got; err != nil || !out.contains("verbose: Waiting for another process") {
			t.Errorf("%s: %v, %v", kind, err, out.lines)
		}
	}
}

func TestLockEnds(t *testing.T) {
	defer func(p time.Duration) { patience = p }(patience)
	for kind, open := range lockables(t) {
		patience = time.Minute
		unlock, err := open(&sink{}).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = open(&sink{}).Lock(ctx)
		cancel()
		wantFailure(t, err, "Interrupted")
		patience = 300 * time.Millisecond
		_, err = open(&sink{}).Lock(t.Context())
		wantFailure(t, err, "VaultBusy", testName.Prefix)
		unlock()
		patience = time.Minute
		if unlock, err = open(&sink{}).Lock(t.Context()); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		unlock()
	}
}

func TestLockDirectoryCannotBeMade(t *testing.T) {
	stores := lockables(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "", 0o600)
	t.Setenv("XDG_CACHE_HOME", file)
	t.Setenv("HOME", file)
	t.Setenv("LocalAppData", file)
	for _, open := range stores {
		_, err := open(&sink{}).Lock(t.Context())
		wantFailure(t, err, "LockFailed", file)
	}
}
