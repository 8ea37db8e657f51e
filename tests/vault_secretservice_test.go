package tests

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// useSecretService gives the machine a session bus and gnome-keyring with an unlocked login keyring.
func (m *machine) useSecretService() {
	m.t.Helper()
	bus := m.daemon("", need.Command(m.t, "dbus-daemon", "apt-get install dbus"), "--session", "--nofork",
		"--address=unix:dir="+m.home, "--print-address=1")
	m.set("NINJAONE_AUTH_VAULT_BACKEND", "")
	m.set("DBUS_SESSION_BUS_ADDRESS", bus())
	m.set("XDG_DATA_HOME", filepath.Join(m.home, "data"))
	runtime := filepath.Join(m.home, "run")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		m.t.Fatal(err)
	}
	m.set("XDG_RUNTIME_DIR", runtime)
	m.daemon("password", need.Command(m.t, "gnome-keyring-daemon", "apt-get install gnome-keyring"),
		"--foreground", "--unlock", "--components=secrets")
	// The bus would start a locked keyring of its own for a call that comes before ours is there.
	m.await("org.freedesktop.DBus.NameHasOwner", "true", "string:org.freedesktop.secrets")
	m.await("org.freedesktop.Secret.Service.ReadAlias", "/collection/login", "string:default")
}

// await calls a method on the session bus until it returns a text.
func (m *machine) await(method, want, argument string) {
	m.t.Helper()
	until(m.t, method+" returning "+want, func() bool {
		output, _ := m.onBus(method, argument)
		return strings.Contains(output, want)
	})
}

// daemon starts a program that ends with the test and returns a function for the first line that it prints.
func (m *machine) daemon(input, name string, arguments ...string) func() string {
	m.t.Helper()
	command := exec.Command(name, arguments...)
	command.Env, command.Stdin = m.environment(), strings.NewReader(input)
	output, err := command.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return func() string {
		line, err := bufio.NewReader(output).ReadString('\n')
		if err != nil {
			m.t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
}

// onBus calls a method of the bus or of the Secret Service.
func (m *machine) onBus(method, argument string) (string, error) {
	destination, path := "org.freedesktop.secrets", "/org/freedesktop/secrets"
	if strings.HasPrefix(method, "org.freedesktop.DBus.") {
		destination, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
	}
	send := exec.Command("dbus-send", "--session", "--print-reply", "--dest="+destination, path, method, argument)
	send.Env = m.environment()
	output, err := send.CombinedOutput()
	return string(output), err
}

func secretServiceBox(t testing.TB) *box {
	m := newMachine(t)
	m.useSecretService()
	return &box{m, plainName, &caller{Streams: allStreams}, m.app(standin.App{})}
}

func TestSecretService(t *testing.T) {
	b := secretServiceBox(t)
	wrote := b.connects(b.example4(nil), nil)
	b.service.Reset()
	want := wrote.Session
	want.Connection.ReadFromSecretVault = true
	equal(t, "read", b.connects(b.example5(nil), nil).Session, want)
	if r := b.runs(0, "token", "--vault", vaultName); r.stdout != wrote.Authentication.Access+"\n" {
		t.Errorf("printed %q, %q", r.stdout, r.stderr)
	}
	if n := b.service.Counters().Connections; n > 0 {
		t.Errorf("reading used the network %d times", n)
	}
	contains(t, "the list", b.runs(0, "vault", "list").stdout, vaultName)
	b.runs(0, "vault", "remove", vaultName)
	b.refuses(b.example5(nil), nil, "VaultNotFound", "Secret Service")
}

func TestSecretServiceRaces(t *testing.T) {
	b := secretServiceBox(t)
	b.expired()
	for _, o := range b.all(10, nil) {
		b.holdsLast(o.succeeded(t))
	}
	b.asked("refresh_token")
}

// A locked keyring on a machine without a desktop: nobody could answer its prompt.
func TestSecretServiceLocked(t *testing.T) {
	b := secretServiceBox(t)
	b.connects(b.example4(nil), nil)
	if output, err := b.onBus("org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"); err != nil {
		t.Fatal(output, err)
	}
	for _, p := range []parameters{b.example4(nil), b.example5(nil)} {
		if o := b.refuses(p, nil, "VaultLocked", "Secret Service", "Unlock"); o.elapsed > 25*time.Second { // a prompt would wait longer
			t.Errorf("that took %s", o.elapsed)
		}
	}
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "VaultLocked", "Unlock")
	b.requested(1) // none that could not be stored
}

// BenchmarkRead is the time of a whole process that reads a valid session, beyond one that only starts.
func BenchmarkRead(b *testing.B) {
	for kind, open := range map[string]func(testing.TB) *box{
		"SecretService": secretServiceBox,
		"file":          func(t testing.TB) *box { return keyringBox(t, plainName) },
	} {
		b.Run(kind, func(b *testing.B) {
			box := open(b)
			box.put(box.session(time.Hour))
			var reads, starts []float64
			for b.Loop() {
				for range repetitions {
					starts = append(starts, float64(timed(b, box.command("version")))/1e6)
					reads = append(reads, float64(timed(b, box.command("token", "--vault", vaultName)))/1e6)
				}
			}
			b.ReportMetric(median(reads), "ms-a-read")
			b.ReportMetric(median(starts), "ms-a-start")
		})
	}
}
