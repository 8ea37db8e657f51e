// Package tests runs the built program as its users do: as a subprocess, against a stand-in NinjaOne with real TLS,
// which it reaches through HTTPS_PROXY and SSL_CERT_FILE.
package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/pkg/vault/nobus"
	"ninjaone-auth/tests/standin"
)

// binary is the program under test, built once.
var binary string

// TestMain builds the program, and makes the test binary its own keyring child (package vault).
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == nobus.ChildCommand {
		if vault.ServeKeyring(os.Args[2], os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	directory, err := os.MkdirTemp("", "ninjaone-auth-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(directory, "ninjaone-auth")
	build := exec.Command("go", "build", "-o", binary, "ninjaone-auth/cmd/ninjaone-auth")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, output)
		os.Exit(1)
	}
	// These tests wait more than they compute.
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	status := m.Run()
	os.RemoveAll(directory)
	os.Exit(status)
}

// machine is a user's machine: its own home, no D-Bus, and a stand-in NinjaOne to talk to.
type machine struct {
	t       testing.TB
	service *standin.Service
	home    string
	// env is added to the environment of each program.
	env []string
	// through is a command that starts the program: its last arguments are the program and the program's.
	through []string
	// secrets are searched for in all output, with those that the service knows.
	secrets []string
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	service, err := standin.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, violation := range service.Violations() {
			t.Errorf("NinjaOne would never accept this: %s", violation)
		}
		service.Close()
	})
	return &machine{t: t, service: service, home: t.TempDir()}
}

// app registers an application.
func (m *machine) app(app standin.App) standin.App {
	m.t.Helper()
	app, err := m.service.Register(app)
	if err != nil {
		m.t.Fatal(err)
	}
	return app
}

// environment is all that a program on this machine gets.
func (m *machine) environment() []string {
	return slices.Concat([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + m.home, "XDG_CONFIG_HOME=" + filepath.Join(m.home, "config"),
		"XDG_CACHE_HOME=" + filepath.Join(m.home, "cache"),
	}, m.service.Env(), m.env)
}

// command is the program with these arguments, ready to be started; it is killed after a minute.
func (m *machine) command(arguments ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	m.t.Cleanup(cancel)
	line := slices.Concat(m.through, []string{binary}, arguments)
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	command.Env = m.environment()
	return command
}

// parameters are those of a call, by name.
type parameters map[string]any

// of are the parameters that name an application, and more.
func of(app standin.App, more parameters) parameters {
	all := parameters{"Instance": app.Instance, "ClientId": app.ClientID, "ClientSecret": app.ClientSecret}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// request is a caller's first line. A caller that shows everything is the usual one here, so that all output is seen.
type request struct {
	Version    int              `json:"version,omitempty"`
	Parameters parameters       `json:"parameters"`
	Session    *session.Session `json:"session,omitempty"`
	Caller     *caller          `json:"caller,omitempty"`
}

type caller struct {
	Streams     []string `json:"streams,omitempty"`
	Vaults      bool     `json:"vaults,omitempty"`
	Interactive bool     `json:"interactive"`
	// secrets answers getSecrets and setSecrets for a caller with vaults.
	secrets *secretManagement
}

var allStreams = []string{"verbose", "debug", "warning", "information"}

// answer is the program's last line.
type answer struct {
	Type           string
	ParameterSet   string
	ID             string
	Category       string
	Message        string
	Recommendation string
	Target         string
	Warnings       []string
	session.Session
}

// outcome is what came of one connect.
type outcome struct {
	answer
	messages []message // before the answer
	status   int
	elapsed  time.Duration
}

type message struct {
	Type, Stream, Message string
	Vault                 string
	Names                 []string
	Secrets               []struct{ Name, Value string }
}

// said returns what was written to a stream, a line each.
func (o *outcome) said(stream string) string {
	var lines []string
	for _, m := range o.messages {
		if m.Type == "write" && m.Stream == stream {
			lines = append(lines, m.Message)
		}
	}
	return strings.Join(lines, "\n")
}

// connect carries out a call that has to succeed.
func (m *machine) connect(p parameters) *outcome {
	m.t.Helper()
	o := m.call(request{Parameters: p, Caller: &caller{Streams: allStreams}})
	if o.Type != "session" || o.status != 0 {
		m.t.Fatalf("exit status %d, %s: %s %s", o.status, o.ID, o.Message, o.Recommendation)
	}
	return o
}

// fails carries out a call that has to fail with an id and words in its message or recommendation.
func (m *machine) fails(p parameters, id string, words ...string) *outcome {
	m.t.Helper()
	o := m.call(request{Parameters: p, Caller: &caller{Streams: allStreams}})
	o.hasFailed(m.t, id, words...)
	return o
}

func (o *outcome) hasFailed(t testing.TB, id string, words ...string) {
	t.Helper()
	if o.Type != "error" || o.ID != id || o.status != 1 {
		t.Fatalf("want the error %s and exit status 1, got %q %s and %d: %s", id, o.Type, o.ID, o.status, o.Message)
	}
	if o.Category == "" || o.Message == "" || o.Recommendation == "" || o.Target == "" {
		t.Errorf("the error %s is incomplete: %+v", id, o.answer)
	}
	for _, word := range words {
		if !strings.Contains(o.Message+" "+o.Recommendation, word) {
			t.Errorf("the error %s does not say %q: %s %s", id, word, o.Message, o.Recommendation)
		}
	}
}

// call carries out one connect, answering for the caller's vaults, and searches its output for secrets.
func (m *machine) call(r request) *outcome {
	m.t.Helper()
	c := m.start(r)
	return c.wait()
}

// conversation is a connect under way.
type conversation struct {
	m       *machine
	command *exec.Cmd
	stdin   interface{ Close() error }
	stderr  bytes.Buffer
	started time.Time
	// lines are what the program has written so far, for await; it is closed after the last one.
	lines chan message
	done  chan *outcome
}

// soak tells whether the long proofs run in full, as `make soak` has it.
var soak = os.Getenv("SOAK") != ""

// sample is how often a long proof repeats itself: a few times, or in full.
func sample(few, all int) int {
	if soak {
		return all
	}
	return few
}

// hears waits until the program has written a line with these words to a stream, and tells whether it ever did.
func (c *conversation) hears(stream, words string) bool {
	for line := range c.lines {
		if line.Stream == stream && strings.Contains(line.Message, words) {
			return true
		}
	}
	return false
}

// await waits until the program has written a line with these words to a stream.
func (c *conversation) await(stream, words string) {
	c.m.t.Helper()
	if !c.hears(stream, words) {
		c.m.t.Fatalf("the program ended without saying %q", words)
	}
}

// start starts a connect and converses with it.
func (m *machine) start(r request) *conversation {
	m.t.Helper()
	c := &conversation{m: m, command: m.command("connect"), started: time.Now(), lines: make(chan message, 1000), done: make(chan *outcome, 1)}
	stdin, err := c.command.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	c.stdin, c.command.Stderr = stdin, &c.stderr
	if err := c.command.Start(); err != nil {
		m.t.Fatal(err)
	}
	send := func(line any) {
		_ = json.NewEncoder(stdin).Encode(line)
	}
	send(r)
	if r.Caller == nil {
		stdin.Close()
	}
	go func() {
		o := &outcome{status: -1}
		lines := json.NewDecoder(stdout)
		for o.Type == "" {
			var raw json.RawMessage
			if lines.Decode(&raw) != nil {
				break
			}
			c.take(o, raw, r.Caller, send)
		}
		stdin.Close()
		close(c.lines)
		c.done <- o
	}()
	return c
}

// take notes one line of the program and answers it.
func (c *conversation) take(o *outcome, raw json.RawMessage, who *caller, send func(any)) {
	var line message
	if err := json.Unmarshal(raw, &line); err != nil {
		c.m.t.Errorf("not a line of the conversation: %v", err)
		return
	}
	switch line.Type {
	case "session", "error":
		if err := json.Unmarshal(raw, &o.answer); err != nil {
			c.m.t.Errorf("not an answer: %v", err)
		}
		if line.Type == "error" {
			c.m.searchForSecrets("the error", string(raw))
		}
		return
	case "getSecrets", "setSecrets":
		send(who.secrets.reply(line))
	default:
		c.m.searchForSecrets("a "+line.Type+" line", string(raw))
	}
	o.messages = append(o.messages, line)
	c.lines <- line
}

// wait returns what came of a connect.
func (c *conversation) wait() *outcome {
	c.m.t.Helper()
	o := <-c.done
	err := c.command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.m.t.Fatal(err)
	}
	o.status, o.elapsed = c.command.ProcessState.ExitCode(), time.Since(c.started)
	if c.stderr.Len() > 0 {
		c.m.t.Errorf("stderr is for a crash: %s", c.stderr.String())
	}
	return o
}

// searchForSecrets fails the test if a text holds a secret that any application or token has or had.
func (m *machine) searchForSecrets(where, text string) {
	var decoded any // a secret that JSON writes with escapes
	_ = json.Unmarshal([]byte(text), &decoded)
	plain := text + "\n" + fmt.Sprint(decoded)
	for _, secret := range append(m.service.Secrets(), m.secrets...) {
		if secret != "" && strings.Contains(plain, secret) {
			m.t.Errorf("%s holds a secret: %s", where, text)
		}
	}
}
