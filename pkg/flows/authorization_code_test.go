package flows

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/need"
)

const (
	signInSecret = "the-client-secret"
	signInCode   = "the-authorization-code"
)

// signInSink keeps what is reported and hands out the sign-in address.
type signInSink struct {
	mu        sync.Mutex
	lines     []string
	progress  []report.Progress
	addresses chan string
}

func (s *signInSink) Write(stream report.Stream, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(stream)+": "+message)
	if _, address, found := strings.Cut(message, "\nhttp"); found && stream == report.InformationStream {
		s.addresses <- "http" + address
	}
}

func (*signInSink) Pending(time.Duration) {}

func (s *signInSink) Progress(p report.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = append(s.progress, p)
}

func (s *signInSink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

type outcome struct {
	authentication session.Authentication
	err            error
}

// browserSignIn is a sign-in under way, and the token endpoint that it will use.
type browserSignIn struct {
	t       *testing.T
	sink    *signInSink
	request AuthorizationCode
	client  *Client
	cancel  context.CancelFunc
	done    chan outcome
	query   url.Values // of the authorization request
	form    url.Values // of the token request
}

// beginSignIn starts a sign-in with a browser command that does nothing, and returns when the address was shown.
func beginSignIn(t *testing.T, change func(*AuthorizationCode), answer http.HandlerFunc) *browserSignIn {
	t.Helper()
	for variable, value := range map[string]string{"BROWSER": "true", timeoutVariable: "1m"} {
		if os.Getenv(variable) == "" {
			t.Setenv(variable, value)
		}
	}
	port := need.FreePort(t)
	s := &browserSignIn{
		t: t, sink: &signInSink{addresses: make(chan string, 1)}, done: make(chan outcome, 1),
		request: AuthorizationCode{
			Scopes: []string{"monitoring", session.OfflineAccess}, RedirectURI: fmt.Sprintf("http://localhost:%d/", port),
			Port: port, SignsIn: true, SeesMessages: true,
		},
	}
	if change != nil {
		change(&s.request)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		s.form = r.PostForm
		w.Header().Set("Content-Type", "application/json")
		if answer != nil {
			answer(w, r)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"access_token": "the-access-token", "refresh_token": "the-refresh-token", "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(server.Close)
	s.client = NewClient(Application{Instance: "eu", BaseURL: server.URL, ClientID: "the-client", ClientSecret: signInSecret}, s.sink)
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	t.Cleanup(cancel)
	go func() {
		authentication, err := s.client.AuthorizationCode(ctx, s.request)
		s.done <- outcome{authentication, err}
	}()
	select {
	case address := <-s.sink.addresses:
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		s.query = u.Query()
	case o := <-s.done:
		s.done <- o
	case <-time.After(5 * time.Second):
		t.Fatal("no address was shown")
	}
	return s
}

// visit is the browser's request for the callback with some parameters and the state.
func (s *browserSignIn) visit(parameters url.Values) (int, string) {
	s.t.Helper()
	parameters.Set("state", s.query.Get("state"))
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/?%s", s.request.Port, parameters.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (s *browserSignIn) end() outcome {
	s.t.Helper()
	select {
	case o := <-s.done:
		return o
	case <-time.After(15 * time.Second):
		s.t.Fatal("the sign-in does not end")
		return outcome{}
	}
}

// mustFail checks a failure's id, that it helps, and that nothing told holds a secret.
func (s *browserSignIn) mustFail(id failure.ID) *failure.Error {
	s.t.Helper()
	o := s.end()
	if !failure.Is(o.err, id) {
		s.t.Fatalf("%v instead of %s", o.err, id)
	}
	failed := failure.From(o.err)
	if failed.Recommendation == "" || failed.Target == "" {
		s.t.Errorf("incomplete: %+v", failed)
	}
	s.mustHoldNoSecret(failed.Message + failed.Recommendation)
	return failed
}

func (s *browserSignIn) mustHoldNoSecret(text string) {
	s.t.Helper()
	text += s.sink.text()
	for _, secret := range []string{signInSecret, signInCode, "the-access-token", "the-refresh-token", s.form.Get("code_verifier")} {
		if secret != "" && strings.Contains(text, secret) {
			s.t.Errorf("%q is shown in %s", secret, text)
		}
	}
}

// mustLeavePortFree allows for the moment in which a browser command that is being started still has all our sockets.
func (s *browserSignIn) mustLeavePortFree() {
	s.t.Helper()
	var err error
	for range 100 {
		var socket net.Listener
		if socket, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", s.request.Port)); err == nil {
			socket.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Error(err)
}

func code() url.Values { return url.Values{"code": {signInCode}} }

func TestSignIn(t *testing.T) {
	s := beginSignIn(t, nil, nil)
	status, page := s.visit(code())
	o := s.end()
	if o.err != nil {
		t.Fatal(o.err)
	}
	if o.authentication.Access != "the-access-token" || o.authentication.Refresh != "the-refresh-token" || o.authentication.Type != "Bearer" {
		t.Errorf("%+v", o.authentication)
	}
	if status != 200 || !strings.Contains(page, "You are signed in") || !strings.Contains(page, "You can close this tab.") {
		t.Errorf("status %d, page %s", status, page)
	}
	s.mustHoldNoSecret(page)
	s.mustLeavePortFree()

	want := map[string]string{"response_type": "code", "client_id": "the-client", "redirect_uri": s.request.RedirectURI, "scope": "monitoring offline_access", "code_challenge_method": "S256"}
	for name, value := range want {
		if s.query.Get(name) != value {
			t.Errorf("%s is %q", name, s.query.Get(name))
		}
	}
	if s.query.Has("client_secret") || len(s.query.Get("state")) < 43 {
		t.Errorf("address: %v", s.query)
	}
	challenge := sha256.Sum256([]byte(s.form.Get("code_verifier")))
	if s.query.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		t.Error("the verifier does not fit the challenge")
	}
	if s.form.Get("redirect_uri") != s.request.RedirectURI || s.form.Get("code") != signInCode {
		t.Errorf("token request: %v", s.form)
	}
	last := s.sink.progress[len(s.sink.progress)-1]
	if !last.Completed || s.sink.progress[0].Completed {
		t.Errorf("progress: %+v", s.sink.progress)
	}
}

func TestSignInStatesDiffer(t *testing.T) {
	first, second := beginSignIn(t, nil, nil), beginSignIn(t, nil, nil)
	if first.query.Get("state") == second.query.Get("state") || first.query.Get("code_challenge") == second.query.Get("code_challenge") {
		t.Error("repeated")
	}
	// Two sign-ins at once on two ports: each takes its own.
	second.visit(code())
	first.visit(code())
	if a, b := first.end(), second.end(); a.err != nil || b.err != nil {
		t.Errorf("%v, %v", a.err, b.err)
	}
}

func TestSecondSignInOnOnePort(t *testing.T) {
	first := beginSignIn(t, nil, nil)
	second := beginSignIn(t, func(r *AuthorizationCode) { *r = first.request }, nil)
	second.mustFail(failure.PortInUse)
	if strings.Contains(second.sink.text(), "information") {
		t.Error("an address was shown")
	}
	first.visit(code())
	if o := first.end(); o.err != nil {
		t.Error(o.err)
	}
}

func TestSignInWithoutUser(t *testing.T) {
	s := beginSignIn(t, func(r *AuthorizationCode) { r.SignsIn = false }, nil)
	failed := s.mustFail(failure.SignInNeedsUser)
	if !strings.Contains(failed.Recommendation, "-UseTokenAuth") || !strings.Contains(failed.Recommendation, "-UseClientAuth") {
		t.Error(failed.Recommendation)
	}
	if s.sink.text() != "" {
		t.Errorf("told: %s", s.sink.text())
	}
}

func TestAuthorizationErrors(t *testing.T) {
	for code, id := range map[string]failure.ID{
		"access_denied": failure.SignInDenied, "invalid_scope": failure.InvalidScope, "unauthorized_client": failure.UnauthorizedClient,
		"unsupported_response_type": failure.UnsupportedResponseType, "invalid_request": failure.InvalidRequest,
		"temporarily_unavailable": failure.ServiceUnavailable, "server_error": failure.ServerError, "login_required": failure.AuthorizationFailed,
		"<b>\x1b[31m": failure.AuthorizationFailed,
	} {
		t.Run(id.String(), func(t *testing.T) {
			s := beginSignIn(t, nil, nil)
			status, page := s.visit(url.Values{"error": {code}, "error_description": {"first\r\n\x1b[2Jsecond <script> " + strings.Repeat("x", 5000) + signInSecret}})
			failed := s.mustFail(id)
			if strings.ContainsAny(failed.Message, "\r\n\x1b") || len(failed.Message) > 1000 || !strings.Contains(failed.Message, "first [2Jsecond") {
				t.Errorf("message: %q", failed.Message)
			}
			if status != 400 || strings.Contains(page, "<script> ") || strings.Contains(page, "<b>") || !strings.Contains(page, "The sign-in") {
				t.Errorf("status %d, page %s", status, page)
			}
			if s.form != nil {
				t.Error("a token was requested")
			}
			s.mustHoldNoSecret(page)
		})
	}
}

func TestIssuer(t *testing.T) {
	for _, path := range []string{"", "/", "/ws/oauth"} {
		s := beginSignIn(t, nil, nil)
		s.visit(url.Values{"code": {signInCode}, "iss": {s.client.App.BaseURL + path}})
		if o := s.end(); o.err != nil {
			t.Error(o.err)
		}
	}
	for _, issuer := range []string{"https://attacker.example", "http://eu.ninjarmm.com", "https://eu.ninjarmm.com.attacker.example", "https://eu.ninjarmm.com:444", "eu",
		"OWN?", "OWN?a=b", "OWN#", "OWN/#fragment", "USER"} {
		s := beginSignIn(t, nil, nil)
		issuer = strings.NewReplacer("OWN", s.client.App.BaseURL, "USER", strings.Replace(s.client.App.BaseURL, "://", "://user@", 1)).Replace(issuer)
		_, page := s.visit(url.Values{"code": {signInCode}, "iss": {issuer}})
		if failed := s.mustFail(failure.IssuerMismatch); !strings.Contains(html.UnescapeString(page), failed.Recommendation) {
			t.Errorf("the page does not say what to do: %s", page)
		}
		if s.form != nil || !strings.Contains(page, "The sign-in failed") {
			t.Errorf("%s: a token was requested: %v; page %s", issuer, s.form, page)
		}
	}
}

func TestRefusedExchangeIsOnThePage(t *testing.T) {
	s := beginSignIn(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"`+signInCode+` <img> is unknown"}`)
	})
	status, page := s.visit(code())
	s.mustFail(failure.InvalidGrant)
	if status != 400 || !strings.Contains(page, "The sign-in failed") || strings.Contains(page, "<img>") {
		t.Errorf("status %d, page %s", status, page)
	}
	s.mustHoldNoSecret(page)
}

func TestSignInTimesOut(t *testing.T) {
	t.Setenv(timeoutVariable, "2500ms")
	s := beginSignIn(t, nil, nil)
	failed := s.mustFail(failure.SignInTimedOut)
	for _, needed := range []string{s.request.RedirectURI, "redirect URI", "client id", "-Instance", "the-client"} {
		if !strings.Contains(failed.Message+failed.Recommendation, needed) {
			t.Errorf("does not say %q: %s %s", needed, failed.Message, failed.Recommendation)
		}
	}
	s.mustLeavePortFree()
	if len(s.sink.progress) < 3 || s.sink.progress[0].Status == s.sink.progress[1].Status || !s.sink.progress[len(s.sink.progress)-1].Completed {
		t.Errorf("progress: %+v", s.sink.progress)
	}
}

func TestTimeoutDoesNotEndAnExchange(t *testing.T) {
	t.Setenv(timeoutVariable, "2s")
	over := time.After(2100 * time.Millisecond)
	s := beginSignIn(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		<-over
		io.WriteString(w, `{"access_token":"the-access-token","token_type":"Bearer","expires_in":60}`)
	})
	s.visit(code())
	if o := s.end(); o.err != nil {
		t.Error(o.err)
	}
}

func TestTimeoutSetting(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 5 * time.Minute, "90s": 90 * time.Second, "1h": time.Hour} {
		t.Setenv(timeoutVariable, value)
		if got, err := signInTimeout(); got != want || err != nil {
			t.Errorf("%q: %s, %v", value, got, err)
		}
	}
	for _, value := range []string{"90", "soon", "-1s", "0s"} {
		t.Setenv(timeoutVariable, value)
		if _, err := signInTimeout(); !failure.Is(err, failure.InvalidSetting) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestCancelledSignIn(t *testing.T) {
	s := beginSignIn(t, nil, nil)
	s.cancel() // mustFail does not wait for as long as the sign-in would
	s.mustFail(failure.Interrupted)
	s.mustLeavePortFree()
}

func TestCancelledExchange(t *testing.T) {
	asked := make(chan struct{})
	s := beginSignIn(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	pages := make(chan string, 1)
	go func() {
		_, page := s.visit(code())
		pages <- page
	}()
	<-asked
	s.cancel() // mustFail does not wait for as long as the sign-in would
	s.mustFail(failure.Interrupted)
	s.mustLeavePortFree()
	if page := <-pages; !strings.Contains(page, "interrupted") {
		t.Errorf("page %s", page)
	}
}

func TestBrowserCommands(t *testing.T) {
	for name, c := range map[string]struct {
		script  []string
		verbose string
	}{
		"fails":  {[]string{"exit 3"}, "could not be opened"},
		"hangs":  {[]string{"pause 5s"}, ""},
		"prints": {[]string{"print printed", "error printed", "flood 5000 a line of fifty characters, more than any pipe takes"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			browser := need.Play(t, name, c.script...)
			t.Setenv("BROWSER", browser)
			s := beginSignIn(t, nil, nil)
			for range 3000 {
				if strings.Contains(s.sink.text(), c.verbose) {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			s.visit(code())
			if o := s.end(); o.err != nil {
				t.Error(o.err)
			}
			if told := s.sink.text(); !strings.Contains(told, c.verbose) || strings.Contains(told, "printed") {
				t.Errorf("told: %s", told)
			}
			need.Started(t, browser)
		})
	}
}

func TestSignInOverSSH(t *testing.T) {
	for redirectURI, line := range map[string]string{
		"http://localhost:PORT/":              "ssh -L PORT:localhost:PORT tech@192.0.2.2",
		"http://localhost/":                   "ssh -L 80:localhost:PORT tech@192.0.2.2",
		"https://redirect.example.uk:90/auth": "",
	} {
		s := beginSSHSignIn(t, redirectURI)
		told := s.sink.text()
		if !strings.Contains(told, "No browser is opened, because this is an SSH session") {
			t.Errorf("told: %s", told)
		}
		line = strings.ReplaceAll(line, "PORT", fmt.Sprint(s.request.Port))
		if strings.Contains(told, "ssh -L") != (line != "") || !strings.Contains(told, line) {
			t.Errorf("%s: told: %s", redirectURI, told)
		}
	}
}

func beginSSHSignIn(t *testing.T, redirectURI string) *browserSignIn {
	t.Setenv("SSH_CONNECTION", "198.51.100.7 50100 192.0.2.2 22")
	t.Setenv("USER", "tech")
	t.Setenv(timeoutVariable, "100ms")
	sink := &signInSink{addresses: make(chan string, 1)}
	port := need.FreePort(t)
	s := &browserSignIn{t: t, sink: sink, request: AuthorizationCode{
		RedirectURI: strings.ReplaceAll(redirectURI, "PORT", fmt.Sprint(port)), Port: port, SignsIn: true, SeesMessages: true,
	}}
	t.Setenv("BROWSER", "")
	s.client = NewClient(Application{BaseURL: "https://eu.ninjarmm.com", ClientID: "the-client"}, sink)
	if _, err := s.client.AuthorizationCode(t.Context(), s.request); !failure.Is(err, failure.SignInTimedOut) {
		t.Error(err)
	}
	return s
}

func TestRedirectURIThatLeadsElsewhere(t *testing.T) {
	for redirectURI, warning := range map[string]string{
		"http://localhost:PORT/":           "",
		"http://localhost:8080/":           "leads to port 8080",
		"http://localhost/":                "leads to port 80,",
		"https://127.0.0.1/":               "leads to port 443",
		"https://localhost:PORT/":          "asks for TLS",
		"https://redirect.example.uk/auth": "",
	} {
		told := beginSSHSignIn(t, redirectURI).sink.text()
		if strings.Contains(told, "warning: ") != (warning != "") || !strings.Contains(told, warning) {
			t.Errorf("%s: told: %s", redirectURI, told)
		}
	}
}
