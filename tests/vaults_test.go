package tests

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// secretManagement plays the SecretManagement vaults of any number of callers. Its fields are set before they ask.
type secretManagement struct {
	mutex  sync.Mutex
	vaults map[string]map[string]string
	// module is the vaults' extension module, and copy what makes this one process of several with SecretStore.
	module string
	copy   *storeCopy
	// missing says that the module is not installed.
	missing bool
	// fullAt is the secret that cannot be stored, quoted what is said of it, diesAt the one of several at which PowerShell is killed,
	// and down says that the vault does not answer at all, readOnly that it cannot be written to.
	fullAt, quoted, diesAt string
	down, readOnly         bool
	// asked is called with each question before the reply.
	asked func(message)
	// read and written are the names of secrets in the order in which they were asked for.
	read, written []string
}

func newSecretManagement(vaults ...string) *secretManagement {
	s := &secretManagement{vaults: map[string]map[string]string{}}
	for _, name := range vaults {
		s.vaults[name] = map[string]string{}
	}
	return s
}

// reply replies as the wrapper does (docs/conversation.md), nil if it is killed before.
func (s *secretManagement) reply(asked message) any {
	failed := func(id, name, message string) any {
		return map[string]any{"error": map[string]string{"id": id, "name": name, "message": message}}
	}
	if s.asked != nil {
		s.asked(asked)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, registered := s.vaults[asked.Vault]
	switch {
	case s.missing:
		return failed("VaultNotFound", vault.SecretManagementModule, "The module is not installed.")
	case len(asked.Secrets)+len(asked.Names) == 0:
		return map[string]any{"secrets": struct{}{}, "module": s.module}
	case !registered:
		return failed("VaultNotFound", asked.Vault, "Vault "+asked.Vault+" does not exist.")
	case s.down:
		return failed("VaultFailed", "", "The store is locked.")
	}
	for i, secret := range asked.Secrets {
		switch {
		case secret.Name == s.diesAt && len(asked.Secrets) > 1:
			return nil
		case secret.Name == s.fullAt, s.readOnly:
			return failed("SecretNotStored", secret.Name, "The store is read only: "+s.quoted+".")
		}
		s.reload()
		s.vaults[asked.Vault][secret.Name] = secret.Value
		s.writeBack()
		s.written = append(s.written, secret.Name)
		if i == len(asked.Secrets)-1 {
			return map[string]int{"stored": len(asked.Secrets)}
		}
	}
	found := map[string]string{}
	for _, name := range asked.Names {
		s.reload()
		s.read = append(s.read, name)
		if value, ok := s.vaults[asked.Vault][name]; ok {
			found[name] = value
		}
	}
	return map[string]any{"secrets": found}
}

// counted returns how many secrets were read and written.
func (s *secretManagement) counted() (read, written int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.read), len(s.written)
}

// names are the secrets' names written since the last call, without the prefix.
func (s *secretManagement) names(prefix string) []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var names []string
	for _, name := range s.written {
		names = append(names, name[len(prefix):])
	}
	s.written = nil
	return names
}

// every is the order in which the seventeen secrets are written (module contract and issue "Vaults").
var every = strings.Fields("Refresh Access Expires AuthMode URL Instance ClientId ClientSecret AuthScopes RedirectURI " +
	"AuthListenerPort UseSecretManagement WriteToSecretVault ReadFromSecretVault VaultName ParseDateTimes Type")

// fullDisk starts a program that cannot write to a file. Only a shell sets limits.
var fullDisk = []string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`}

const inMemoryOnly = "$Script:NRAPIAuthenticationInformation only"

const vaultName = "NinjaOneVault"

// box is a vault of either kind with one session in it, as the user of a machine has it.
type box struct {
	*machine
	name vault.Name
	who  *caller
	app  standin.App
}

// kinds are the kinds of vault, each on a machine of its own.
var kinds = map[string]func(testing.TB, vault.Name) *box{"keyring": keyringBox, "SecretManagement": secretManagementBox}

// onBothKinds runs a test with a vault of each kind.
func onBothKinds(t *testing.T, name vault.Name, test func(t *testing.T, b *box)) {
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, open(t, name)) })
	}
}

// keyringBox is a machine with the file backend.
func keyringBox(t testing.TB, name vault.Name) *box {
	m := newMachine(t)
	m.useFile("correct horse ü")
	return &box{m, name, &caller{Streams: allStreams}, m.app(standin.App{})}
}

func secretManagementBox(t testing.TB, name vault.Name) *box {
	m := newMachine(t)
	who := &caller{Streams: allStreams, Vaults: true, secrets: newSecretManagement(name.Vault)}
	return &box{m, name, who, m.app(standin.App{})}
}

// useFile gives the machine's programs, and the package vault in this process, the file backend.
func (m *machine) useFile(passphrase string) (file string) {
	m.t.Helper()
	file = filepath.Join(m.home, "passphrase")
	write(m.t, file, passphrase+"\n")
	m.secrets = append(m.secrets, passphrase)
	m.set("NINJAONE_AUTH_VAULT_BACKEND", "file")
	m.set("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE", file)
	return file
}

// set sets a variable for the machine's programs and for the package vault in this process, which shares its home.
func (m *machine) set(variable, value string) {
	m.t.Helper()
	m.env = append(m.env, variable+"="+value)
	m.t.Setenv(variable, value)
	m.t.Setenv("XDG_CONFIG_HOME", filepath.Join(m.home, "config"))
	m.t.Setenv(vault.StateVariable, m.stateFolder())
}

func keyringOf(b *box) *vault.Keyring { return vault.NewKeyring(b.name, report.Silent{}) }

// put stores a session behind the program's back.
func (b *box) put(s session.Session) {
	b.t.Helper()
	b.secrets = append(b.secrets, s.Authentication.Access, string(s.Authentication.Refresh))
	if b.who.secrets != nil {
		b.putSecrets(s)
		return
	}
	store := keyringOf(b)
	unlock, err := store.Lock(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	defer unlock()
	if err := store.Save(context.Background(), s); err != nil {
		b.t.Fatal(err)
	}
}

// putSecrets writes as the module contract says.
func (b *box) putSecrets(s session.Session) {
	c, a := s.Connection, s.Authentication
	boolean := map[bool]string{true: "True", false: "False"}
	b.who.secrets.mutex.Lock()
	defer b.who.secrets.mutex.Unlock()
	for name, value := range map[string]string{
		"AuthMode": string(c.AuthMode), "URL": c.URL, "Instance": c.Instance, "ClientId": c.ClientID, "ClientSecret": c.ClientSecret,
		"AuthScopes": c.AuthScopes, "RedirectURI": c.RedirectURI, "AuthListenerPort": strconv.Itoa(c.AuthListenerPort),
		"UseSecretManagement": boolean[c.UseSecretManagement], "WriteToSecretVault": boolean[c.WriteToSecretVault],
		"ReadFromSecretVault": boolean[c.ReadFromSecretVault], "VaultName": string(c.VaultName), "ParseDateTimes": boolean[c.ParseDateTimes],
		"Type": a.Type, "Access": a.Access, "Expires": a.Expires.Format(time.RFC3339), "Refresh": string(a.Refresh),
	} {
		delete(b.who.secrets.vaults[b.name.Vault], b.name.Prefix+name)
		if value != "" {
			b.who.secrets.vaults[b.name.Vault][b.name.Prefix+name] = value
		}
	}
	b.who.secrets.writeBack()
}

// get returns the tokens that are stored, as they are.
func (b *box) get() session.Authentication {
	b.t.Helper()
	if b.who.secrets == nil {
		s, err := keyringOf(b).Load(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		return s.Authentication
	}
	b.who.secrets.mutex.Lock()
	defer b.who.secrets.mutex.Unlock()
	if copy := b.who.secrets.copy; copy != nil {
		b.who.secrets.vaults = copy.store.load()
	}
	stored := func(name string) string { return b.who.secrets.vaults[b.name.Vault][b.name.Prefix+name] }
	expires, _ := time.Parse(time.RFC3339, stored("Expires"))
	return session.Authentication{Type: stored("Type"), Access: stored("Access"), Expires: expires, Refresh: session.Optional(stored("Refresh"))}
}

// session returns a session of the box's application with a refresh token that is good, and an access token that lives on.
func (b *box) session(life time.Duration) session.Session {
	return session.Session{
		Connection: session.Connection{
			AuthMode: session.ModeToken, URL: b.app.BaseURL(), Instance: b.app.Instance, ClientID: b.app.ClientID,
			ClientSecret: b.app.ClientSecret, AuthListenerPort: 9090, AuthScopes: "monitoring management control offline_access",
			RedirectURI: "http://localhost:9090/", UseSecretManagement: true, VaultName: session.Optional(b.name.Vault),
			WriteToSecretVault: true, SecretPrefix: b.name.Prefix,
		},
		Authentication: session.Authentication{
			Type: "Bearer", Access: "stored-access-token", Refresh: session.Optional(b.service.IssueRefreshToken(b.app.ClientID)),
			Expires: time.Now().Add(life).UTC().Truncate(time.Second),
		},
	}
}

// expired stores a session whose access token has run out.
func (b *box) expired() session.Session {
	b.t.Helper()
	s := b.session(-time.Hour)
	b.put(s)
	return s
}

// connects carries out a call that has to succeed, with this session present.
func (b *box) connects(p parameters, present *session.Session) *outcome {
	b.t.Helper()
	return b.call(request{Parameters: p, Session: present, Caller: b.who}).succeeded(b.t)
}

// refuses carries out a call that has to fail with an id and words.
func (b *box) refuses(p parameters, present *session.Session, id string, words ...string) *outcome {
	b.t.Helper()
	return b.call(request{Parameters: p, Session: present, Caller: b.who}).hasFailed(b.t, id, words...)
}

// example4 are the parameters of the help page's example; example5 reads what it wrote.
func (b *box) example4(more parameters) parameters {
	p := of(b.app, parameters{"UseSecretManagement": true, "VaultName": b.name.Vault, "WriteToSecretVault": true, "UseClientAuth": true})
	return b.named(p, more)
}

func (b *box) example5(more parameters) parameters {
	return b.named(parameters{"UseSecretManagement": true, "VaultName": b.name.Vault, "ReadFromSecretVault": true}, more)
}

func (b *box) named(p, more parameters) parameters {
	if b.name.Prefix != session.DefaultSecretPrefix {
		p["SecretPrefix"] = b.name.Prefix
	}
	for name, value := range more {
		if p[name] = value; value == nil {
			delete(p, name)
		}
	}
	return p
}

// update is what the module's Update-NinjaOneToken calls for a session (module contract).
func (b *box) update(s session.Session) parameters {
	p := of(b.app, parameters{"ShowTokens": nil})
	if s.Connection.AuthMode == session.ModeClientCredentials {
		p["UseClientAuth"] = true
		return p
	}
	p["UseTokenAuth"], p["RefreshToken"] = true, string(s.Authentication.Refresh)
	return p
}

// useWeb makes play the browser, whose user allows at once, and returns the parameters and the browser's path.
func (b *box) useWeb(more parameters, before ...string) (p parameters, browser string) {
	b.t.Helper()
	port := need.FreePort(b.t)
	b.app.RedirectURIs, b.app.AutoConsent = []string{fmt.Sprintf("http://localhost:%d/", port)}, true
	b.app = b.machine.app(b.app)
	browser = b.browser(append(before, "visit")...)
	b.who.Interactive = true
	p = b.example4(more)
	delete(p, "UseClientAuth")
	p["UseWebAuth"], p["Port"] = true, port
	return p, browser
}

// all reads the session in n processes at once and waits for them; kill is called for each that has started.
func (b *box) all(n int, kill func(*conversation)) []*outcome {
	b.t.Helper()
	conversations := make([]*conversation, n)
	for i := range conversations {
		conversations[i] = b.start(request{Parameters: b.example5(nil), Caller: b.who})
		if kill != nil && i%2 == 0 {
			kill(conversations[i])
		}
	}
	outcomes := make([]*outcome, n)
	for i, c := range conversations {
		outcomes[i] = c.wait()
	}
	return outcomes
}

// holdsLast fails the test unless the vault holds the tokens of an outcome, and the service's newest refresh token.
func (b *box) holdsLast(o *outcome) {
	b.t.Helper()
	equal(b.t, "stored", b.get(), o.Authentication)
	b.holdsNewest()
}

// holdsNewest fails the test unless the vault holds the service's newest refresh token and an access token that is valid.
func (b *box) holdsNewest() {
	b.t.Helper()
	stored := b.get()
	equal(b.t, "stored refresh token", string(stored.Refresh), b.service.CurrentRefreshToken(b.app.ClientID))
	if !b.service.IsValidAccess(stored.Access) {
		b.t.Error("the service does not know the access token")
	}
}

// stateFolder is where the machine's programs keep their locks.
func (m *machine) stateFolder() string {
	return filepath.Join(m.home, ".local", "state", "ninjaone-auth")
}

func (m *machine) vaultDirectory() string {
	return filepath.Join(m.home, "config", "ninjaone-auth", "vault")
}

// vaultFile is the one file in the keyring.
func (m *machine) vaultFile() string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.vaultDirectory(), "ninjaone-auth.*"))
	if err != nil || len(files) != 1 {
		m.t.Fatalf("the vault's files are %v, %v", files, err)
	}
	return files[0]
}

var plainName = vault.Name{Vault: vaultName, Prefix: session.DefaultSecretPrefix}
