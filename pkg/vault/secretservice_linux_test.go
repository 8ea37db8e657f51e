package vault

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/tests/need"
)

// startBus starts a D-Bus session bus for the test.
func startBus(t testing.TB, options ...string) {
	t.Helper()
	daemon := exec.Command(need.Command(t, "dbus-daemon", "apt-get install dbus"), append(options, "--nofork", "--print-address=1")...)
	output, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
}

// startSecretService starts gnome-keyring with an unlocked login keyring.
func startSecretService(t testing.TB) {
	t.Helper()
	home(t)
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	t.Setenv(backendVariable, "")
	startBus(t, "--session")
	daemon := exec.Command(need.Command(t, "gnome-keyring-daemon", "apt-get install gnome-keyring"),
		"--foreground", "--unlock", "--components=secrets")
	daemon.Stdin = strings.NewReader("password")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	// The bus would start a locked keyring of its own for a call that comes before ours is there.
	for range 100 {
		output, _ := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus",
			"org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets").Output()
		if strings.Contains(string(output), "true") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for range 100 {
		if output, _ := call("org.freedesktop.Secret.Service.ReadAlias", "string:default"); strings.Contains(output, "/collection/login") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("gnome-keyring has no login keyring after 5 seconds")
}

func call(method, argument string) (string, error) {
	output, err := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.secrets",
		"/org/freedesktop/secrets", method, argument).CombinedOutput()
	return string(output), err
}

func TestSecretService(t *testing.T) {
	startSecretService(t)
	roundTrip(t)
}

func TestSecretServiceLocked(t *testing.T) {
	startSecretService(t)
	store := NewKeyring(testName, &sink{})
	mustSave(t, store, testSession(testName))
	if output, err := call("org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"); err != nil {
		t.Fatal(output, err)
	}
	_, loadErr := store.Load(t.Context())
	_, listErr := List(t.Context(), &sink{})
	saveErr := store.Save(t.Context(), testSession(testName))
	for _, err := range []error{loadErr, listErr, saveErr} {
		wantFailure(t, err, "VaultLocked", "Secret Service")
	}
}

func TestSecretServiceUnavailable(t *testing.T) {
	home(t)
	t.Setenv(backendVariable, "")
	if _, err := os.Stat("/run/user/" + strconv.Itoa(os.Getuid()) + "/bus"); err == nil {
		need.Missing(t, "a machine without a session bus", "run it in a container")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	load := func() error { _, err := NewKeyring(testName, &sink{}).Load(t.Context()); return err }
	wantFailure(t, load(), "VaultUnavailable", "DBUS_SESSION_BUS_ADDRESS is not set", "Register-SecretVault", "pass")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	wantFailure(t, load(), "VaultUnavailable", "no such file", "Register-SecretVault")
	startBus(t, "--config-file="+emptyBus(t))
	wantFailure(t, load(), "VaultUnavailable", "org.freedesktop.secrets")
}

// emptyBus is the configuration of a bus that starts no services.
func emptyBus(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "bus.conf")
	write(t, file, `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">`+
		`<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, 0o600)
	return file
}

func TestSecretServiceWithoutKeyring(t *testing.T) {
	home(t)
	t.Setenv(backendVariable, "")
	startBus(t, "--session")
	need.Command(t, "gnome-keyring-daemon", "apt-get install gnome-keyring")
	_, err := NewKeyring(testName, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultUnavailable", "no default keyring")
}

// A bus that never answers, as a Secret Service whose prompt nobody sees.
func TestSecretServiceThatHangs(t *testing.T) {
	home(t)
	t.Setenv(backendVariable, "")
	connections := silentBus(t)
	defer func(p time.Duration) { patience = p }(patience)
	patience = 500 * time.Millisecond
	_, err := NewKeyring(testName, &sink{}).Load(t.Context())
	wantFailure(t, err, "VaultTimedOut", "locked")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = NewKeyring(testName, &sink{}).Load(ctx)
	wantFailure(t, err, "Interrupted")
	if connections.Load() == 0 {
		t.Error("the bus was not contacted at all")
	}
}

// Nothing but the child of a keyring on the bus contacts the bus or starts one.
func TestNoBus(t *testing.T) {
	useFile(t)
	connections := silentBus(t)
	started := filepath.Join(t.TempDir(), "started")
	bin := t.TempDir()
	write(t, filepath.Join(bin, "dbus-launch"), "#!/bin/sh\necho $$ >"+started+"\n", 0o700)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	store := NewKeyring(testName, &sink{})
	mustSave(t, store, testSession(testName))
	mustLoad(t, store, testSession(testName))
	for _, address := range []string{os.Getenv("DBUS_SESSION_BUS_ADDRESS"), "", "autolaunch:"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if output, err := exec.Command(os.Args[0], "-test.run=^TestEnvironmentIsRestored$", "-test.v").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		if address == "" {
			t.Setenv(backendVariable, "secret-service")
			_, _ = NewKeyring(testName, &sink{}).Load(t.Context())
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("the bus was contacted %d times", n)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("dbus-launch was started")
	}
}

func TestEnvironmentIsRestored(t *testing.T) {
	if got := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); got == "disabled" {
		t.Errorf("the bus address is still %q", got)
	}
	if slices.Contains(keyring.AvailableBackends(), keyring.SecretServiceBackend) {
		t.Error("the library reached a bus when it was initialised")
	}
}

// silentBus is a session bus that accepts connections and says nothing.
func silentBus(t *testing.T) *atomic.Int32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var connections atomic.Int32
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			t.Cleanup(func() { connection.Close() })
		}
	}()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+path)
	return &connections
}

func BenchmarkReadSecretService(b *testing.B) {
	startSecretService(b)
	store := NewKeyring(testName, &sink{})
	if err := store.Save(b.Context(), testSession(testName)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := store.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
