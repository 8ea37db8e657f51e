package need

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// SecretService is a D-Bus session bus of the test's own with gnome-keyring on it, whose login keyring is unlocked.
type SecretService struct {
	t testing.TB
	// Address is the bus's, for DBUS_SESSION_BUS_ADDRESS.
	Address string
}

// StartSecretService starts one, with a home of its own.
func StartSecretService(t testing.TB) *SecretService {
	t.Helper()
	s := &SecretService{t, StartBus(t, "--session")}
	home := t.TempDir()
	daemon := exec.Command(Command(t, "gnome-keyring-daemon", "apt-get install gnome-keyring"), "--foreground", "--unlock", "--components=secrets")
	daemon.Env = append(s.environment(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+home)
	daemon.Stdin = strings.NewReader("password")
	untilTheEnd(t, daemon)
	// The bus would start a locked keyring of its own for a call that comes before ours is there.
	s.await("true", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")
	s.await("/collection/login", "org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias", "string:default")
	return s
}

func (s *SecretService) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "DBUS_SESSION_BUS_ADDRESS=" + s.Address}
}

// Lock locks the login keyring.
func (s *SecretService) Lock() {
	s.t.Helper()
	output, err := s.call("org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
		"array:objpath:/org/freedesktop/secrets/collection/login")
	if err != nil {
		s.t.Fatal(output, err)
	}
}

// await calls a method until its reply holds a text.
func (s *SecretService) await(want, destination, path, method, argument string) {
	s.t.Helper()
	var output string
	for range 600 {
		if output, _ = s.call(destination, path, method, argument); strings.Contains(output, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("%s does not reply %q after 30 seconds: %s", method, want, output)
}

func (s *SecretService) call(destination, path, method, argument string) (string, error) {
	send := exec.Command("dbus-send", "--session", "--print-reply", "--dest="+destination, path, method, argument)
	send.Env = s.environment()
	output, err := send.CombinedOutput()
	return string(output), err
}

// StartBus starts a D-Bus bus for the test, which the options name, and returns its address.
func StartBus(t testing.TB, options ...string) string {
	t.Helper()
	daemon := exec.Command(Command(t, "dbus-daemon", "apt-get install dbus"), append(options, "--address=unix:dir="+t.TempDir(), "--nofork", "--print-address=1")...)
	output, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	untilTheEnd(t, daemon)
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// untilTheEnd starts a program and kills it when the test ends.
func untilTheEnd(t testing.TB, program *exec.Cmd) {
	t.Helper()
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
}
