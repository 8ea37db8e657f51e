package keyring

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/tests/need"
)

func startSecretService(t testing.TB) *need.SecretService {
	t.Helper()
	home(t)
	service := need.StartSecretService(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", service.Address)
	t.Setenv(BackendVariable, "")
	return service
}

func TestSecretService(t *testing.T) {
	startSecretService(t)
	roundTrip(t)
}

func TestSecretServiceLocked(t *testing.T) {
	service := startSecretService(t)
	mustSave(t, open(), key, small)
	service.Lock()
	_, loadErr := open().Load(t.Context(), key)
	_, listErr := open().List(t.Context(), ours)
	for _, err := range []error{loadErr, listErr, open().Save(t.Context(), key, "", small)} {
		mustFail(t, err, Locked)
	}
}

func TestSecretServiceUnavailable(t *testing.T) {
	home(t)
	t.Setenv(BackendVariable, "")
	if _, err := os.Stat("/run/user/" + strconv.Itoa(os.Getuid()) + "/bus"); err == nil {
		need.Missing(t, "a machine without a session bus", "run it in a container")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	load := func() error { _, err := open().Load(t.Context(), key); return err }
	mustFail(t, load(), Unavailable, "DBUS_SESSION_BUS_ADDRESS is not set")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	mustFail(t, load(), Unavailable, "no such file")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", need.StartBus(t, "--config-file="+emptyBus(t)))
	mustFail(t, load(), Unavailable, "org.freedesktop.secrets")
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
	t.Setenv(BackendVariable, "")
	need.Command(t, "gnome-keyring-daemon", "apt-get install gnome-keyring")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", need.StartBus(t, "--session"))
	_, err := open().Load(t.Context(), key)
	mustFail(t, err, Unavailable, "no default keyring")
}

// A bus that never answers, as a Secret Service whose prompt nobody sees.
func TestSecretServiceThatHangs(t *testing.T) {
	home(t)
	t.Setenv(BackendVariable, "")
	connections := silentBus(t)
	_, err := Open(500*time.Millisecond).Load(t.Context(), key)
	mustFail(t, err, TimedOut)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = open().Load(ctx, key)
	mustBeInterrupted(t, err)
	if connections.Load() == 0 {
		t.Error("the bus was not contacted at all")
	}
}

// Nothing but the child of a keyring on the bus contacts the bus or starts one.
func TestNoBus(t *testing.T) {
	launch := need.Play(t, "dbus-launch") // before the test gets a home of its own, without Go's cache
	useFile(t)
	connections := silentBus(t)
	t.Setenv("PATH", filepath.Dir(launch)+":"+os.Getenv("PATH"))
	mustSave(t, open(), key, small)
	mustLoad(t, open(), key, small)
	for _, address := range []string{os.Getenv("DBUS_SESSION_BUS_ADDRESS"), "", "autolaunch:"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if output, err := exec.Command(os.Args[0], "-test.run=^TestEnvironmentIsRestored$", "-test.v").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		if address == "" {
			t.Setenv(BackendVariable, "secret-service")
			_, _ = open().Load(t.Context(), key)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("the bus was contacted %d times", n)
	}
	if _, err := os.Stat(launch + ".pid"); err == nil {
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
