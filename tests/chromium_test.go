package tests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// chromium is the real browser and the stand-in that it signs in to.
type chromium struct {
	service *standin.Service
	browser context.Context
	binary  string
}

func startChromium(t *testing.T) *chromium {
	t.Helper()
	path := need.Command(t, "chromium", "apt-get install chromium")
	service, err := standin.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.Headless,
		chromedp.DisableGPU, chromedp.ProxyServer(service.ProxyURL()), chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute),
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, quit := chromedp.NewContext(allocator)
	t.Cleanup(quit)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	return &chromium{service, browser, buildForChromium(t)}
}

func buildForChromium(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ninjaone-auth")
	build := exec.Command("go", "build", "-o", binary, "ninjaone-auth/cmd/ninjaone-auth")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return binary
}

// tab is one tab of the browser with a deadline.
func (c *chromium) tab(t *testing.T) context.Context {
	t.Helper()
	tab, closeTab := chromedp.NewContext(c.browser)
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(tab, 30*time.Second)
	t.Cleanup(cancel)
	return limited
}

// webSignIn is one `ninjaone-auth connect` with -UseWebAuth, whose browser command hands the address to the test.
type webSignIn struct {
	t       *testing.T
	c       *chromium
	app     standin.App
	port    int
	command *exec.Cmd
	address string
	output  bytes.Buffer
	mu      sync.Mutex
	answers chan timedAnswer
}

type timedAnswer struct {
	line string
	at   time.Time
	exit int
}

func (c *chromium) signIn(t *testing.T) *webSignIn {
	t.Helper()
	socket, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &webSignIn{t: t, c: c, port: socket.Addr().(*net.TCPAddr).Port, answers: make(chan timedAnswer, 1)}
	socket.Close()
	s.app, err = c.service.Register(standin.App{RedirectURIs: []string{s.redirectURI()}})
	if err != nil {
		t.Fatal(err)
	}
	handed := filepath.Join(t.TempDir(), "address")
	script := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nprintf %%s \"$1\" >'%[1]s.new' && mv '%[1]s.new' '%[1]s'\n", handed), 0o700); err != nil {
		t.Fatal(err)
	}
	s.run(script)
	for range 1000 {
		if address, err := os.ReadFile(handed); err == nil {
			s.address = string(address)
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no browser was opened: %s", s.shown())
	return nil
}

func (s *webSignIn) redirectURI() string { return fmt.Sprintf("http://localhost:%d/", s.port) }

func (s *webSignIn) run(browser string) {
	s.t.Helper()
	request, err := json.Marshal(map[string]any{
		"version": 1,
		"parameters": map[string]any{
			"UseWebAuth": true, "Instance": s.app.Instance, "ClientId": s.app.ClientID, "ClientSecret": s.app.ClientSecret, "Port": s.port,
		},
		"caller": map[string]any{"streams": []string{"verbose", "debug", "warning", "information"}, "interactive": true},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.command = exec.Command(s.c.binary, "connect")
	s.command.Env = append(append(os.Environ(), s.c.service.Env()...), "BROWSER="+browser, "NINJAONE_AUTH_SIGNIN_TIMEOUT=60s")
	s.command.Stderr = os.Stderr
	stdin, err := s.command.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.command.Process.Kill() })
	if _, err := fmt.Fprintf(stdin, "%s\n", request); err != nil {
		s.t.Fatal(err)
	}
	go s.listen(bufio.NewScanner(stdout))
}

// listen keeps every line but the answer.
func (s *webSignIn) listen(lines *bufio.Scanner) {
	lines.Buffer(nil, 1<<20)
	var answer timedAnswer
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, `"type":"session"`) || strings.Contains(line, `"type":"error"`) {
			answer.line, answer.at = line, time.Now()
			continue
		}
		s.mu.Lock()
		fmt.Fprintln(&s.output, line)
		s.mu.Unlock()
	}
	s.command.Wait()
	answer.exit = s.command.ProcessState.ExitCode()
	s.answers <- answer
}

func (s *webSignIn) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

type webAnswer struct {
	timedAnswer
	Type           string
	ID             string `json:"id"`
	Connection     struct{ AuthMode, RedirectURI string }
	Authentication struct{ Access, Refresh string }
}

// answer waits for the program's answer and checks what every sign-in must keep to.
func (s *webSignIn) answer() webAnswer {
	s.t.Helper()
	var answer webAnswer
	select {
	case answer.timedAnswer = <-s.answers:
	case <-time.After(20 * time.Second):
		s.t.Fatalf("no answer: %s", s.shown())
	}
	if err := json.Unmarshal([]byte(answer.line), &answer); err != nil {
		s.t.Fatalf("%v: %q", err, answer.line)
	}
	if answer.Type == "error" {
		s.mustHoldNoSecret(answer.line)
	}
	s.mustHoldNoSecret(s.shown())
	if violations := s.c.service.Violations(); len(violations) > 0 {
		s.t.Errorf("violations: %q", violations)
	}
	socket, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		s.t.Fatalf("the port is not free: %v", err)
	}
	socket.Close()
	return answer
}

func (s *webSignIn) mustHoldNoSecret(text string) {
	s.t.Helper()
	for _, secret := range s.c.service.Secrets() {
		if strings.Contains(text, secret) {
			s.t.Errorf("a secret is shown: %q in %s", secret, text)
		}
	}
}

// mustBeSession checks that the answer is a session which the service knows.
func (s *webSignIn) mustBeSession(answer webAnswer) {
	s.t.Helper()
	if answer.Type != "session" || answer.exit != 0 || answer.Connection.AuthMode != "Token Authentication" || answer.Connection.RedirectURI != s.redirectURI() {
		s.t.Fatalf("exit status %d, %q", answer.exit, answer.ID)
	}
	if !s.c.service.IsValidAccess(answer.Authentication.Access) || !s.c.service.IsValidRefresh(answer.Authentication.Refresh) {
		s.t.Error("the tokens are not valid")
	}
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func mustDo(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

func mustGet[T any](t *testing.T, tab context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(tab, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// mustShow waits for the program's page and checks what it says, and that it leaves nothing behind.
func (s *webSignIn) mustShow(tab context.Context, heading string) {
	s.t.Helper()
	if shown := mustGet(s.t, tab, chromedp.Text(chromedp.CSS("main h1"))); shown != heading {
		s.t.Errorf("the page says %q", shown)
	}
	s.mustHoldNoSecret(mustGet(s.t, tab, chromedp.OuterHTML(chromedp.CSS("html"))))
	if radius := mustGet(s.t, tab, chromedp.Evaluate[string](`getComputedStyle(document.querySelector("main")).borderTopLeftRadius`)); radius == "0px" {
		s.t.Error("the page's style was not applied")
	}
	if location := mustGet(s.t, tab, chromedp.Location()); location != s.redirectURI() {
		s.t.Errorf("the address bar shows %q", location)
	}
	history := mustGet(s.t, tab, chromedp.NavigationEntries())
	if current := history.Entries[history.CurrentIndex].URL; current != s.redirectURI() {
		s.t.Errorf("the history shows %q", current)
	}
	for _, entry := range history.Entries {
		if strings.Contains(entry.URL, "?code=") || strings.Contains(entry.URL, "&code=") || strings.Contains(entry.URL, "error=") {
			s.t.Errorf("the history holds %q", entry.URL)
		}
	}
}

// callbackOf notes the request for the callback address and its time.
func (s *webSignIn) callbackOf(tab context.Context) <-chan *network.EventRequestWillBeSent {
	seen := make(chan *network.EventRequestWillBeSent, 1)
	err := chromedp.Listen(tab, func(event any) {
		request, ok := event.(*network.EventRequestWillBeSent)
		if ok && strings.HasPrefix(request.Request.URL, s.redirectURI()+"?") {
			select {
			case seen <- request:
			default:
			}
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return seen
}

func wallTime(event *network.EventRequestWillBeSent) time.Time {
	return time.UnixMicro(int64(event.WallTime.Float64() * 1e6))
}

func (c *chromium) fail(t *testing.T, fault standin.Fault) {
	t.Helper()
	if err := c.service.Fail(fault); err != nil {
		t.Fatal(err)
	}
}

var tokenTime = regexp.MustCompile(`oauth/token: 200 OK after ([0-9.]+m?s)\.`)

func TestSignInWithChromium(t *testing.T) {
	c := startChromium(t)

	t.Run("success", func(t *testing.T) {
		s, tab := c.signIn(t), c.tab(t)
		callback := s.callbackOf(tab)
		mustDo(t, tab, chromedp.Navigate(s.address), click("#allow"))
		answer := s.answer()
		s.mustShow(tab, "You are signed in")
		s.mustBeSession(answer)
		s.mustBeFast(wallTime(<-callback), answer.at)
		if tooLate := chromedp.Do(tab, chromedp.Navigate(s.redirectURI())); tooLate == nil || !strings.Contains(tooLate.Error(), "ERR_CONNECTION_REFUSED") {
			t.Errorf("a visit after the sign-in: %v", tooLate)
		}
	})

	t.Run("denial", func(t *testing.T) {
		s, tab := c.signIn(t), c.tab(t)
		mustDo(t, tab, chromedp.Navigate(s.address), click("#deny"))
		if answer := s.answer(); answer.ID != "SignInDenied" || answer.exit != 1 {
			t.Errorf("exit status %d, %s", answer.exit, answer.line)
		}
		s.mustShow(tab, "The sign-in was refused")
	})

	t.Run("refused exchange", func(t *testing.T) {
		s, tab := c.signIn(t), c.tab(t)
		c.fail(t, standin.Fault{Kind: standin.Answer, Times: 1, Status: 400, Body: `{"error":"invalid_grant"}`})
		mustDo(t, tab, chromedp.Navigate(s.address), click("#allow"))
		if answer := s.answer(); answer.ID != "InvalidGrant" {
			t.Error(answer.line)
		}
		s.mustShow(tab, "The sign-in failed")
	})

	t.Run("wrong state", func(t *testing.T) {
		s, tab := c.signIn(t), c.tab(t)
		mustDo(t, tab, chromedp.Navigate(s.redirectURI()+"?code=forged&state=forged"))
		s.mustShow(tab, "Not a sign-in of this session")
		mustDo(t, tab, chromedp.Navigate(s.address), click("#allow"))
		s.mustBeSession(s.answer())
		s.mustShow(tab, "You are signed in")
	})

	t.Run("second visit", func(t *testing.T) {
		s, tab, other := c.signIn(t), c.tab(t), c.tab(t)
		callback := s.callbackOf(tab)
		c.fail(t, standin.Fault{Kind: standin.Slow, Times: 1, Delay: 3 * time.Second})
		mustDo(t, tab, chromedp.Navigate(s.address), click("#allow"))
		address := (<-callback).Request.URL
		mustDo(t, other, chromedp.Navigate(address))
		s.mustShow(other, "This address was already used")
		s.mustBeSession(s.answer())
		s.mustShow(tab, "You are signed in")
	})
}

// mustBeFast checks the number: from the browser's request for the callback to the answer, less than 100 ms
// beyond the token request's own time, which the debug stream tells.
func (s *webSignIn) mustBeFast(requested, answered time.Time) {
	s.t.Helper()
	told := tokenTime.FindStringSubmatch(s.shown())
	if told == nil {
		s.t.Fatalf("the debug stream does not tell the token request's time: %s", s.shown())
	}
	token, err := time.ParseDuration(told[1])
	if err != nil {
		s.t.Fatal(err)
	}
	beyond := answered.Sub(requested) - token
	s.t.Logf("from the callback to the answer: %s, of which %s is the token request's", answered.Sub(requested).Round(time.Millisecond), token)
	if beyond > 100*time.Millisecond {
		s.t.Errorf("%s beyond the token request's own time", beyond)
	}
}
