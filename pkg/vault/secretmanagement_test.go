package vault

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/session"
)

// fakeCaller is a caller with SecretManagement vaults.
type fakeCaller struct {
	vaults  map[string]map[string]string
	missing string // the target of VaultNotFound
	failAt  string
	busy    int // how often it fails before it does anything
	written []string
}

func (c *fakeCaller) isBusy() bool {
	c.busy--
	return c.busy >= 0
}

func (c *fakeCaller) Module(context.Context, string) (string, error) { return "", nil }

func (c *fakeCaller) GetSecrets(_ context.Context, vault string, names []string) (map[string]string, error) {
	if c.isBusy() {
		return nil, &failure.Error{ID: failure.VaultFailed, Message: "the file is locked", Recommendation: "Wait."}
	}
	stored, ok := c.vaults[vault]
	if !ok {
		return nil, &failure.Error{ID: failure.VaultNotFound, Target: c.missing, Message: "no vault"}
	}
	found := map[string]string{}
	for _, name := range names {
		if value, ok := stored[name]; ok {
			found[name] = value
		}
	}
	return found, nil
}

func (c *fakeCaller) SetSecrets(_ context.Context, vault string, secrets []Secret) error {
	for _, s := range secrets {
		if s.Name == c.failAt || c.isBusy() {
			return &failure.Error{ID: failure.SecretNotStored, Target: s.Name, Message: "the file is locked"}
		}
		c.vaults[vault][s.Name] = s.Value
		c.written = append(c.written, s.Name)
	}
	return nil
}

func newCaller(vault string) *fakeCaller {
	return &fakeCaller{vaults: map[string]map[string]string{vault: {}}, missing: vault}
}

func TestSecretManagementRoundTrip(t *testing.T) {
	useFile(t)
	caller := newCaller(testName.Vault)
	store := NewSecretManagement(testName, caller, &sink{})
	_, err := store.Load(t.Context())
	wantFailure(t, err, failure.SessionNotStored, testName.Prefix)
	mustSave(t, store, testSession(testName))
	want := strings.Fields("Refresh Access Expires AuthMode URL Instance ClientId ClientSecret AuthScopes RedirectURI " +
		"AuthListenerPort UseSecretManagement WriteToSecretVault ReadFromSecretVault VaultName ParseDateTimes Type")
	for i := range want {
		want[i] = "Prefix" + want[i]
	}
	if !slices.Equal(caller.written, want) {
		t.Errorf("written %v, want %v", caller.written, want)
	}
	stored := caller.vaults[testName.Vault]
	for name, value := range map[string]string{
		"PrefixExpires": "2026-11-24T08:00:00Z", "PrefixAuthListenerPort": "9090", "PrefixUseSecretManagement": "True",
		"PrefixReadFromSecretVault": "False", "PrefixParseDateTimes": "False", "PrefixClientSecret": "clïent-sécret-漢字",
	} {
		if stored[name] != value {
			t.Errorf("%s = %q, want %q", name, stored[name], value)
		}
	}
	mustLoad(t, NewSecretManagement(testName, caller, &sink{}), testSession(testName))
}

func TestSecretManagementWritesOnlyWhatChanged(t *testing.T) {
	useFile(t)
	caller := newCaller("V")
	name := Name{"V", "NinjaOne"}
	store := NewSecretManagement(name, caller, &sink{})
	s := testSession(name)
	if err := store.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	again := NewSecretManagement(name, caller, &sink{})
	mustLoad(t, again, s)
	caller.written = nil
	s.Authentication.Access, s.Authentication.Expires = "new", s.Authentication.Expires.Add(time.Hour)
	if err := again.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if want := []string{"NinjaOneAccess", "NinjaOneExpires"}; !slices.Equal(caller.written, want) {
		t.Errorf("written %v, want %v", caller.written, want)
	}
}

// A renewal leaves alone what a vault of the module's leaves out, and how it writes what it holds.
func TestSecretManagementWritesNoDefaults(t *testing.T) {
	useFile(t)
	caller := newCaller("V")
	for name, value := range map[string]string{
		"AuthMode": "Token Authentication", "URL": "https://app.ninjarmm.com", "Instance": "APP", "ClientId": "i", "ClientSecret": "s",
		"AuthScopes": "offline_access", "Refresh": "r", "Expires": "11/24/2026 08:00:00", "WriteToSecretVault": "true",
	} {
		caller.vaults["V"]["NinjaOne"+name] = value
	}
	store := NewSecretManagement(Name{Vault: "V"}, caller, &sink{})
	s, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Authentication.Refresh, s.Authentication.Access, s.Authentication.Expires = "r2", "a2", time.Now()
	if err := store.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if want := []string{"NinjaOneRefresh", "NinjaOneAccess", "NinjaOneExpires"}; !slices.Equal(caller.written, want) {
		t.Errorf("wrote %v", caller.written)
	}
}

// What was read before the lock may have been overwritten since.
func TestSecretManagementForgetsWithoutLock(t *testing.T) {
	useFile(t)
	caller := newCaller(testName.Vault)
	store := NewSecretManagement(testName, caller, &sink{})
	mustSave(t, store, testSession(testName))
	caller.vaults[testName.Vault]["PrefixAuthMode"] = string(session.ModeClientCredentials)
	mustSave(t, store, testSession(testName))
	mustLoad(t, store, testSession(testName))
}

func TestSecretManagementNamesWhatWasNotStored(t *testing.T) {
	useFile(t)
	caller := newCaller("V")
	caller.failAt = "NinjaOneType"
	store := NewSecretManagement(Name{Vault: "V"}, caller, &sink{})
	err := store.Save(t.Context(), testSession(testName))
	wantFailure(t, err, failure.SecretNotStored, "in the SecretManagement vault \"V\": NinjaOneType. ", "the file is locked")
	caller.failAt = "NinjaOneAccess"
	s := testSession(testName)
	s.Authentication.Refresh, s.Authentication.Access = "r2", "a2"
	err = store.Save(t.Context(), s)
	wantFailure(t, err, failure.SecretNotStored, "NinjaOneAccess, NinjaOneType")
	caller.failAt, caller.written = "", nil
	if err := store.Save(t.Context(), s); err != nil || !slices.Equal(caller.written, []string{"NinjaOneAccess", "NinjaOneType"}) {
		t.Errorf("the second try wrote %v, %v", caller.written, err)
	}
}

// The file of a SecretStore is locked while another process writes to it.
func TestSecretManagementTriesAgain(t *testing.T) {
	useFile(t)
	caller := newCaller("V")
	caller.busy = 2
	store := NewSecretManagement(NewName("V", ""), caller, &sink{})
	if err := store.Save(t.Context(), testSession(store.name)); err != nil {
		t.Error(err)
	}
	caller.busy = 2
	mustLoad(t, NewSecretManagement(store.name, caller, &sink{}), testSession(store.name))
	caller.busy = 3
	_, err := store.Load(t.Context())
	wantFailure(t, err, failure.VaultFailed)
}

// What a vault may hold instead of what we write.
func TestSecretManagementValidity(t *testing.T) {
	useFile(t)
	valid := map[string]string{
		"AuthMode": "Token Authentication", "URL": "https://app.ninjarmm.com", "Instance": "us", "ClientId": "i",
		"ClientSecret": "s", "AuthScopes": "monitoring offline_access", "Refresh": "r",
	}
	for _, test := range []struct {
		change  string // field=value, empty to remove it
		problem string // empty for none
		check   func(session.Session) bool
	}{
		{"", "", func(s session.Session) bool {
			return s.Connection.AuthListenerPort == 9090 && s.Connection.RedirectURI == "http://localhost:9090/" &&
				s.Authentication.Type == "Bearer" && s.Connection.SecretPrefix == "NinjaOne" && s.Connection.VaultName == "V"
		}},
		{"Instance=APP", "", func(s session.Session) bool { return s.Connection.Instance == "us" }},
		{"URL=https://app.ninjarmm.com/", "", func(s session.Session) bool { return s.Connection.URL == "https://app.ninjarmm.com" }},
		{"Expires=11/24/2026 08:00:00", "", func(s session.Session) bool { return s.Authentication.Expires.IsZero() }},
		{"Expires=2026-11-24T08:00:00.0000000+01:00", "", func(s session.Session) bool { return s.Authentication.Expires.UTC().Hour() == 7 }},
		{"WriteToSecretVault=TRUE", "", func(s session.Session) bool { return s.Connection.WriteToSecretVault }},
		{"AuthMode=client credentials", "", func(s session.Session) bool { return s.Connection.AuthMode == session.ModeClientCredentials }},
		{"AuthMode=", "missing: AuthMode", nil},
		{"AuthMode=Password", "invalid: AuthMode", nil},
		{"ClientSecret=", "missing: ClientSecret", nil},
		{"AuthScopes=", "missing: AuthScopes", nil},
		{"Refresh=", "missing: Refresh", nil},
		{"URL=https://app.ninjarmm.com.example.org", "invalid: URL", nil},
		{"URL=http://app.ninjarmm.com", "invalid: URL", nil},
		{"URL=https://eu.ninjarmm.com", "invalid: URL", nil},
		{"Instance=mars", "invalid: Instance", nil},
		{"Instance=", "missing: Instance", nil},
		{"ClientId=a\x1b[2Jb", "invalid: ClientId", nil},
		{"Refresh=a\nb", "invalid: Refresh", nil},
		{"RedirectURI=not a uri", "invalid: RedirectURI", nil},
		{"Type=Foo", "invalid: Type", nil},
		{"AuthMode=Authorisation Code", "", func(s session.Session) bool {
			return s.Authentication.Refresh == "r" && s.Connection.AuthMode == session.ModeToken
		}},
		{"VaultName=a\u00a0b\x1b", "", func(s session.Session) bool { return s.Connection.VaultName == "V" }},
		{"RedirectURI=http://localhost:9090/a\u00a0b", "", func(s session.Session) bool { return true }},
		{"AuthListenerPort=seventy", "invalid: AuthListenerPort", nil},
		{"AuthListenerPort=65536", "invalid: AuthListenerPort", nil},
		{"UseSecretManagement=yes", "invalid: UseSecretManagement", nil},
	} {
		fields := maps.Clone(valid)
		if name, value, ok := strings.Cut(test.change, "="); ok {
			fields[name] = value
		}
		caller := newCaller("V")
		for name, value := range fields {
			caller.vaults["V"]["NinjaOne"+name] = value
		}
		s, err := NewSecretManagement(Name{Vault: "V"}, caller, &sink{}).Load(t.Context())
		switch {
		case test.problem != "":
			wantFailure(t, err, failure.VaultDataInvalid, test.problem)
		case err != nil:
			t.Errorf("%s: %v", test.change, err)
		case !test.check(s):
			t.Errorf("%s: read %+v", test.change, s)
		}
	}
}

func TestFind(t *testing.T) {
	useFile(t)
	out := &sink{}
	name := Name{"V", "NinjaOne"}
	_, _, err := Find(t.Context(), name, nil, out)
	wantFailure(t, err, failure.VaultNotFound, "keyring")
	caller := newCaller("Other")
	_, _, err = Find(t.Context(), name, caller, out)
	wantFailure(t, err, failure.VaultNotFound, "keyring", "SecretManagement")
	if !out.contains("verbose: There is no SecretManagement vault") {
		t.Errorf("messages %v", out.lines)
	}
	mustSave(t, NewKeyring(name, out), testSession(name))
	store, s, err := Find(t.Context(), name, caller, out)
	if _, ok := store.(*Keyring); !ok || err != nil || s != testSession(name) {
		t.Errorf("Find = %v, %+v, %v", store, s, err)
	}
	registered := newCaller("V")
	_, _, err = Find(t.Context(), name, registered, out)
	wantFailure(t, err, failure.SessionNotStored, "SecretManagement")
}

func TestForWriting(t *testing.T) {
	useFile(t)
	name := Name{"V", "NinjaOne"}
	for _, test := range []struct {
		missing string
		warns   bool
	}{{"V", true}, {SecretManagementModule, false}} {
		out := &sink{}
		caller := newCaller("Other")
		caller.missing = test.missing
		store, _, err := ForWriting(t.Context(), name, caller, out)
		if _, ok := store.(*Keyring); !ok || err != nil || out.contains("warning: ") != test.warns {
			t.Errorf("ForWriting = %v, %v, %v", store, err, out.lines)
		}
	}
	store, _, err := ForWriting(t.Context(), name, newCaller("V"), &sink{})
	if _, ok := store.(*SecretManagement); !ok || err != nil {
		t.Errorf("ForWriting = %v, %v", store, err)
	}
	t.Setenv(keyring.PassphraseFileVariable, "")
	_, _, err = ForWriting(t.Context(), name, nil, &sink{})
	wantFailure(t, err, failure.VaultPassphraseMissing, "chmod 600")
}
