package standin

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func listen(t *testing.T, server *http.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/"
}

func TestFaultsThatAnswer(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	for name, c := range map[string]struct {
		fault    Fault
		status   int
		contains string
	}{
		"status":      {Fault{Kind: Answer, Status: 503, RetryAfter: "1", Body: `{"error":"x"}`}, 503, `{"error":"x"}`},
		"bare":        {Fault{Kind: Answer}, 500, ""},
		"page":        {Fault{Kind: Answer, Status: 502, ContentType: "text/html", Body: "<html>"}, 502, "<html>"},
		"garbage":     {Fault{Kind: Garbage}, 200, "\x00\xff"},
		"HTML":        {Fault{Kind: HTML}, 200, "<!DOCTYPE html>"},
		"no token":    {Fault{Kind: NoAccessToken}, 200, `{"token_type":"Bearer","expires_in":3600}`},
		"huge":        {Fault{Kind: Huge}, 200, `"access_token":"`},
		"redirect":    {Fault{Kind: Redirect}, 302, ""},
		"description": {Fault{Kind: LongDescription}, 400, `"error":"invalid_request"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture{t, f.Service, f.client}
			c.fault.Times = 1
			f.fail(c.fault)
			g := f.token(app, ClientCredentials)
			f.expect(g, c.status, c.contains)
			if g.header.Get("Retry-After") != c.fault.RetryAfter {
				t.Errorf("Retry-After is %q", g.header.Get("Retry-After"))
			}
			switch c.fault.Kind {
			case Huge:
				if len(g.body) < 2<<20 {
					t.Errorf("huge is %d bytes", len(g.body))
				}
			case LongDescription:
				description := g.text("error_description")
				if utf8.RuneCountInString(description) < 10_000 || !strings.Contains(description, "\x1b[31m\x00") {
					t.Errorf("the description has %d characters: %.40q", len(description), description)
				}
			case Redirect:
				if g.header.Get("Location") != "https://fed.ninjarmm.com/redirected" {
					t.Errorf("redirected to %q", g.header.Get("Location"))
				}
			}
			f.expect(f.token(app, ClientCredentials), 200, "access_token")
		})
	}
	if len(f.Violations()) != 0 {
		t.Errorf("violations are %q", f.Violations())
	}
	f.expect(f.do(get("https://fed.ninjarmm.com/redirected")), 404, "")
	if len(f.Violations()) != 1 {
		t.Error("a followed redirect is no violation")
	}
}

// lost makes a token request whose answer must be lost, over both versions of HTTP.
func (f fixture) lost(app App, grant string, more ...string) {
	f.Helper()
	for _, both := range []bool{true, false} {
		client := f.Client()
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = both
		response, err := client.Do(post(tokenURL(app), form(app, grant, more...)))
		if err == nil {
			_ = response.Body.Close()
			f.Errorf("an answer came: %d", response.StatusCode)
		}
	}
}

func TestDroppedConnections(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "old", KeepRefreshToken: true})
	f.fail(Fault{Kind: Drop, Times: 2})
	f.lost(app, RefreshToken, "refresh_token", "old")
	if f.Counters().Refreshes != 0 {
		t.Error("a request that was dropped before it was read was processed")
	}
	f.fail(Fault{Kind: Drop, Process: true, Times: 2})
	f.lost(app, RefreshToken, "refresh_token", "old")
	if f.Counters().Refreshes != 2 {
		t.Error("a request that was to be processed was not")
	}
}

func TestAnAnswerLostAfterRotation(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "old"})
	f.fail(Fault{Kind: Answer, Status: 502, Process: true, Times: 1})
	f.expect(f.token(app, RefreshToken, "refresh_token", "old"), 502, "")
	if f.IsValidRefresh("old") || f.CurrentRefreshToken(app.ClientID) == "" {
		t.Error("the token was not rotated")
	}
	f.expect(f.token(app, RefreshToken, "refresh_token", "old"), 400, "invalid_token")
}

func TestSlowAnswerRotatesAtOnce(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "old"})
	f.fail(Fault{Kind: Slow, Delay: 300 * time.Millisecond, Times: 1})
	began := time.Now()
	done := make(chan got)
	go func() { done <- f.token(app, RefreshToken, "refresh_token", "old") }()
	for f.IsValidRefresh("old") {
		time.Sleep(time.Millisecond)
	}
	if rs := f.Requests(); rs[0].Outcome != "under way" || rs[0].Status != 0 {
		t.Errorf("the log says %+v", rs[0])
	}
	f.expect(<-done, 200, f.CurrentRefreshToken(app.ClientID))
	if time.Since(began) < 300*time.Millisecond {
		t.Error("the answer was not slow")
	}
}

func TestHangEndsWithTheClientTheDelayOrTheService(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	f.fail(Fault{Kind: Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.client.Do(post(tokenURL(app), form(app, ClientCredentials)).WithContext(ctx)); err == nil {
		t.Error("a hanging request was answered")
	}
	for f.Requests()[0].Outcome != "fault: hang" {
		time.Sleep(time.Millisecond)
	}
	f.ClearFaults()

	f.fail(Fault{Kind: Hang, Delay: 50 * time.Millisecond, Times: 1})
	if _, err := f.client.Do(post(tokenURL(app), form(app, ClientCredentials))); err == nil {
		t.Error("a hanging request was answered")
	}

	f.fail(Fault{Kind: Hang})
	time.AfterFunc(50*time.Millisecond, f.Close)
	if _, err := f.client.Do(post(tokenURL(app), form(app, ClientCredentials))); err == nil {
		t.Error("a hanging request was answered")
	}
}

func TestFaultsAreUsedUpInOrderAndByGrant(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "kept", KeepRefreshToken: true})
	f.fail(Fault{Kind: Answer, Status: 429, Times: 2, Grant: RefreshToken})
	f.fail(Fault{Kind: Answer, Status: 503, Times: 1})
	f.expect(f.token(app, ClientCredentials), 503, "")
	f.expect(f.token(app, ClientCredentials), 200, "")
	for _, status := range []int{429, 429, 200} {
		f.expect(f.token(app, RefreshToken, "refresh_token", "kept"), status, "")
	}
	f.fail(Fault{Kind: Answer, Status: 500})
	for range 3 {
		f.expect(f.token(app, ClientCredentials), 500, "")
	}
	f.ClearFaults()
	f.expect(f.token(app, ClientCredentials), 200, "")
	if err := f.Fail(Fault{Kind: "none"}); err == nil {
		t.Error("an unknown kind was taken")
	}
}

func TestRefusedConnect(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	f.fail(Fault{Kind: RefuseConnect, Times: 1})
	if _, err := f.client.Do(post(tokenURL(app), nil)); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("a refused CONNECT gave %v", err)
	}
	if f.Counters().Connections != 0 || len(f.Requests()) != 0 {
		t.Error("something got through")
	}
	f.expect(f.token(app, ClientCredentials), 200, "")
	if f.Counters().Connections != 1 {
		t.Errorf("%d connections counted", f.Counters().Connections)
	}
}
