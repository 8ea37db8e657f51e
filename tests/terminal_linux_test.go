package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"ninjaone-auth/tests/need"
)

// terminal is a command in a pseudo-terminal, and what that has shown so far.
type terminal struct {
	t       *testing.T
	command *exec.Cmd
	keys    *os.File
	mutex   sync.Mutex
	screen  bytes.Buffer
	read    chan struct{}
}

// inTerminal starts a command in a terminal of so many columns.
func (m *machine) inTerminal(t *testing.T, columns uint16, arguments ...string) *terminal {
	t.Helper()
	return startInTerminal(t, columns, m.command(arguments...))
}

// inTerminalOf starts another program on the machine in a terminal.
func (m *machine) inTerminalOf(t *testing.T, command *exec.Cmd) *terminal {
	t.Helper()
	command.Env, command.Dir = append(m.environment(), "TERM=dumb"), m.home
	return startInTerminal(t, 200, command)
}

func startInTerminal(t *testing.T, columns uint16, command *exec.Cmd) *terminal {
	t.Helper()
	r := &terminal{t: t, command: command, read: make(chan struct{})}
	keys, err := pty.StartWithSize(r.command, &pty.Winsize{Rows: 24, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	r.keys = keys
	t.Cleanup(func() { keys.Close() })
	go func() {
		defer close(r.read)
		for chunk := make([]byte, 4096); ; {
			n, err := keys.Read(chunk)
			r.mutex.Lock()
			r.screen.Write(chunk[:n])
			r.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r
}

func (r *terminal) shown() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.screen.String()
}

// awaits waits until the terminal shows a text.
func (r *terminal) awaits(text string) {
	r.t.Helper()
	until(r.t, "the terminal to show "+text, func() bool { return strings.Contains(r.shown(), text) })
}

func (r *terminal) types(keys string) {
	r.t.Helper()
	if _, err := r.keys.WriteString(keys); err != nil {
		r.t.Fatal(err)
	}
}

// ends waits for the command's end, which must have this status, and returns all that was shown.
func (r *terminal) ends(status int) string {
	r.t.Helper()
	_ = r.command.Wait()
	<-r.read
	if got := r.command.ProcessState.ExitCode(); got != status {
		r.t.Errorf("exit status %d, want %d: %s", got, status, r.shown())
	}
	return r.shown()
}

// The client secret is asked for, and not shown.
func TestLoginAsksForTheSecret(t *testing.T) {
	b := loginBox(t)
	r := b.inTerminal(t, 200, b.login("--client")...)
	r.awaits("Client secret: ")
	r.types(b.app.ClientSecret + "\r")
	b.searchForSecrets("the terminal", r.ends(0))
	contains(t, "the terminal", r.shown(), "Signed in to eu.ninjarmm.com")
	if !b.service.IsValidAccess(b.get().Access) {
		t.Error("the session is not stored")
	}
}

// Ctrl+C at the question gives the terminal back as it was.
func TestCtrlCAtTheSecret(t *testing.T) {
	b := loginBox(t)
	r := b.inTerminal(t, 80, b.login("--client")...)
	r.awaits("Client secret: ")
	r.types("\x03")
	contains(t, "the terminal", r.ends(130), "interrupted")
	termios, err := unix.IoctlGetTermios(int(r.keys.Fd()), unix.TCGETS)
	if err != nil || termios.Lflag&(unix.ECHO|unix.ICANON) != unix.ECHO|unix.ICANON {
		t.Errorf("the terminal is not as it was: %v, %+v", err, termios)
	}
	b.requested(0)
}

// In a terminal the browser is the default, the wait shows the time left, and Ctrl+C ends it.
func TestLoginWaitsInATerminal(t *testing.T) {
	b := loginBox(t)
	p, _ := b.useWeb(nil, "await over")
	port, _ := json.Marshal(p["Port"])
	old := b.session(time.Hour)
	b.put(old)
	r := b.inTerminal(t, 80, b.login("--port", string(port), "--client-secret-file", b.secretFile(b.app.ClientSecret))...)
	r.awaits("Waiting for the browser: 300 seconds left (Ctrl+C ends it)")
	r.awaits("298 seconds left")
	r.types("\x03")
	shown := r.ends(130)
	contains(t, "the terminal", shown, "Sign in to NinjaOne", "https://eu.ninjarmm.com/ws/oauth/authorize", "interrupted")
	if strings.Contains(shown, "\x1b") {
		t.Errorf("control sequences, which not every console knows: %q", shown)
	}
	b.searchForSecrets("the terminal", shown)
	equal(t, "the session", b.get(), old.Authentication)
	mustBeFree(t, p["Port"].(int))
}

func TestLogoutAsks(t *testing.T) {
	b := loginBox(t)
	for _, test := range []struct {
		typed  string
		status int
		stays  bool
	}{{"\r", 0, true}, {"no\r", 0, true}, {"\x03", 130, true}, {"y\r", 0, false}} {
		b.put(b.session(time.Hour))
		r := b.inTerminal(t, 80, "logout", "--all")
		r.awaits("Remove all sessions in the keyring (1)? [y/N]")
		r.types(test.typed)
		r.ends(test.status)
		if stays := strings.Contains(b.runs(0, "vault", "list").stdout, b.app.ClientID); stays != test.stays {
			t.Errorf("%q: the session stays: %t", test.typed, stays)
		}
	}
}

// A table that does not fit is shown field by field, as nothing may be cut; elsewhere than in a terminal there are tabs.
func TestTables(t *testing.T) {
	b := loginBox(t)
	b.put(b.session(time.Hour))
	wide := b.inTerminal(t, 250, "vault", "list").ends(0)
	if lines := strings.Split(strings.TrimSpace(wide), "\n"); len(lines) != 2 || strings.Index(lines[0], "CLIENT ID") != strings.Index(lines[1], b.app.ClientID) {
		t.Errorf("in a wide terminal:\n%s", wide)
	}
	narrow := b.inTerminal(t, 60, "vault", "list").ends(0)
	contains(t, "a narrow terminal", narrow, "CLIENT ID    "+b.app.ClientID, "SCOPES       monitoring management control offline_access")
	contains(t, "a pipe", b.runs(0, "vault", "list").stdout, "NinjaOne\tNinjaOne\teu\t"+b.app.ClientID+"\tToken Authentication\t")
}

func TestDoctorInColour(t *testing.T) {
	b := loginBox(t)
	contains(t, "in a terminal", b.with("TERM=xterm").inTerminal(t, 120, "doctor", "--port", strconv.Itoa(need.FreePort(t))).ends(0), "\x1b[32mOK")
	if shown := b.with("TERM=xterm", "NO_COLOR=1").inTerminal(t, 120, "doctor", "--port", strconv.Itoa(need.FreePort(t))).ends(0); strings.Contains(shown, "\x1b") {
		t.Errorf("with NO_COLOR: %q", shown)
	}
}

// Windows has access lists instead, which package keyring's tests look at.
func TestLoginRefusesASecretThatOthersCanRead(t *testing.T) {
	b := loginBox(t)
	secret := b.secretFile(b.app.ClientSecret)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(secret, mode); err != nil {
			t.Fatal(err)
		}
		b.runs(2, b.login("--client", "--client-secret-file", secret)...).saysOnly(t, "client secret can't be read", "chmod 600")
	}
	b.requested(0)
}
