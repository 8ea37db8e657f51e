package tests

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// webSignIn is a connect with -UseWebAuth whose browser command hands the address to the test.
type webSignIn struct {
	*conversation
	port int
	app  standin.App
	// opened is the address that the browser gets, and address is NinjaOne's, which is shown.
	opened, address string
}

// mustBeFree allows for the moment in which a browser command that is being started still has the program's sockets.
func mustBeFree(t testing.TB, port int) {
	t.Helper()
	for _, address := range []string{"127.0.0.1", "::1"} {
		until(t, fmt.Sprintf("that %s, port %d is free", address, port), func() bool {
			socket, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
			if err == nil {
				socket.Close()
			}
			return err == nil
		})
	}
}

// browser makes $BROWSER a program that does what a script says, and returns its path.
func (m *machine) browser(script ...string) string {
	m.t.Helper()
	path := need.Play(m.t, "browser", script...)
	m.env = append(slices.Clone(m.env), "BROWSER="+path)
	return path
}

// signIn starts a sign-in on a port of its own and returns when the browser was opened.
func (m *machine) signIn(app standin.App, more parameters) *webSignIn {
	m.t.Helper()
	s := &webSignIn{port: need.FreePort(m.t)}
	if app.RedirectURIs == nil {
		app.RedirectURIs = []string{fmt.Sprintf("http://localhost:%d/", s.port)}
	}
	s.app = m.app(app)
	s.begin(m, of(s.app, parameters{"UseWebAuth": true, "Port": s.port}), more)
	return s
}

func (s *webSignIn) begin(m *machine, p, more parameters) {
	m.t.Helper()
	maps.Copy(p, more)
	browser := m.browser("print printed", "error printed", "await over", "write gone yes") // stays open as long as the test
	m.t.Cleanup(func() {
		write(m.t, filepath.Join(filepath.Dir(browser), "over"), "")
		until(m.t, "the browser's end", func() bool { return !exists(browser+".pid") || exists(filepath.Join(filepath.Dir(browser), "gone")) })
	})
	s.conversation = m.start(request{Parameters: p, Caller: &caller{Streams: allStreams, Interactive: true}})
	until(m.t, "a browser", func() bool { return exists(browser+".arguments") || len(s.done) > 0 })
	if !exists(browser + ".arguments") {
		o := s.wait()
		m.t.Fatalf("no browser was opened, but %s: %s", o.ID, o.Message)
	}
	s.opened = strings.TrimSpace(read(m.t, browser+".arguments"))
	s.address = s.await("information", "https://")
	s.address = s.address[strings.Index(s.address, "https://"):]
}

// get is a program without cookies; it returns the page that it ends on.
func (s *webSignIn) get(address string) (page string) {
	s.m.t.Helper()
	return s.page(s.m.service.Client(), address)
}

func (s *webSignIn) page(client *http.Client, address string) string {
	s.m.t.Helper()
	response, err := client.Get(address)
	if err != nil {
		s.m.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.m.t.Fatal(err)
	}
	return string(body)
}

// visit is a browser that allows everything; it returns the page that it ends on, and when it asked for the callback.
func (s *webSignIn) visit() (page string, asked time.Time) {
	s.m.t.Helper()
	client := s.m.service.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { asked = time.Now(); return nil }
	page = s.page(client, s.opened)
	s.m.searchForSecrets("the page", page)
	return page, asked
}

// succeeds waits for the session and checks what every sign-in has to keep to.
func (s *webSignIn) succeeds() *outcome {
	s.m.t.Helper()
	o := s.wait().succeeded(s.m.t)
	if o.Connection.AuthMode != "Token Authentication" {
		s.m.t.Errorf("connection: %+v", o.Connection)
	}
	if !s.m.service.IsValidAccess(o.Authentication.Access) || !s.m.service.IsValidRefresh(string(o.Authentication.Refresh)) {
		s.m.t.Error("the tokens are not valid")
	}
	contains(s.m.t, "what is shown", o.said("information"), s.address)
	mustBeFree(s.m.t, s.port)
	return o
}

var tokenTime = regexp.MustCompile(`oauth/token: status 200 after ([0-9.]+m?s)\.`)

// beyondTokenRequest is the time from the browser's request for the callback to the end of the program without the token
// request's own, which the debug stream tells.
func (o *outcome) beyondTokenRequest(t testing.TB, asked, ended time.Time) time.Duration {
	t.Helper()
	told := tokenTime.FindStringSubmatch(o.said("debug"))
	if told == nil {
		t.Fatalf("the debug stream does not tell the token request's time: %s", o.said("debug"))
	}
	token, err := time.ParseDuration(told[1])
	if err != nil {
		t.Fatal(err)
	}
	return ended.Sub(asked) - token
}

// BenchmarkWebSignIn measures what a person waits for after NinjaOne has sent the browser back.
func BenchmarkWebSignIn(b *testing.B) {
	m := newMachine(b)
	for b.Loop() {
		var beyond []float64
		for range 9 {
			s := m.signIn(standin.App{AutoConsent: true}, nil)
			_, asked := s.visit()
			o := s.succeeds()
			beyond = append(beyond, 1000*o.beyondTokenRequest(b, asked, s.started.Add(o.elapsed)).Seconds())
		}
		b.ReportMetric(median(beyond), "ms-beyond-token-request")
	}
}

// TestTheAnswerDoesNotWaitForTheBrowser would take the five seconds that the module sleeps.
func TestTheAnswerDoesNotWaitForTheBrowser(t *testing.T) {
	m := newMachine(t)
	s := m.signIn(standin.App{AutoConsent: true}, nil)
	page, asked := s.visit()
	o := s.succeeds()
	if beyond := o.beyondTokenRequest(t, asked, s.started.Add(o.elapsed)); beyond > 4500*time.Millisecond {
		t.Errorf("%s beyond the token request's own time", beyond)
	}
	contains(t, "the page", page, "You are signed in")
}

// Every user of the machine reads the browser's command line. What stands there is good for one browser.
func TestTheBrowsersCommandLine(t *testing.T) {
	m := newMachine(t)
	s := m.signIn(standin.App{AutoConsent: true}, nil)
	query, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"state", "code_challenge", "client_id"} {
		if value := query.Query().Get(hidden); value == "" || strings.Contains(s.opened, value) {
			t.Errorf("%s is in %s", hidden, s.opened)
		}
	}
	contains(t, "the address", s.opened, fmt.Sprintf("http://localhost:%d/", s.port))
	s.get(s.address) // what is shown needs no cookie
	s.succeeds()
}

func TestWebSignInEndsEarly(t *testing.T) {
	ways := maps.Clone(endings)
	ways["SIGKILL"] = func(c *conversation) { _ = c.command.Process.Kill() }
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			s := m.signIn(standin.App{}, nil)
			idle, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.port))
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			if name == "SIGKILL" {
				end(s.conversation)
				s.wait()
			} else {
				s.endsAtOnce(end)
			}
			mustBeFree(t, s.port)
		})
	}
}

func TestWebSignInInterruptedDuringTheExchange(t *testing.T) {
	m := newMachine(t)
	m.hold()
	s := m.signIn(standin.App{AutoConsent: true}, nil)
	page := make(chan string, 1)
	go func() {
		text, _ := s.visit()
		page <- text
	}()
	m.awaitRequests(1)
	s.endsAtOnce(endings["SIGINT"])
	contains(t, "the page", <-page, "The sign-in failed")
}

func TestWebSignInWithoutUser(t *testing.T) {
	m := newMachine(t)
	browser := m.browser()
	p := of(m.app(standin.App{}), parameters{"UseWebAuth": true, "Port": need.FreePort(t)})
	m.call(request{Parameters: p, Caller: &caller{Streams: allStreams, Interactive: false}}).
		hasFailed(t, "SignInNeedsUser", "-UseTokenAuth", "-UseClientAuth")
	if exists(browser + ".pid") {
		t.Error("a browser was opened")
	}
}

func TestTwoWebSignIns(t *testing.T) {
	m := newMachine(t)
	first, second := m.signIn(standin.App{AutoConsent: true}, nil), m.signIn(standin.App{AutoConsent: true}, nil)
	p := of(first.app, parameters{"UseWebAuth": true, "Port": first.port})
	m.call(request{Parameters: p, Caller: &caller{Streams: allStreams, Interactive: true}}).
		hasFailed(t, "PortInUse", fmt.Sprintf("Port %d", first.port), fmt.Sprintf("-Port %d", first.port+1))
	second.visit()
	second.succeeds()
	first.visit()
	first.succeeds()
}

func TestWebSignInThatNeverComesBack(t *testing.T) {
	m := newMachine(t)
	m.env = []string{"NINJAONE_AUTH_SIGNIN_TIMEOUT=1500ms"}
	s := m.signIn(standin.App{AutoConsent: true, RedirectURIs: []string{"http://localhost:1/"}}, nil)
	s.visit()
	sent := fmt.Sprintf("http://localhost:%d/", s.port)
	o := s.wait()
	o.hasFailed(t, "SignInTimedOut", sent, "redirect URI", "client id", "-Instance")
	mustBeFree(t, s.port)
	if !slices.ContainsFunc(o.messages, func(m message) bool { return m.Type == "progress" }) {
		t.Error("no progress was shown")
	}
}

func TestRedirectURLForms(t *testing.T) {
	for _, form := range []string{"http://localhost:PORT", "http://localhost:PORT/auth", "http://127.0.0.1:PORT/auth?tenant=a%20b", "http://[::1]:PORT/"} {
		t.Run(form, func(t *testing.T) {
			m := newMachine(t)
			s := &webSignIn{port: need.FreePort(t)}
			redirectURL := strings.ReplaceAll(form, "PORT", fmt.Sprint(s.port))
			s.app = m.app(standin.App{AutoConsent: true, RedirectURIs: []string{redirectURL}})
			s.begin(m, of(s.app, parameters{"UseWebAuth": true, "RedirectURL": redirectURL}), nil)
			s.visit()
			s.succeeds()
		})
	}
}

func TestRedirectURLOfAForwarder(t *testing.T) {
	m := newMachine(t)
	const redirectURL = "https://redirect.example.uk:9090/auth"
	s := m.signIn(standin.App{AutoConsent: true, RedirectURIs: []string{redirectURL}}, parameters{"RedirectURL": redirectURL})
	client := m.service.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	sentBack, err := client.Get(s.address)
	if err != nil {
		t.Fatal(err)
	}
	sentBack.Body.Close()
	location, err := url.Parse(sentBack.Header.Get("Location"))
	if err != nil || location.Host != "redirect.example.uk:9090" {
		t.Fatalf("%v: %s", err, location)
	}
	forwarded, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/elsewhere?%s", s.port, location.RawQuery), nil)
	if err != nil {
		t.Fatal(err)
	}
	forwarded.Host = location.Host
	response, err := http.DefaultClient.Do(forwarded)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Error(response.Status)
	}
	s.succeeds()
}

func TestNobodySeesTheAddress(t *testing.T) {
	m := newMachine(t)
	o := m.call(request{Parameters: of(m.app(standin.App{}), parameters{"UseWebAuth": true, "Port": need.FreePort(t)})})
	o.hasFailed(t, "SignInNeedsUser", "no browser can be opened", "-UseClientAuth", "-UseTokenAuth")
}

func TestNobodySeesThatTheBrowserFailed(t *testing.T) {
	m := newMachine(t)
	m.browser("exit 1")
	o := m.call(request{Parameters: of(m.app(standin.App{}), parameters{"UseWebAuth": true, "Port": need.FreePort(t)})})
	o.hasFailed(t, "SignInNeedsUser", "could not be opened", "-UseClientAuth")
}
