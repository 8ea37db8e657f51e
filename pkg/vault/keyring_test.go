package vault

import (
	"errors"
	"strings"
	"testing"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/session"
)

func TestKeyring(t *testing.T) {
	useFile(t)
	out, other := &sink{}, Name{Vault: testName.Vault, Prefix: "Other"}
	store := NewKeyring(testName, out)
	_, err := store.Load(t.Context())
	wantFailure(t, err, failure.SessionNotStored, "Prefix")
	wantFailure(t, store.Remove(t.Context()), failure.SessionNotStored)
	mustSave(t, store, testSession(testName))
	mustSave(t, NewKeyring(other, out), testSession(other))
	mustLoad(t, store, testSession(testName))
	upper := Name{Vault: strings.ToUpper(testName.Vault), Prefix: testName.Prefix}
	mustLoad(t, NewKeyring(upper, out), testSession(upper))

	all, err := List(t.Context(), out)
	if err != nil || len(all) != 2 || all[0].Name != other || all[1].Name != testName {
		t.Fatalf("List = %+v, %v, want both names", all, err)
	}
	want := testSession(testName)
	want.Connection.ClientSecret, want.Authentication.Access, want.Authentication.Refresh = "", "", ""
	if all[1] != (Stored{testName, want, true, "", testName.key()}) {
		t.Errorf("List holds %+v", all[1])
	}
	if err := store.Remove(t.Context()); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	_, err = store.Load(t.Context())
	wantFailure(t, err, failure.SessionNotStored)
	mustLoad(t, NewKeyring(other, out), testSession(other))
}

func TestDocumentValidity(t *testing.T) {
	useFile(t)
	for text, problem := range map[string]string{
		`{"version":2,"session":"of another shape"}`: "newer ninjaone-auth (format 2)",
		`{"version":1,"session":{}}`:                 "missing: AuthMode, URL, Instance, ClientId, ClientSecret, AuthScopes",
		`{"version":1,"session":[]}`:                 "JSON",
		`{}`:                                         "JSON",
		`null`:                                       "JSON",
		`text`:                                       "JSON",
	} {
		if err := keyring.Open(lock.Patience).Save(t.Context(), testName.key(), "", []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := NewKeyring(testName, &sink{}).Load(t.Context())
		wantFailure(t, err, failure.VaultDataInvalid, problem)
		if all, err := List(t.Context(), &sink{}); err != nil || len(all) != 1 || !strings.Contains(all[0].Problem, problem) {
			t.Errorf("List = %+v, %v", all, err)
		}
	}
}

func TestKeyringProblems(t *testing.T) {
	useFile(t)
	store := NewKeyring(testName, &sink{})
	for kind, want := range map[keyring.Kind]struct {
		id   failure.ID
		says string
	}{
		keyring.NotFound:        {failure.SessionNotStored, "-WriteToSecretVault"},
		keyring.Unavailable:     {failure.VaultUnavailable, "Register-SecretVault"},
		keyring.Locked:          {failure.VaultLocked, "Unlock it"},
		keyring.PassphraseWrong: {failure.VaultPassphraseWrong, keyring.PassphraseFileVariable},
		keyring.Damaged:         {failure.VaultDataInvalid, "the reason"},
		keyring.TimedOut:        {failure.VaultTimedOut, "2 minutes"},
		keyring.Failed:          {failure.VaultFailed, "(encrypted file) cannot be used: the reason."},
	} {
		wantFailure(t, store.failed(&keyring.Problem{Kind: kind, Reason: "the reason"}), want.id, want.says)
	}
	passed := &failure.Error{ID: failure.Interrupted}
	if err := store.failed(passed); !errors.Is(err, passed) || store.failed(nil) != nil {
		t.Errorf("a failure became %v", err)
	}
}

func TestKeys(t *testing.T) {
	seen := map[string]Name{}
	for _, name := range []Name{{"a", "a"}, {"a", "b"}, {"ab", ""}, {"a/b", ""}, {"../..", ""}, {"ü", ""}, {"漢字", ""}, {strings.Repeat("long", 100), ""}, {"", ""}} {
		key := name.key()
		if !wholeKey.MatchString(key) || len(key) > 100 {
			t.Errorf("key of %q is %q", name, key)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%v and %v have the same key", name, other)
		}
		seen[key] = name
	}
	if NewName("Vault", session.DefaultSecretPrefix).key() != NewName("vault", "").key() {
		t.Error("the case or the default prefix makes a difference")
	}
}
