package tests

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

func TestToken(t *testing.T) {
	b := keyringBox(t, plainName)
	wrote := b.connects(b.example4(nil), nil)
	b.service.Reset()
	if r := b.runs(0, "token", "--vault", vaultName); r.stdout != wrote.Authentication.Access+"\n" || r.stderr != "" {
		t.Errorf("printed %q and %q", r.stdout, r.stderr)
	}
	var printed map[string]string
	if err := json.Unmarshal([]byte(b.runs(0, "token", "--vault="+vaultName, "--json", "-v").stdout), &printed); err != nil {
		t.Fatal(err)
	}
	equal(t, "printed", printed, map[string]string{
		"url": "https://eu.ninjarmm.com", "type": "Bearer", "access": wrote.Authentication.Access,
		"expires": wrote.Authentication.Expires.Format(time.RFC3339),
	})
	if n := b.service.Counters().Connections; n > 0 {
		t.Errorf("the network was used %d times", n)
	}
}

func TestTokenRenews(t *testing.T) {
	b := keyringBox(t, vault.Name{Vault: vaultName, Prefix: "Kunde"})
	b.expired()
	r := b.runs(0, "token", "--vault", vaultName, "--prefix", "Kunde", "--verbose")
	stored := b.get()
	if r.stdout != stored.Access+"\n" || !b.service.IsValidAccess(stored.Access) ||
		string(stored.Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
		t.Errorf("printed %q, stored %+v", r.stdout, stored)
	}
	if !strings.Contains(r.stderr, "renewing") {
		t.Errorf("--verbose said %q", r.stderr)
	}
}

func TestTokenFails(t *testing.T) {
	b := keyringBox(t, plainName)
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "VaultNotFound", vaultName, "ninjaone-auth login --vault", "Connect-NinjaOne -UseSecretManagement -VaultName … -ReadFromSecretVault")
	b.runs(1, "token").saysOnly(t, "VaultNotFound", `vault "NinjaOne"`)
	b.runs(2, "token", "--vault").saysOnly(t, "--vault")
	b.expired()
	b.service.RevokeRefresh(b.app.ClientID)
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "InvalidRefreshToken", "ninjaone-auth login --vault 'NinjaOneVault' --instance 'eu' --client-id")
	s := b.session(-time.Hour)
	s.Connection.AuthMode, s.Authentication.Refresh = session.ModeAuthorisationCode, ""
	b.put(s)
	b.runs(1, "token", "--vault", vaultName, "--json").saysOnly(t, "SignInRequired", "--web")
	b.env = append(b.env, "HOME=/dev/null/home")
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "LockFailed", "/dev/null/home", "NINJAONE_AUTH_STATE_DIR")
}

// Where a new refresh token could not be stored, the old one is not used up.
func TestTokenOnAFullDisk(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	b.through = fullDisk
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "SecretNotStored", "file too large", "nothing was sent")
	b.through = nil
	r := b.runs(0, "token", "--vault", vaultName)
	if refreshes := b.service.Counters().Refreshes; refreshes != 1 || !b.service.IsValidAccess(strings.TrimSpace(r.stdout)) {
		t.Errorf("%d refreshes, printed %q", refreshes, r.stdout)
	}
}

// The line of the issue and of the README.
func TestTokenInCurl(t *testing.T) {
	need.Command(t, "curl", "apt-get install curl")
	b := keyringBox(t, plainName)
	b.expired()
	script := exec.Command("sh", "-c", `curl --silent --fail --max-time 20 -H "Authorization: Bearer $("$0" token --vault NinjaOneVault)" https://eu.ninjarmm.com/v2/organizations`, binary)
	script.Env = b.environment()
	output, err := script.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "Example Dental") {
		t.Errorf("%v: %s", err, output)
	}
}

func TestVaultCommands(t *testing.T) {
	b := keyringBox(t, plainName)
	empty := b.runs(0, "vault", "list")
	if strings.Count(empty.stdout, "\n") != 1 {
		t.Errorf("an empty list is %q", empty.stdout)
	}
	contains(t, "an empty list", empty.stderr, "ninjaone-auth login", "-ReadFromSecretVault")
	s := b.session(time.Hour)
	b.put(s)
	foreign := b.name
	b.name = vault.Name{Vault: "Zwei ü\x1b[31m", Prefix: "P"}
	b.app = b.machine.app(standin.App{Instance: "us"})
	b.put(b.session(-time.Hour))
	b.name = foreign

	list := b.runs(0, "vault", "list").stdout
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], vaultName) || !strings.Contains(lines[1], s.Connection.ClientID) ||
		!strings.Contains(lines[1], s.Authentication.Expires.Format(time.RFC3339)) || !strings.Contains(lines[2], "Zwei ü") || strings.Contains(list, "\x1b") {
		t.Errorf("listed\n%q", list)
	}
	var listed []facts
	listAsJSON := b.runs(0, "vault", "list", "--json").stdout
	if err := json.Unmarshal([]byte(listAsJSON), &listed); err != nil || len(listed) != 2 || !listed[0].Valid || listed[1].Valid || listed[1].Instance != "us" {
		t.Errorf("listed %v\n%s", err, listAsJSON)
	}
	show := b.runs(0, "vault", "show", vaultName).stdout
	contains(t, "vault show", show, vaultName, s.Connection.ClientID, "Token Authentication", "offline_access")
	var shown facts
	showAsJSON := b.runs(0, "vault", "show", vaultName, "--json").stdout
	if err := json.Unmarshal([]byte(showAsJSON), &shown); err != nil {
		t.Fatal(err)
	}
	equal(t, "shown", shown, facts{
		Vault: vaultName, Prefix: "NinjaOne", Instance: "eu", URL: "https://eu.ninjarmm.com", ClientID: s.Connection.ClientID, AuthMode: "Token Authentication",
		Scopes: s.Connection.Scopes(), Expires: s.Authentication.Expires, Valid: true, Renewable: true,
	})
	b.searchForSecrets("vault list and show", list+listAsJSON+show+showAsJSON)

	b.runs(1, "vault", "show", "Nowhere").saysOnly(t, "SessionNotStored", "Nowhere", "-ReadFromSecretVault")
	b.runs(1, "logout", "--vault", "Nowhere").saysOnly(t, "SessionNotStored", "Nowhere")
	b.runs(0, "logout", "--vault", strings.ToUpper(vaultName)).saysOnly(t, "Removed")
	b.runs(1, "vault", "show", vaultName)
	if list := b.runs(0, "vault", "list").stdout; strings.Contains(list, vaultName) || !strings.Contains(list, "Zwei") {
		t.Errorf("listed\n%s", list)
	}
}

// facts are a session as JSON has it (docs/commands.md).
type facts struct {
	Vault, Prefix, Instance, URL, ClientID, AuthMode string
	Scopes                                           []string
	Expires                                          time.Time
	Valid, Renewable                                 bool
	Problem                                          string
}

func TestHeader(t *testing.T) {
	b := keyringBox(t, vault.Name{Vault: "NinjaOne", Prefix: "NinjaOne"})
	b.put(b.session(time.Hour))
	equal(t, "token --header", b.runs(0, "token", "--header").stdout, "Authorization: Bearer stored-access-token\n")
	b.runs(2, "token", "--header", "--json").saysOnly(t, "--header", "--json")
}

// A passphrase that opens none of the sessions is an error, one that opens some leaves the others in the list.
func TestVaultListWithAWrongPassphrase(t *testing.T) {
	b := keyringBox(t, plainName)
	b.put(b.session(time.Hour))
	b.useFile("another passphrase")
	b.runs(1, "vault", "list").saysOnly(t, "VaultPassphraseWrong", "ninjaone-auth logout --vault")
	b.runs(1, "vault", "list", "--json").saysOnly(t, "VaultPassphraseWrong")
	b.name.Prefix = "Other"
	b.put(b.session(time.Hour))
	contains(t, "vault list", b.runs(0, "vault", "list").stdout, "does not open it", "Other")
}

func TestVaultCommandsOnDamage(t *testing.T) {
	b := keyringBox(t, plainName)
	b.put(b.session(time.Hour))
	if err := os.WriteFile(b.vaultFile(), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list := b.runs(0, "vault", "list").stdout; !strings.Contains(list, "damaged") || !strings.Contains(list, "ninjaonevault") {
		t.Errorf("listed\n%s", list)
	}
	b.runs(1, "vault", "show", vaultName).saysOnly(t, "VaultDataInvalid", "damaged")
	b.runs(0, "logout", "--vault", vaultName)
	b.runs(1, "logout", "--vault", vaultName).saysOnly(t, "SessionNotStored")
}

// A session that is removed while it is renewed stays removed.
func TestRemoveDuringARenewal(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	b.hold()
	c := b.start(request{Parameters: b.example5(nil), Caller: b.who})
	b.awaitRequests(1)
	remove := b.command("logout", "--verbose", "--vault", vaultName)
	stderr, err := remove.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := remove.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stderr).ReadString('\n')
	contains(t, "logout --verbose", line, "Waiting for another process")
	b.release()
	c.wait().succeeded(t)
	if err := remove.Wait(); err != nil {
		t.Error(err)
	}
	b.refuses(b.example5(nil), nil, "VaultNotFound")
}

func TestTokenEndedDuringARenewal(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	b.hold()
	command := b.command("token", "--vault", vaultName)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	b.awaitRequests(1)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // one that would give up has time to
	b.release()
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	b.holdsNewest()
}
