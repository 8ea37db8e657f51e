package standin

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFaultsThatRespond(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	for _, c := range []struct {
		fault    Fault
		status   int
		contains string
	}{
		{Fault{Kind: Respond, Status: 503, RetryAfter: "1", Body: `{"error":"x"}`}, 503, `{"error":"x"}`},
		{Fault{Kind: Respond}, 500, ""},
		{Fault{Kind: Respond, Status: 502, ContentType: "text/html", Body: "<html>"}, 502, "<html>"},
		{Fault{Kind: Respond, Status: 302, Location: Elsewhere}, 302, ""},
		{Fault{Kind: LongDescription}, 400, `"error":"invalid_request"`},
	} {
		c.fault.Times = 1
		f.fail(c.fault)
		g := f.token(app, ClientCredentials)
		f.expect(g, c.status, c.contains)
		if g.header.Get("Retry-After") != c.fault.RetryAfter || g.header.Get("Location") != c.fault.Location {
			t.Errorf("%+v has the header %v", c.fault, g.header)
		}
		if description := g.text("error_description"); c.fault.Kind == LongDescription &&
			(utf8.RuneCountInString(description) < 10_000 || !strings.Contains(description, "\x1b[31m\x00")) {
			t.Errorf("the description has %d characters: %.40q", len(description), description)
		}
		f.expect(f.token(app, ClientCredentials), 200, "access_token")
	}
	if len(f.Violations()) != 0 {
		t.Errorf("violations are %q", f.Violations())
	}
	f.expect(f.do(get(Elsewhere)), 404, "")
	if len(f.Violations()) != 1 {
		t.Error("a followed redirect is no violation")
	}
}

// lost makes a token request whose response must be lost, over both versions of HTTP.
func (f fixture) lost(app App, grant string, more ...string) {
	f.Helper()
	for _, both := range []bool{true, false} {
		client := f.Client()
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = both
		response, err := client.Do(post(tokenURL(app), form(app, grant, more...)))
		if err == nil {
			_ = response.Body.Close()
			f.Errorf("a response came: %d", response.StatusCode)
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

func TestAResponseLostAfterRotation(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "old"})
	f.fail(Fault{Kind: Respond, Status: 502, Process: true, Times: 1})
	f.expect(f.token(app, RefreshToken, "refresh_token", "old"), 502, "")
	if f.IsValidRefresh("old") || f.CurrentRefreshToken(app.ClientID) == "" {
		t.Error("the token was not rotated")
	}
	f.expect(f.token(app, RefreshToken, "refresh_token", "old"), 400, "invalid_token")
}

// What is held back was processed at once, and comes when it is let go.
func TestHeldResponse(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "old"})
	f.fail(Fault{Kind: Late, Hold: true})
	done := make(chan got)
	go func() { done <- f.token(app, RefreshToken, "refresh_token", "old") }()
	for f.IsValidRefresh("old") {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-done:
		t.Error("the response was not held back")
	case <-time.After(50 * time.Millisecond):
	}
	if rs := f.Requests(); rs[0].Status != 0 {
		t.Errorf("the log says %+v", rs[0])
	}
	f.ClearFaults()
	f.expect(<-done, 200, f.CurrentRefreshToken(app.ClientID))
	f.expect(f.token(app, ClientCredentials), 200, "")
}

func TestHeldResponseEndsWithTheClientOrTheService(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	f.fail(Fault{Kind: Respond, Status: 418, Hold: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.client.Do(post(tokenURL(app), form(app, ClientCredentials)).WithContext(ctx)); err == nil {
		t.Error("a request that was held got a response")
	}
	for f.Requests()[0].Status != 418 {
		time.Sleep(time.Millisecond)
	}
	time.AfterFunc(50*time.Millisecond, f.Close)
	if _, err := f.client.Do(post(tokenURL(app), form(app, ClientCredentials))); err == nil {
		t.Error("a request that was held got a response")
	}
}

func TestFaultsAreUsedUpInOrder(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	f.fail(Fault{Kind: Respond, Status: 429, Times: 2})
	f.fail(Fault{Kind: Respond, Status: 503})
	for _, status := range []int{429, 429, 503, 503, 503} {
		f.expect(f.token(app, ClientCredentials), status, "")
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
