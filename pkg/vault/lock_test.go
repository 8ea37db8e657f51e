package vault

import (
	"context"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
)

// A lock is waited for, which verbose tells, until it is free, the call is ended, or patience is over.
func TestLock(t *testing.T) {
	useFile(t)
	for kind, open := range map[string]func(*sink, time.Duration) Store{
		"keyring": func(s *sink, patience time.Duration) Store {
			g := newGuard(testName, s)
			g.patience = patience
			return &Keyring{g, keyring.Open(patience)}
		},
		"SecretManagement": func(s *sink, patience time.Duration) Store {
			store := NewSecretManagement(testName, newCaller(testName.Vault), s)
			store.patience = patience
			return store
		},
	} {
		t.Run(kind, func(t *testing.T) {
			unlock, err := open(&sink{}, time.Minute).Lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err = open(&sink{}, time.Minute).Lock(ctx)
			wantFailure(t, err, failure.Interrupted)
			_, err = open(&sink{}, 200*time.Millisecond).Lock(t.Context())
			wantFailure(t, err, failure.VaultBusy, testName.Prefix)
			if waited, err := open(&sink{}, 200*time.Millisecond).Await(t.Context()); !waited || !failure.Is(err, failure.VaultBusy) {
				t.Errorf("Await: %t, %v", waited, err)
			}

			out, taken := &sink{}, make(chan error)
			go func() {
				unlock, err := open(out, time.Minute).Lock(t.Context())
				if err == nil {
					unlock()
				}
				taken <- err
			}()
			for !out.contains("verbose: Waiting for another process") {
				time.Sleep(5 * time.Millisecond)
			}
			unlock()
			if err := <-taken; err != nil {
				t.Error(err)
			}
			if waited, err := open(&sink{}, time.Minute).Await(t.Context()); waited || err != nil {
				t.Errorf("Await: %t, %v", waited, err)
			}
		})
	}
}
