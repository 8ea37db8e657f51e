package tests

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
)

// finding is a line of the diagnosis (docs/commands.md).
type finding struct{ Check, Status, Found, Advice string }

// examine runs doctor --json, and returns all findings of a check.
func (m *machine) examine(t *testing.T, status int, check string, arguments ...string) (of []finding) {
	t.Helper()
	r := m.runs(status, append([]string{"doctor", "--json", "--port", strconv.Itoa(need.FreePort(t))}, arguments...)...)
	m.searchForSecrets("doctor", r.stdout)
	var all []finding
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	for _, f := range all {
		if f.Status != "ok" && f.Status != "warning" && f.Status != "failure" || f.Found == "" || (f.Advice == "") != (f.Status == "ok") {
			t.Errorf("an odd finding: %+v", f)
		}
		if f.Check == check {
			of = append(of, f)
		}
	}
	return of
}

// finds fails the test unless a finding of a check has this status and holds these words.
func finds(t *testing.T, found []finding, status string, words ...string) {
	t.Helper()
	for _, f := range found {
		text, all := f.Found+"\n"+f.Advice, f.Status == status
		for _, word := range words {
			all = all && strings.Contains(text, word)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s with %q in %+v", status, words, found)
}

func TestDoctor(t *testing.T) {
	b := loginBox(t)
	b.put(b.session(time.Hour))
	started := len(b.service.Requests())
	table := b.runs(0, "doctor", "--port", strconv.Itoa(need.FreePort(t))).stdout
	for _, check := range []string{"program", "powershell", "browser", "port", "keyring", "network", "environment", "files"} {
		contains(t, "the table", table, "  "+check+" ")
	}
	if strings.Contains(table, "\x1b") {
		t.Errorf("colours elsewhere than in a terminal: %q", table)
	}
	finds(t, b.examine(t, 0, "program"), "ok", "ninjaone-auth dev")
	finds(t, b.examine(t, 0, "keyring"), "ok", "written, read and removed")
	finds(t, b.examine(t, 0, "network"), "ok", "eu.ninjarmm.com answers", "through the proxy 127.0.0.1", "stand-in", "clocks agree")
	finds(t, b.examine(t, 0, "files"), "ok", b.vaultDirectory())
	equal(t, "the vault", b.get().Access, "stored-access-token")
	b.vaultFile() // is the only one
	for _, request := range b.service.Requests()[started:] {
		if strings.Contains(request.Path, "oauth") {
			t.Errorf("doctor asked for %s", request.Path)
		}
	}
}

func TestDoctorFindsProblems(t *testing.T) {
	b := loginBox(t)
	b.put(b.session(time.Hour))
	port, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	number := strconv.Itoa(port.Addr().(*net.TCPAddr).Port)
	finds(t, b.examine(t, 1, "port", "--port", number), "failure", "PortInUse", "Port "+number)
	port.Close()
	finds(t, b.examine(t, 0, "port", "--port", number), "ok", number+" is free")
	if err := os.Chmod(b.vaultFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	finds(t, b.examine(t, 0, "files"), "warning", b.vaultFile(), "chmod")
	wrong := b.with("NINJAONE_AUTH_VAULT_PASSPHRASE_FILE=" + filepath.Join(b.home, "none"))
	finds(t, wrong.examine(t, 1, "keyring"), "failure", "VaultPassphraseMissing")
	finds(t, b.with("NINJAONE_AUTH_VAULT_BACKEND=passs").examine(t, 1, "keyring"), "failure", "InvalidSetting", "'pass'")
	finds(t, b.with("SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/dev/null").examine(t, 1, "network", "--instance", "oc"), "failure", "certificate is not trusted")
	odd := b.with("NINJAONE_AUTH_VAULT_BACKENDS=file", "NINJAONE_CLIENT_SECRET="+b.app.ClientSecret, "https_proxy=http://user:proxy-password@proxy:3128")
	odd.secrets = append(odd.secrets, "proxy-password")
	found := odd.examine(t, 0, "environment")
	finds(t, found, "warning", "NINJAONE_AUTH_VAULT_BACKENDS is no setting")
	finds(t, found, "warning", "NINJAONE_CLIENT_SECRET is set")
	finds(t, found, "ok", "https_proxy=http://proxy:3128")
	desktop := newMachine(t)
	finds(t, desktop.examine(t, 0, "keyring"), "warning", "Secret Service")
}

// Offline, behind a proxy that never answers, the diagnosis ends within 10 seconds.
func TestDoctorOffline(t *testing.T) {
	b := loginBox(t)
	b.put(b.session(time.Hour))
	b.proxy(hangs)
	started := time.Now()
	finds(t, b.examine(t, 1, "network"), "failure", "no answer through the proxy 127.0.0.1", "within 6 seconds")
	if took := time.Since(started); took > atOnce {
		t.Errorf("it took %s", took)
	}
}

// Shells that hang or talk nonsense hold nothing up.
func TestDoctorAsksShells(t *testing.T) {
	b := loginBox(t)
	for _, test := range []struct {
		script []string
		status string
		words  string
	}{
		{[]string{`print {"version":"7.6.1","policy":"AllSigned","mode":"FullLanguage","store":"Password","modules":["NinjaOne 2.8.0"],"vaults":["Jobs (Az.KeyVault)"]}`}, "ok", "PowerShell 7.6.1"},
		{[]string{`print {"version":"7.6.1","policy":"AllSigned","mode":"FullLanguage","store":"Password","modules":["NinjaOne 2.8.0"],"vaults":["Jobs (Az.KeyVault)"]}`}, "warning", "SecretStore asks for a password"},
		{[]string{`print {"version":"7.6.1","policy":"AllSigned","mode":"FullLanguage"}`}, "warning", "signed scripts only"},
		{[]string{`print {"version":"7.2.0","mode":"FullLanguage"}`}, "warning", "7.4 or newer"},
		{[]string{`print {"version":"7.6.1","mode":"ConstrainedLanguage"}`}, "failure", "ConstrainedLanguage mode"},
		{[]string{"print hello"}, "warning", "did not say what it is"},
		{[]string{"pause 30s"}, "warning", "did not say in time"},
	} {
		shell := need.Play(t, "pwsh", test.script...)
		status := 0
		if test.status == "failure" {
			status = 1
		}
		started := time.Now()
		finds(t, b.with("PATH="+filepath.Dir(shell)).examine(t, status, "powershell"), test.status, test.words)
		if took := time.Since(started); took > atOnce {
			t.Errorf("%q took %s", test.script, took)
		}
		arguments := read(t, shell+".arguments")
		contains(t, "the shell's arguments", arguments, "-NoProfile\n-NonInteractive\n")
	}
}

// A real PowerShell says what it is.
func TestDoctorAsksPwsh(t *testing.T) {
	need.Command(t, "pwsh", "install PowerShell 7")
	found := loginBox(t).examine(t, 0, "powershell")
	finds(t, found, "ok", "PowerShell 7.", "execution policy", "module")
}
