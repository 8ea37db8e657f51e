package tests

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/tests/standin"
)

// secretStore is one account's store, of which each process has a copy, as in the real Microsoft.PowerShell.SecretStore 1.0.6.
type secretStore struct {
	mutex   sync.Mutex
	vaults  map[string]map[string]string
	written time.Time
	config  string // the file storeconfig
}

// storeCopy is what a process knows of the store besides the copy itself.
type storeCopy struct {
	store                         *secretStore
	seen, configured, wroteItself time.Time
}

func (s *secretStore) load() map[string]map[string]string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	loaded := map[string]map[string]string{}
	for name, secrets := range s.vaults {
		loaded[name] = maps.Clone(secrets)
	}
	return loaded
}

// reload loads the store anew when the real one does: 0.1 s after storeconfig has moved; 5 s after somebody else's write,
// but never after one that came within 5 s of a write of its own.
func (s *secretManagement) reload() {
	c := s.copy
	if c == nil {
		return
	}
	config, err := os.Stat(c.store.config)
	if err != nil {
		panic(err)
	}
	c.store.mutex.Lock()
	written := c.store.written
	c.store.mutex.Unlock()
	switch moved := config.ModTime(); {
	case !moved.Equal(c.configured) && time.Since(moved) >= 100*time.Millisecond:
		c.configured, c.seen, s.vaults = moved, written, c.store.load()
	case !written.Equal(c.seen) && time.Since(written) >= 5*time.Second:
		c.seen = written
		if written.Sub(c.wroteItself) > 5*time.Second {
			s.vaults = c.store.load()
		}
	}
}

// writeBack writes the whole copy to the store.
func (s *secretManagement) writeBack() {
	if s.copy == nil {
		return
	}
	store := s.copy.store
	store.mutex.Lock()
	defer store.mutex.Unlock()
	store.vaults = map[string]map[string]string{}
	for name, secrets := range s.vaults {
		store.vaults[name] = maps.Clone(secrets)
	}
	store.written = time.Now()
	s.copy.seen, s.copy.wroteItself = store.written, store.written
}

// secretStoreBox is a machine with SecretStore; its caller is a process that has the store open.
func secretStoreBox(t testing.TB, name vault.Name) *box {
	b := secretManagementBox(t, name)
	config := filepath.Join(b.home, ".secretmanagement", "localstore", "storeconfig")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, "{}")
	store := &secretStore{vaults: map[string]map[string]string{name.Vault: {}}, config: config}
	b.who = store.process()
	return b
}

// process is another PowerShell that has the store open from now on.
func (s *secretStore) process() *caller {
	config, err := os.Stat(s.config)
	if err != nil {
		panic(err)
	}
	return &caller{Streams: allStreams, Vaults: true, secrets: &secretManagement{
		module: "Microsoft.PowerShell.SecretStore", vaults: s.load(),
		copy: &storeCopy{store: s, seen: s.written, configured: config.ModTime()},
	}}
}

func (b *box) store() *secretStore { return b.who.secrets.copy.store }

// Six PowerShells that have the store open find the session run out at the same time.
func TestSecretStoreRace(t *testing.T) {
	b := secretStoreBox(t, plainName)
	b.expired()
	conversations := make([]*conversation, 6)
	for i := range conversations {
		who := b.store().process()
		time.Sleep(10 * time.Millisecond)
		conversations[i] = b.start(request{Parameters: b.example5(nil), Caller: who})
	}
	for _, c := range conversations {
		b.holdsLast(c.wait().succeeded(t))
	}
	b.asked("refresh_token")
}

// Two PowerShells renew a session each in turn, and each time write all that they know of the store.
func TestSecretStoreInTurn(t *testing.T) {
	b := secretStoreBox(t, plainName)
	var mine [2]session.Session
	var processes [2]*caller
	for i := range mine {
		b.name.Prefix = fmt.Sprint("Session", i)
		b.app = b.machine.app(standin.App{})
		mine[i] = b.session(time.Hour)
		mine[i].Connection.ReadFromSecretVault = true
		b.put(mine[i])
	}
	for i := range processes {
		processes[i] = b.store().process()
	}
	for range 2 {
		for i, who := range processes {
			b.app.ClientID, b.app.ClientSecret = mine[i].Connection.ClientID, mine[i].Connection.ClientSecret
			o := b.call(request{Parameters: b.update(mine[i]), Session: &mine[i], Caller: who}).succeeded(t)
			mine[i] = o.Session
		}
		for i := range mine {
			b.name.Prefix = fmt.Sprint("Session", i)
			equal(t, b.name.Prefix, b.get(), mine[i].Authentication)
		}
	}
}

// A script of somebody else's, which knows no lock and has the store open, stores a secret of its own; that takes back the
// renewal, and leaves a session that must not be used.
func TestSecretStoreTakenBack(t *testing.T) {
	b := secretStoreBox(t, plainName)
	b.expired()
	script := b.store().process()
	b.connects(b.example5(nil), nil)
	script.secrets.vaults[vaultName]["Other"] = "secret"
	script.secrets.writeBack()
	o := b.call(request{Parameters: b.example5(nil), Caller: b.store().process()})
	o.hasFailed(t, "VaultOutOfDate", vaultName, "Nothing was sent", "-WriteToSecretVault")
	b.asked("refresh_token")
	if o.elapsed < 10*time.Second || o.elapsed > 20*time.Second {
		t.Errorf("it took %s", o.elapsed)
	}
	signedIn := b.call(request{Parameters: b.example4(nil), Caller: b.store().process()}).succeeded(t)
	equal(t, "stored", b.get().Access, signedIn.Authentication.Access)
	if b.store().load()[vaultName]["Other"] != "secret" {
		t.Error("the script's secret was taken back")
	}
	if strings.Contains(signedIn.said("verbose"), "out of date") || signedIn.elapsed > atOnce {
		t.Errorf("the sign-in took %s: %s", signedIn.elapsed, signedIn.said("verbose"))
	}
}

// A token request that takes its time holds up nobody else who uses the store.
func TestSecretStoreDuringATokenRequest(t *testing.T) {
	b := secretStoreBox(t, plainName)
	b.expired()
	b.name.Prefix = "Other"
	b.expired()
	b.hold()
	slow := b.start(request{Parameters: b.example5(nil), Caller: b.store().process()})
	b.awaitRequests(1)
	b.name = plainName
	b.call(request{Parameters: b.example5(nil), Caller: b.store().process()}).succeeded(t)
	b.release()
	slow.wait().succeeded(t)
}
