package tests

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/tests/standin"
)

// endings are the ways in which a caller stops a program.
var endings = map[string]func(c *conversation){
	"SIGINT":        func(c *conversation) { _ = c.command.Process.Signal(os.Interrupt) },
	"SIGTERM":       func(c *conversation) { _ = c.command.Process.Signal(syscall.SIGTERM) },
	"SIGHUP":        func(c *conversation) { _ = c.command.Process.Signal(syscall.SIGHUP) },
	"a gone caller": func(c *conversation) { c.stdin.Close() },
}

// startUntilAsked starts a connect and returns when NinjaOne has its request.
func (m *machine) startUntilAsked(r request) *conversation {
	m.t.Helper()
	c := m.start(r)
	m.awaitTokenRequest()
	return c
}

func (m *machine) awaitTokenRequest() {
	m.t.Helper()
	for range 1000 {
		if len(m.tokenRequests()) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatal("there was no token request")
}

func (c *conversation) endsAtOnce(end func(*conversation)) *outcome {
	c.m.t.Helper()
	ended := time.Now()
	end(c)
	o := c.wait()
	o.hasFailed(c.m.t, "Interrupted")
	if took := time.Since(ended); took > time.Second || o.Category != "OperationStopped" {
		c.m.t.Errorf("category %s after %s", o.Category, took)
	}
	return o
}

func TestInterruptedClientCredentials(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{})
			m.fault(standin.Fault{Kind: standin.Hang})
			m.startUntilAsked(request{Parameters: asClient(app), Caller: &caller{Streams: allStreams}}).endsAtOnce(end)
			if seen := len(m.tokenRequests()); seen != 1 {
				t.Errorf("%d requests", seen)
			}
		})
	}
}

// A refresh that NinjaOne has may have rotated the token: its answer is waited for and delivered.
func TestInterruptedRefresh(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			m.fault(standin.Fault{Kind: standin.Slow, Delay: 700 * time.Millisecond})
			c := m.startUntilAsked(request{Parameters: asToken(app), Caller: &caller{Streams: allStreams}})
			end(c)
			o := c.wait()
			if o.Type != "session" || o.status != 0 || !m.service.IsValidRefresh(string(o.Authentication.Refresh)) {
				t.Errorf("exit status %d, %s: %s", o.status, o.ID, o.Message)
			}
		})
	}
}

// What NinjaOne answers to such a refresh is told as it is: nobody may believe that nothing was changed.
func TestInterruptedRefreshThatFails(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	m.fault(standin.Fault{Kind: standin.Drop, Process: true, Delay: 300 * time.Millisecond})
	c := m.startUntilAsked(request{Parameters: asToken(app), Caller: &caller{Streams: allStreams}})
	endings["SIGTERM"](c)
	c.wait().hasFailed(t, "ConnectionFailed", "lost before the answer")
	if seen := len(m.tokenRequests()); seen != 1 {
		t.Errorf("%d requests", seen)
	}
}

// Nothing was sent yet while a proxy or a TLS handshake hangs.
func TestInterruptedWhileConnecting(t *testing.T) {
	t.Parallel()
	for place, serve := range map[string]func(chan struct{}) func(net.Conn){
		"the proxy": func(reached chan struct{}) func(net.Conn) {
			return func(conn net.Conn) { close(reached); hangs(conn) }
		},
		"the TLS handshake": func(reached chan struct{}) func(net.Conn) {
			return func(conn net.Conn) { answers("HTTP/1.1 200 OK\r\n\r\n")(conn); close(reached); hangs(conn) }
		},
	} {
		for name, end := range endings {
			t.Run(place+", "+name, func(t *testing.T) {
				m := newMachine(t)
				reached := make(chan struct{})
				m.proxy(serve(reached))
				app := m.app(standin.App{RefreshToken: "first-refresh-token"})
				c := m.start(request{Parameters: asToken(app), Caller: &caller{Streams: allStreams}})
				select {
				case <-reached:
				case <-time.After(5 * time.Second):
					t.Fatal("nobody connected")
				}
				c.endsAtOnce(end)
			})
		}
	}
}

func TestInterruptedBetweenTries(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	m.fault(standin.Fault{Kind: standin.Answer, Status: 503, RetryAfter: "20"})
	c := m.startUntilAsked(request{Parameters: asToken(app), Caller: &caller{Streams: allStreams}})
	time.Sleep(200 * time.Millisecond)
	c.endsAtOnce(endings["SIGINT"])
}

func TestInterruptedBeforeTheRequest(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	command := m.command("connect")
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
	time.Sleep(500 * time.Millisecond)
	_ = command.Process.Signal(os.Interrupt)
	started := time.Now()
	_ = command.Wait()
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(output.String(), `"Interrupted"`) || time.Since(started) > time.Second {
		t.Errorf("exit status %d after %s: %s", command.ProcessState.ExitCode(), time.Since(started), output)
	}
}

// A caller that stops reading while a refresh is under way loses the answer, but its vault has the new token.
func TestClosedStdoutDuringRefresh(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.env = append(m.env, "NINJAONE_AUTH_VAULT_BACKEND=file", "NINJAONE_AUTH_VAULT_PASSPHRASE=a passphrase")
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	call := asToken(app)
	maps.Copy(call, parameters{"UseSecretManagement": true, "WriteToSecretVault": true, "VaultName": "Test"})
	input, err := json.Marshal(request{Parameters: call})
	if err != nil {
		t.Fatal(err)
	}
	m.fault(standin.Fault{Kind: standin.Slow, Delay: 500 * time.Millisecond})
	command := m.command("connect")
	command.Stdin = bytes.NewReader(input)
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	m.awaitTokenRequest()
	stdout.Close()
	_ = command.Wait()
	if status := command.ProcessState.ExitCode(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	o := m.connect(parameters{"UseSecretManagement": true, "ReadFromSecretVault": true, "VaultName": "Test"})
	if !m.service.IsValidRefresh(string(o.Authentication.Refresh)) || m.service.Counters().Refreshes != 1 {
		t.Error("the new refresh token is lost")
	}
}

// A connect that uses no vault does without D-Bus, whose libraries would look for it when they are loaded.
func TestNoDBus(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{})
	folder := t.TempDir()
	mark, socket := filepath.Join(folder, "launched"), filepath.Join(folder, "bus")
	if err := os.WriteFile(filepath.Join(folder, "dbus-launch"), []byte("#!/bin/sh\n: >'"+mark+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
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
	path := "PATH=" + folder + ":" + os.Getenv("PATH")
	m.env = append(plain, path, "DISPLAY=:99")
	m.connect(asClient(app))
	m.env = append(plain, path, "DBUS_SESSION_BUS_ADDRESS=unix:path="+socket)
	m.connect(asClient(app))
	if _, err := os.Stat(mark); err == nil || len(connections) > 0 {
		t.Errorf("dbus-launch: %v, connections to the bus: %d", err, len(connections))
	}
	// The check works: a read from the Secret Service does use the bus.
	m.fails(parameters{"UseSecretManagement": true, "ReadFromSecretVault": true, "VaultName": "Test"}, "VaultUnavailable")
	if len(connections) == 0 {
		t.Error("the bus was not even used for a vault")
	}
}
