package tests

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

func TestWhatNinjaOneRefuses(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "good-refresh-token", RefuseOfflineAccess: true})
	m.secrets = append(m.secrets, "wrong secret")
	change := func(p parameters, name string, value any) parameters { p[name] = value; return p }

	m.fails(change(asClient(app), "ClientId", "nobody"), "InvalidClient",
		"'nobody'", "'eu'", "Client app not exist", "Incident id: ", "-ClientId is wrong", "-Instance (eu, oc, us")
	m.fails(change(asClient(app), "Instance", "oc"), "InvalidClient", app.ClientID, "'oc'", "https://oc.ninjarmm.com")
	m.fails(change(asClient(app), "ClientSecret", "wrong secret"), "InvalidClient", "-ClientSecret", "Client authentication failed")
	m.fails(change(asClient(app), "Scopes", "monitoring everything"), "InvalidScope", "monitoring everything")
	m.fails(change(asClient(app), "Scopes", "monitoring offline_access"), "InvalidScope", "offline_access with -UseClientAuth")
	m.fails(change(asToken(app), "RefreshToken", "dead-refresh-token"), "InvalidRefreshToken", "-UseWebAuth", "invalid_token")
	if o := m.fails(change(asToken(app), "Instance", "us"), "InvalidClient", "'us'"); o.Target != "https://app.ninjarmm.com" || o.Category != "AuthenticationError" {
		t.Errorf("target %s, category %s", o.Target, o.Category)
	}
	m.requested(7)
	m.app(standin.App{ClientID: app.ClientID, ClientSecret: app.ClientSecret, Grants: []string{}})
	m.fails(asClient(app), "UnauthorizedClient", "client_credentials", "Administration > Apps > API")
	m.fault(standin.Fault{Kind: standin.Respond, Status: 400, Body: `{"error":"invalid_grant"}`})
	m.fails(asToken(app), "InvalidRefreshToken")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const page = "<html><body>Internal details of Tomcat</body></html>"
	for _, test := range []struct {
		fault           standin.Fault
		id              string
		words           []string
		client, refresh int // token requests that NinjaOne sees
	}{
		{standin.Fault{Kind: standin.Respond, Status: 429}, "RateLimited", []string{"429"}, 3, 1},
		{standin.Fault{Kind: standin.Respond, Status: 429, RetryAfter: "0"}, "RateLimited", nil, 3, 3},
		{standin.Fault{Kind: standin.Respond, Status: 429, RetryAfter: "31"}, "RateLimited", []string{"31 seconds"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 503, ContentType: "text/html", Body: page}, "ServiceUnavailable", []string{"503", "later"}, 3, 1},
		{standin.Fault{Kind: standin.Respond, Status: 503, RetryAfter: "0"}, "ServiceUnavailable", nil, 3, 3},
		{standin.Fault{Kind: standin.Respond, Status: 502, RetryAfter: "0"}, "ServiceUnavailable", nil, 3, 1},
		{standin.Fault{Kind: standin.Respond, Status: 504}, "ServiceUnavailable", nil, 3, 1},
		{standin.Fault{Kind: standin.Respond, Status: 500, Body: `{"resultCode":"INTERNAL","errorMessage":"Oh","incidentId":"i-1"}`},
			"ServiceUnavailable", []string{"INTERNAL: Oh", "Incident id: i-1."}, 1, 1},
		{standin.Fault{Kind: standin.Drop}, "ConnectionFailed", []string{"lost"}, 3, 1},
		{standin.Fault{Kind: standin.Drop, Process: true}, "ConnectionFailed", []string{"lost"}, 3, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, ContentType: "text/html", Body: page}, "InvalidResponse", []string{"HTML"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 403, ContentType: "text/html", Body: page}, "InvalidResponse", []string{"403", "HTML"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200}, "InvalidResponse", []string{"no content"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, ContentType: "text/plain", Body: "access_token=tok&expires_in=60"},
			"InvalidResponse", []string{"not JSON"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, Body: "\x00\xff\xfe\x1b{["}, "InvalidResponse", []string{"not JSON"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, Body: `{"token_type":"Bearer","expires_in":3600}`}, "InvalidResponse", []string{"access_token"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, Body: `{"access_token":"tok","padding":"` + strings.Repeat("x", 2<<20) + `"}`},
			"InvalidResponse", []string{"over 1 MiB"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 302, Location: standin.Elsewhere}, "InvalidResponse", []string{"redirection to fed.ninjarmm.com", "not followed"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 307, Location: standin.Elsewhere}, "InvalidResponse", []string{"redirection"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 400, Body: `{"error":"invalid_request","incidentId":17}`}, "RequestRejected", []string{"invalid_request"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 200, Body: `{"error":"server_error"}`}, "RequestRejected", []string{"server_error"}, 1, 1},
		{standin.Fault{Kind: standin.Respond, Status: 404, Body: `[]`}, "InvalidResponse", []string{"404", "names no error"}, 1, 1},
	} {
		t.Run(fmt.Sprintf("%s %d %s", test.fault.Kind, test.fault.Status, test.fault.RetryAfter), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			m.fault(test.fault)
			for grant, call := range map[string]struct {
				parameters
				want int
			}{"client credentials": {asClient(app), test.client}, "refresh": {asToken(app), test.refresh}} {
				before := len(m.tokenRequests())
				o := m.fails(call.parameters, test.id, test.words...)
				equal(t, grant+": number of token requests", len(m.tokenRequests())-before, call.want)
				if strings.Contains(o.Message+o.said("debug"), "Tomcat") {
					t.Errorf("a raw body is shown: %s", o.Message)
				}
			}
		})
	}
}

// A refresh whose response was lost may have rotated the token: a second one with the old token would end every session.
func TestRefreshIsNeverRepeatedBlindly(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	m.fault(standin.Fault{Kind: standin.Drop, Process: true, Times: 1})
	m.fails(asToken(app), "ConnectionFailed", "lost before the response")
	if refreshes := m.service.Counters().Refreshes; refreshes != 1 || m.service.IsValidRefresh(app.RefreshToken) {
		t.Errorf("%d refreshes; the test needs one that was processed", refreshes)
	}
}

func TestTryingAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault    standin.Fault
		atLeast  time.Duration
		requests int
		refresh  bool
	}{
		"a lost connection":    {standin.Fault{Kind: standin.Drop, Times: 1}, 0, 2, false},
		"503":                  {standin.Fault{Kind: standin.Respond, Status: 503, Times: 2}, 0, 3, false},
		"Retry-After":          {standin.Fault{Kind: standin.Respond, Status: 429, RetryAfter: "1", Times: 1}, time.Second, 2, true},
		"Retry-After with 502": {standin.Fault{Kind: standin.Respond, Status: 502, RetryAfter: "1", Times: 1}, time.Second, 2, false},
		"the proxy's own 502":  {standin.Fault{Kind: standin.RefuseConnect, Times: 2}, 0, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := []func(standin.App) parameters{asClient}
			if test.refresh {
				calls = append(calls, asToken)
			}
			for _, call := range calls {
				m := newMachine(t)
				app := m.app(standin.App{RefreshToken: "first-refresh-token"})
				m.fault(test.fault)
				o := m.connect(call(app))
				m.requested(test.requests)
				if o.elapsed < test.atLeast || o.elapsed > test.atLeast+20*time.Second {
					t.Errorf("that took %s", o.elapsed)
				}
				if test.requests > 1 && !strings.Contains(o.said("verbose"), "Trying again in ") {
					t.Errorf("verbose does not say so: %s", o.said("verbose"))
				}
			}
		})
	}
}

func TestWhatNinjaOneSaysIsCleaned(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{ClientSecret: "s3cret+/%&=", RefreshToken: "first/refresh+token"})
	m.fault(standin.Fault{Kind: standin.LongDescription, Times: 1})
	o := m.fails(asClient(app), "RequestRejected", "Bad thing", "…")
	if len(o.Message) > 700 || strings.ContainsFunc(o.Message, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) {
		t.Errorf("%d bytes: %q", len(o.Message), o.Message)
	}
	echo := `{"error":"invalid_request","error_description":"client_secret=s3cret%2B%2F%25%26%3D; client_secret=s3cret+/%&=; ` +
		`refresh_token=first%2Frefresh%2Btoken; refresh_token=first/refresh+token","incidentId":"42"}`
	m.secrets = append(m.secrets, "s3cret%2B%2F%25%26%3D", "first%2Frefresh%2Btoken")
	m.fault(standin.Fault{Kind: standin.Respond, Status: 400, Body: echo})
	m.fails(asToken(app), "RequestRejected", "client_secret=***; client_secret=***; refresh_token=***; refresh_token=***", "Incident id: 42.")
}

func speaksNoTLS(conn net.Conn) {
	sends("HTTP/1.1 200 OK\r\n\r\n")(conn)
	_, _ = conn.Read(make([]byte, 1))
	sends("HTTP/1.1 400 Bad Request\r\n\r\n")(conn)
}

func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	other := newMachine(t)
	for name, test := range map[string]struct {
		prepare func(m *machine)
		words   []string
	}{
		"the proxy wants a password": {func(m *machine) { m.proxy(sends("HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n")) },
			[]string{"the proxy 127.0.0.1:", "status 407", "http://user:password@host:port"}},
		"the proxy forbids it": {func(m *machine) { m.proxy(sends("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) },
			[]string{"the proxy 127.0.0.1:", "status 403", "NO_PROXY"}},
		"the proxy is none":     {func(m *machine) { m.proxy(sends("220 mail.example ESMTP\r\n")) }, []string{"through the proxy 127.0.0.1:", "failed"}},
		"the proxy hangs up":    {func(m *machine) { m.proxy(sends("")) }, []string{"through the proxy 127.0.0.1:", "failed"}},
		"nobody speaks TLS":     {func(m *machine) { m.proxy(speaksNoTLS) }, []string{"no TLS connection"}},
		"the proxy is gone":     {func(m *machine) { m.env = append(m.env, "HTTPS_PROXY=http://127.0.0.1:1") }, []string{"the proxy 127.0.0.1:1 can't be reached", "HTTPS_PROXY"}},
		"the proxy has no name": {func(m *machine) { m.env = append(m.env, "HTTPS_PROXY=http://proxy.invalid:3128") }, []string{"the proxy proxy.invalid:3128 can't be reached"}},
		"the proxy reaches nobody": {func(m *machine) { m.fault(standin.Fault{Kind: standin.RefuseConnect}) },
			[]string{"the proxy 127.0.0.1:", "status 502"}},
		"an unknown authority": {func(m *machine) { m.env = append(m.env, "SSL_CERT_FILE="+other.service.CertFile()) },
			[]string{"TLS certificate is not trusted", "SSL_CERT_FILE", "clock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			test.prepare(m)
			m.fails(asClient(app), "ConnectionFailed", append(test.words, "https://eu.ninjarmm.com")...)
			m.fails(asToken(app), "ConnectionFailed", test.words...)
			m.requested(0)
		})
	}
}

// The time limits, all at once, as each takes its time.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	type limit struct {
		*conversation
		id, words string
		requests  int
	}
	var limits []limit
	begin := func(prepare func(*machine), call func(standin.App) parameters, l limit) {
		m := newMachine(t)
		app := m.app(standin.App{RefreshToken: "first-refresh-token"})
		prepare(m)
		l.conversation = m.start(request{Parameters: call(app), Caller: &caller{Streams: allStreams}})
		limits = append(limits, l)
	}
	hang := func(m *machine) { m.fault(standin.Fault{Kind: standin.Drop, Hold: true}) }
	begin(hang, asClient, limit{nil, "RequestTimedOut", "within 30 seconds", 1})
	begin(hang, asToken, limit{nil, "RequestTimedOut", "within 30 seconds", 1})
	begin(func(m *machine) { m.proxy(hangs) }, asToken, limit{nil, "ConnectionFailed", "within 10 seconds", 0})
	begin(func(m *machine) {
		m.proxy(func(conn net.Conn) { sends("HTTP/1.1 200 OK\r\n\r\n")(conn); hangs(conn) })
	}, asClient, limit{nil, "ConnectionFailed", "within 10 seconds", 0})
	for _, l := range limits {
		o := l.wait().hasFailed(t, l.id, l.words)
		l.m.requested(l.requests)
		if o.elapsed < 30*time.Second || o.elapsed > time.Minute { // 30 seconds, or three tries of 10 with pauses
			t.Errorf("%s after %s", l.id, o.elapsed)
		}
	}
}

// TestRootsBesideTheNamedFile has the service's root in the system's directory only, and another in SSL_CERT_FILE.
func TestRootsBesideTheNamedFile(t *testing.T) {
	m, other := newMachine(t), newMachine(t)
	m.env = []string{"SSL_CERT_FILE=" + other.service.CertFile(), "SSL_CERT_DIR=" + filepath.Dir(m.service.CertFile())}
	m.connect(asClient(m.app(standin.App{})))
}

// JSON is JSON, whatever a proxy makes of its type.
func TestTokenUnderTheWrongType(t *testing.T) {
	m := newMachine(t)
	m.fault(standin.Fault{Kind: standin.Respond, Status: 200, ContentType: "text/plain", Body: `{"access_token":"a-token","expires_in":"60"}`})
	if o := m.connect(asClient(m.app(standin.App{}))); o.Authentication.Access != "a-token" {
		t.Errorf("%+v", o.Authentication)
	}
}

// A proxy that can't be understood is not left out: nothing goes past it, and nobody signs in in vain.
func TestProxyThatIsNoAddress(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	m.secrets = append(m.secrets, "proxy-password")
	plain := m.env
	for _, value := range []string{"proxy.example:port", "http://", "http://user:proxy-password@[::1", "://x", "ftp://proxy.example:21", "http://bad host:80", "%zz"} {
		m.env = append(slices.Clone(plain), "HTTPS_PROXY="+value)
		for _, p := range []parameters{asClient(app), asToken(app)} {
			m.fails(p, "InvalidSetting", "HTTPS_PROXY", "http://host:port")
		}
		browser := m.browser()
		m.call(request{Parameters: of(app, parameters{"UseWebAuth": true, "Port": need.FreePort(t)}), Caller: &caller{Streams: allStreams, Interactive: true}}).
			hasFailed(t, "InvalidSetting", "HTTPS_PROXY")
		if exists(browser + ".pid") {
			t.Error("a browser was opened")
		}
	}
	m.requested(0)
	m.env = append(slices.Clone(plain), "HTTPS_PROXY="+strings.TrimPrefix(m.service.ProxyURL(), "http://"))
	m.connect(asClient(app))
}
