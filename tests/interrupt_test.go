package tests

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// endings are the ways in which a caller stops a program.
var endings = map[string]func(c *conversation){
	"SIGINT":        func(c *conversation) { _ = c.command.Process.Signal(os.Interrupt) },
	"SIGTERM":       func(c *conversation) { _ = c.command.Process.Signal(syscall.SIGTERM) },
	"SIGQUIT":       func(c *conversation) { _ = c.command.Process.Signal(syscall.SIGQUIT) },
	"SIGHUP":        func(c *conversation) { _ = c.command.Process.Signal(syscall.SIGHUP) },
	"a gone caller": func(c *conversation) { c.stdin.Close() },
}

// startUntilAsked starts a connect and returns when NinjaOne has its request.
func (m *machine) startUntilAsked(p parameters) *conversation {
	m.t.Helper()
	c := m.start(request{Parameters: p, Caller: &caller{Streams: allStreams}})
	m.awaitRequests(1)
	return c
}

func (c *conversation) endsAtOnce(end func(*conversation)) *outcome {
	c.m.t.Helper()
	ended := time.Now()
	end(c)
	o := c.wait().hasFailed(c.m.t, "Interrupted")
	if took := time.Since(ended); took > atOnce || o.Category != "OperationStopped" {
		c.m.t.Errorf("category %s after %s", o.Category, took)
	}
	return o
}

func TestInterruptedClientCredentials(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.hold()
			m.startUntilAsked(asClient(m.app(standin.App{}))).endsAtOnce(end)
			m.requested(1)
		})
	}
}

// A refresh that NinjaOne has may have rotated the token: its response is waited for and the session delivered.
func TestInterruptedRefresh(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.hold()
			c := m.startUntilAsked(asToken(m.app(standin.App{RefreshToken: "first-refresh-token"})))
			end(c)
			time.Sleep(100 * time.Millisecond) // one that would give up has time to
			m.release()
			if o := c.wait().succeeded(t); !m.service.IsValidRefresh(string(o.Authentication.Refresh)) {
				t.Error("the refresh token is not the new one")
			}
		})
	}
}

// How NinjaOne fails such a refresh is told as it is: nobody may believe that nothing was changed.
func TestInterruptedRefreshThatFails(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.fault(standin.Fault{Kind: standin.Drop, Process: true, Hold: true})
	c := m.startUntilAsked(asToken(m.app(standin.App{RefreshToken: "first-refresh-token"})))
	endings["SIGTERM"](c)
	time.Sleep(100 * time.Millisecond) // one that would give up has time to
	m.release()
	c.wait().hasFailed(t, "ConnectionFailed", "lost before the response")
	m.requested(1)
}

// Nothing was sent yet while a proxy or a TLS handshake hangs.
func TestInterruptedWhileConnecting(t *testing.T) {
	t.Parallel()
	for place, greeting := range map[string]string{"the proxy": "", "the TLS handshake": "HTTP/1.1 200 OK\r\n\r\n"} {
		for name, end := range endings {
			t.Run(place+", "+name, func(t *testing.T) {
				m := newMachine(t)
				reached := make(chan struct{}, 100)
				m.proxy(func(conn net.Conn) { sends(greeting)(conn); reached <- struct{}{}; hangs(conn) })
				app := m.app(standin.App{RefreshToken: "first-refresh-token"})
				c := m.start(request{Parameters: asToken(app), Caller: &caller{Streams: allStreams}})
				until(t, "a connection", func() bool { return len(reached) > 0 })
				c.endsAtOnce(end)
			})
		}
	}
}

func TestInterruptedBetweenTries(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.fault(standin.Fault{Kind: standin.Respond, Status: 503, RetryAfter: "20"})
	c := m.startUntilAsked(asToken(m.app(standin.App{RefreshToken: "first-refresh-token"})))
	c.await("verbose", "Trying again in 20s")
	c.endsAtOnce(endings["SIGINT"])
}

// In the middle of its request, a caller may take its time.
func TestInterruptedDuringTheRequest(t *testing.T) {
	t.Parallel()
	command := newMachine(t).command("connect")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	output := &strings.Builder{}
	command.Stdout = output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: the program has begun to read.
	if _, err := io.WriteString(stdin, `{"parameters":`+strings.Repeat(" ", 200<<10)); err != nil {
		t.Fatal(err)
	}
	_ = command.Process.Signal(os.Interrupt)
	_ = command.Wait()
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(output.String(), `"Interrupted"`) {
		t.Errorf("exit status %d: %s", command.ProcessState.ExitCode(), output)
	}
}

// What nohup starts outlives a hang-up. The tests' launcher undoes that.
func TestNohup(t *testing.T) {
	t.Parallel()
	nohup := need.Command(t, "nohup", "apt-get install coreutils")
	for _, test := range []struct {
		through []string
		ends    bool
	}{{[]string{nohup}, false}, {[]string{nohup, player}, true}} {
		m := newMachine(t)
		m.through = test.through
		m.hold()
		c := m.startUntilAsked(asClient(m.app(standin.App{})))
		if test.ends {
			c.endsAtOnce(endings["SIGHUP"])
			continue
		}
		endings["SIGHUP"](c)
		time.Sleep(100 * time.Millisecond) // one that would end has time to
		m.release()
		c.wait().succeeded(t)
	}
}

// A caller that closes its ends while a refresh is under way, as a pwsh that is killed does, loses the answer, but the vault
// gets the new token.
func TestVanishedCaller(t *testing.T) {
	for name, both := range map[string]bool{"stdout": false, "stdin and stdout": true} {
		t.Run(name, func(t *testing.T) {
			b := keyringBox(t, plainName)
			b.expired()
			b.hold()
			command := b.command("connect")
			stdin, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(stdin).Encode(request{Parameters: b.example5(nil), Caller: b.who}); err != nil {
				t.Fatal(err)
			}
			b.awaitRequests(1)
			stdout.Close()
			if both {
				stdin.Close()
			}
			b.release()
			_ = command.Wait()
			equal(t, "exit status", command.ProcessState.ExitCode(), 1)
			b.holdsNewest()
		})
	}
}

// A connect that uses no vault does without D-Bus, whose libraries would look for it when they are loaded.
func TestNoDBus(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{})
	launcher := need.Play(t, "dbus-launch")
	socket := filepath.Join(t.TempDir(), "bus")
	bus, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	connections := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := bus.Accept()
			if err != nil {
				return
			}
			connections <- conn
			conn.Close()
		}
	}()
	plain := slices.Clone(m.env)
	path := "PATH=" + filepath.Dir(launcher) + ":" + os.Getenv("PATH")
	m.env = append(plain, path, "DISPLAY=:99")
	m.connect(asClient(app))
	m.env = append(plain, path, "DBUS_SESSION_BUS_ADDRESS=unix:path="+socket)
	m.connect(asClient(app))
	if exists(launcher+".pid") || len(connections) > 0 {
		t.Errorf("dbus-launch was started: %v, connections to the bus: %d", exists(launcher+".pid"), len(connections))
	}
	// The check works: a read from the Secret Service does use the bus.
	m.fails(parameters{"UseSecretManagement": true, "ReadFromSecretVault": true, "VaultName": "Test"}, "VaultUnavailable")
	if len(connections) == 0 {
		t.Error("the bus was not even used for a vault")
	}
}
