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
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/keyring/nobus"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

// binary is the program under test and player the fake program, both built once.
var binary, player string

// TestMain builds the program, and makes the test binary its own keyring child.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == nobus.ChildCommand {
		if keyring.Serve(os.Args[2], os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	// Whoever runs the tests detached from a terminal has them ignore signals, which every program would inherit that they
	// start. What is caught, though to no end, has its default action there.
	for _, ignored := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(ignored) {
			signal.Notify(make(chan os.Signal, 1), ignored)
		}
	}
	directory, err := os.MkdirTemp("", "ninjaone-auth-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary, player = filepath.Join(directory, "ninjaone-auth"), filepath.Join(directory, "play")
	build := exec.Command("go", "build", "-o", directory, "ninjaone-auth/cmd/ninjaone-auth", "ninjaone-auth/tests/cmd/play")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, output)
		os.RemoveAll(directory)
		os.Exit(1)
	}
	os.Setenv("PLAY_PATH", player) // for need.Play
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
	}, m.service.Env(), m.env)
}

// fault makes NinjaOne fail.
func (m *machine) fault(fault standin.Fault) {
	m.t.Helper()
	if err := m.service.Fail(fault); err != nil {
		m.t.Fatal(err)
	}
}

// hold makes NinjaOne process the next token request but keep its response back, until release.
func (m *machine) hold() {
	m.t.Helper()
	m.fault(standin.Fault{Kind: standin.Late, Hold: true, Times: 1})
}

func (m *machine) release() { m.service.ClearFaults() }

// tokenRequests are the token requests that NinjaOne has seen.
func (m *machine) tokenRequests() []standin.Request {
	return slices.DeleteFunc(m.service.Requests(), func(r standin.Request) bool { return r.Path != "/ws/oauth/token" })
}

// awaitRequests waits until NinjaOne has had so many token requests.
func (m *machine) awaitRequests(n int) {
	m.t.Helper()
	until(m.t, fmt.Sprintf("token request number %d", n), func() bool { return len(m.tokenRequests()) >= n })
}

// requested fails the test unless NinjaOne has had exactly this number of token requests.
func (m *machine) requested(n int) {
	m.t.Helper()
	equal(m.t, "number of token requests", len(m.tokenRequests()), n)
}

// asked fails the test unless NinjaOne has had exactly these token requests.
func (m *machine) asked(grants ...string) {
	m.t.Helper()
	var got []string
	for _, r := range m.tokenRequests() {
		got = append(got, r.Grant)
	}
	equal(m.t, "token requests", got, grants)
}

// hasFreshTokens checks what every new session has: a valid access token for an hour.
func (m *machine) hasFreshTokens(o *outcome) {
	m.t.Helper()
	left := time.Until(o.Authentication.Expires)
	if o.Authentication.Type != "Bearer" || left < 58*time.Minute || left > time.Hour || !m.service.IsValidAccess(o.Authentication.Access) {
		m.t.Errorf("authentication: %+v", o.Authentication)
	}
}

// command is the program with these arguments, ready to be started; it is killed after two minutes.
func (m *machine) command(arguments ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
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

// asClient and asToken are the two flows that need no browser.
func asClient(app standin.App) parameters { return of(app, parameters{"UseClientAuth": true}) }

func asToken(app standin.App) parameters {
	return of(app, parameters{"UseTokenAuth": true, "RefreshToken": app.RefreshToken})
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
	// secrets replies to getSecrets and setSecrets for a caller with vaults.
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

// succeeded fails the test unless a session came.
func (o *outcome) succeeded(t testing.TB) *outcome {
	t.Helper()
	if o.Type != "session" || o.status != 0 {
		t.Fatalf("exit status %d, %s: %s %s", o.status, o.ID, o.Message, o.Recommendation)
	}
	return o
}

// connect carries out a call that has to succeed.
func (m *machine) connect(p parameters) *outcome {
	m.t.Helper()
	return m.call(request{Parameters: p, Caller: &caller{Streams: allStreams}}).succeeded(m.t)
}

// fails carries out a call that has to fail with an id and words in its message or recommendation.
func (m *machine) fails(p parameters, id string, words ...string) *outcome {
	m.t.Helper()
	return m.call(request{Parameters: p, Caller: &caller{Streams: allStreams}}).hasFailed(m.t, id, words...)
}

func (o *outcome) hasFailed(t testing.TB, id string, words ...string) *outcome {
	t.Helper()
	if o.Type != "error" || o.ID != id || o.status != 1 {
		t.Fatalf("want the error %s and exit status 1, got %q %s and %d: %s", id, o.Type, o.ID, o.status, o.Message)
	}
	if o.Category == "" || o.Message == "" || o.Recommendation == "" || o.Target == "" {
		t.Errorf("the error %s is incomplete: %+v", id, o.answer)
	}
	contains(t, "the error "+id, o.Message+" "+o.Recommendation, words...)
	return o
}

// call carries out one connect, replying for the caller's vaults, and searches its output for secrets.
func (m *machine) call(r request) *outcome {
	m.t.Helper()
	return m.start(r).wait()
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

// hears waits until the program has written a line with these words to a stream, and returns it if it ever did.
func (c *conversation) hears(stream, words string) string {
	for line := range c.lines {
		if line.Stream == stream && strings.Contains(line.Message, words) {
			return line.Message
		}
	}
	return ""
}

// await waits until the program has written a line with these words to a stream, and returns it.
func (c *conversation) await(stream, words string) string {
	c.m.t.Helper()
	line := c.hears(stream, words)
	if line == "" {
		c.m.t.Fatalf("the program ended without saying %q", words)
	}
	return line
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

// take notes one line of the program and replies to it.
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
		reply := who.secrets.reply(line)
		if reply == nil {
			_ = c.command.Process.Kill()
			return
		}
		send(reply)
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

// answerTo is what a shell script gets: it writes its request, closes stdin and takes one line.
func (m *machine) answerTo(input string) *outcome {
	m.t.Helper()
	command := m.command("connect")
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !strings.Contains(err.Error(), "broken pipe") {
		m.t.Fatal(err)
	}
	text := stdout.String()
	if stderr.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		m.t.Errorf("not one line, but %q, and on stderr %q", text, stderr.String())
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r >= 0x7f }); i >= 0 {
		m.t.Errorf("not ASCII at %d: %q", i, text)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		m.t.Errorf("%v: %q", err, text)
	}
	if a.Type == "error" {
		m.searchForSecrets("the error", text)
	}
	return &outcome{answer: a, status: command.ProcessState.ExitCode()}
}

// ran is what came of one command.
type ran struct {
	stdout, stderr string
	status         int
}

// runs runs a command that must exit with this status. Its stderr is searched for secrets.
func (m *machine) runs(status int, arguments ...string) ran {
	m.t.Helper()
	return m.runsOn("", status, arguments...)
}

// runsOn runs a command with this on its stdin.
func (m *machine) runsOn(stdin string, status int, arguments ...string) ran {
	m.t.Helper()
	command := m.command(arguments...)
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	r := ran{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
	m.searchForSecrets("stderr", r.stderr)
	if r.status != status {
		m.t.Fatalf("%q: exit status %d, want %d: %s", arguments, r.status, status, r.stderr)
	}
	return r
}

// saysOnly fails the test unless a command printed nothing and said these words on stderr.
func (r ran) saysOnly(t *testing.T, words ...string) {
	t.Helper()
	if r.stdout != "" {
		t.Errorf("stdout %q", r.stdout)
	}
	contains(t, "stderr", r.stderr, words...)
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
