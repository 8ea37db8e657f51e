package standin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTokenRequestsThatAreRefused(t *testing.T) {
	f := start(t)
	app := f.register(App{RefuseOfflineAccess: true, Scopes: []string{"monitoring", offlineAccess}})
	webOnly := f.register(App{Grants: []string{AuthorizationCode}})
	good := form(app, ClientCredentials)
	with := func(name, value string) url.Values { return form(app, ClientCredentials, name, value) }
	change := func(do func(*http.Request)) *http.Request {
		request := post(tokenURL(app), good)
		do(request)
		return request
	}

	for name, c := range map[string]struct {
		request  *http.Request
		status   int
		contains string
	}{
		"GET":                 {get(tokenURL(app)), 405, "METHOD_NOT_ALLOWED"},
		"JSON":                {change(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 415, "errorMessage"},
		"Basic":               {change(func(r *http.Request) { r.SetBasicAuth(app.ClientID, app.ClientSecret) }), 401, "invalid_client"},
		"parameters in URL":   {post(tokenURL(app)+"?"+good.Encode(), nil), 400, "invalid_request"},
		"a malformed form":    {change(func(r *http.Request) { r.URL.RawQuery = "%zz" }), 400, "invalid_request"},
		"a repeated one":      {post(tokenURL(app), url.Values{"grant_type": {"a", "b"}}), 400, "invalid_request"},
		"no grant type":       {post(tokenURL(app), with("grant_type", "")), 400, "invalid_request"},
		"unknown grant type":  {post(tokenURL(app), with("grant_type", "password")), 400, `"error":"unsupported_grant_type"`},
		"unknown client":      {post(tokenURL(app), with("client_id", "x")), 404, `{"resultCode":"Client app not exist","incidentId":"`},
		"wrong region":        {post("https://oc.ninjarmm.com/ws/oauth/token", good), 404, "Client app not exist"},
		"wrong secret":        {post(tokenURL(app), with("client_secret", "x")), 401, `{"error":"invalid_client","error_description":"`},
		"grant not had":       {post(tokenURL(webOnly), form(webOnly, ClientCredentials)), 400, "unauthorized_client"},
		"scope not had":       {post(tokenURL(app), with("scope", "monitoring control")), 400, `{"error":"invalid_scope"}`},
		"offline_access":      {post(tokenURL(app), with("scope", "monitoring offline_access")), 400, `{"error":"invalid_scope"}`},
		"bad refresh token":   {post(tokenURL(app), form(app, RefreshToken, "refresh_token", "x")), 400, `{"error":"invalid_token"}`},
		"unknown code":        {post(tokenURL(app), form(app, AuthorizationCode, "code", "x")), 400, "invalid_grant"},
		"another host's name": {change(func(r *http.Request) { r.Host = "oc.ninjarmm.com" }), 421, "MISDIRECTED"},
		"unknown path":        {get(app.BaseURL() + "/ws/oauth/tokens"), 404, "NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			fixture{t, f.Service, f.client}.expect(f.do(c.request), c.status, c.contains)
		})
	}
	if len(f.Secrets()) != 2 {
		t.Error("a refused request got a token")
	}
	violations := f.Violations()
	slices.Sort(violations)
	want := []string{"Basic authentication at POST /ws/oauth/token", "client_secret in the address of POST /ws/oauth/token"}
	if !slices.Equal(violations, want) {
		t.Errorf("violations are %q", violations)
	}
}

func TestClientCredentials(t *testing.T) {
	f := start(t)
	for _, instance := range []string{"eu", "oc", "us", "ca", "us2", "fed"} {
		app := f.register(App{Instance: instance})
		g := f.token(app, ClientCredentials, "scope", "control monitoring")
		f.expect(g, 200, `"token_type":"Bearer","expires_in":3600,"scope":"control monitoring"}`)
		if !f.IsValidAccess(g.text("access_token")) {
			t.Errorf("%s: the access token is not valid", instance)
		}
	}
	f.expect(f.token(f.register(App{}), ClientCredentials), 200, `"scope":"monitoring management control"}`)
	f.expect(f.token(f.register(App{GrantedScopes: []string{"control"}}), ClientCredentials, "scope", "monitoring control"),
		200, `"scope":"control"}`)
	long := f.token(f.register(App{TokenLength: 8192}), ClientCredentials)
	if len(long.text("access_token")) != 8192 {
		t.Errorf("a token of 8192 characters has %d", len(long.text("access_token")))
	}
}

func TestTheAPICall(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	token := f.token(app, ClientCredentials).text("access_token")
	call := func(base, scheme, token string) got {
		request := get(base + "/v2/organizations")
		request.Header.Set("Authorization", scheme+" "+token)
		return f.do(request)
	}
	f.expect(call(app.BaseURL(), "Bearer", token), 200, `[{"id":1,"name":"Example Dental"}`)
	f.expect(call("https://oc.ninjarmm.com", "Bearer", token), 401, "invalid_token")
	f.expect(call(app.BaseURL(), "Bearer", token+"x"), 401, "invalid_token")
	f.expect(call(app.BaseURL(), "Basic", token), 401, "invalid_token")
	other := f.token(app, ClientCredentials, "scope", "control").text("access_token")
	f.expect(call(app.BaseURL(), "Bearer", other), 403, "insufficient_scope")

	f.later(time.Hour)
	f.expect(call(app.BaseURL(), "Bearer", token), 401, "invalid_token")
}

func TestRotation(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "first"})
	refresh := func(token string, more ...string) got {
		return f.token(app, RefreshToken, append([]string{"refresh_token", token}, more...)...)
	}
	g := refresh("first")
	f.expect(g, 200, `"scope":"monitoring management control offline_access","refresh_token":"`)
	second := g.text("refresh_token")
	if f.CurrentRefreshToken(app.ClientID) != second || !f.IsValidRefresh(second) || f.IsValidRefresh("first") {
		t.Error("the refresh token was not rotated")
	}
	f.expect(refresh("first"), 400, `{"error":"invalid_token"}`)
	f.expect(refresh(second, "scope", "monitoring other"), 400, `{"error":"invalid_scope"}`)
	f.expect(refresh(second, "scope", "monitoring"), 200, `"scope":"monitoring",`)

	stranger := f.register(App{})
	current := f.CurrentRefreshToken(app.ClientID)
	f.expect(f.token(stranger, RefreshToken, "refresh_token", current), 400, "invalid_token")
	if f.Counters().Refreshes != 2 {
		t.Errorf("%d refreshes counted", f.Counters().Refreshes)
	}
	f.RevokeRefresh(app.ClientID)
	f.expect(refresh(current), 400, "invalid_token")
	if f.CurrentRefreshToken(app.ClientID) != "" {
		t.Error("a revoked refresh token is current")
	}
	issued := f.IssueRefreshToken(app.ClientID)
	f.expect(refresh(issued), 200, "refresh_token")
}

func TestNoRotation(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "kept", KeepRefreshToken: true})
	for range 2 {
		g := f.token(app, RefreshToken, "refresh_token", "kept")
		f.expect(g, 200, "access_token")
		if strings.Contains(g.body, "refresh_token") {
			t.Error("a refresh token came back")
		}
	}
}

func TestFiftyRefreshAtOnceAndOneWins(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "only"})
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			response, err := f.Client().Do(post(tokenURL(app), form(app, RefreshToken, "refresh_token", "only")))
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				won.Add(1)
			} else {
				lost.Add(1)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || lost.Load() != 49 || f.Counters().Refreshes != 1 {
		t.Errorf("%d won, %d lost, %d counted", won.Load(), lost.Load(), f.Counters().Refreshes)
	}
}

func TestTheLogAndTheSecrets(t *testing.T) {
	f := start(t)
	app := f.register(App{RefreshToken: "before"})
	access := f.token(app, ClientCredentials, "scope", "control").text("access_token")
	refreshed := f.token(app, RefreshToken, "refresh_token", "before")
	f.token(app, RefreshToken, "refresh_token", "before")

	asked := []Request{
		{"/ws/oauth/token", ClientCredentials, app.ClientID, "control", 200},
		{"/ws/oauth/token", RefreshToken, app.ClientID, "", 200},
		{"/ws/oauth/token", RefreshToken, app.ClientID, "", 400},
	}
	if !slices.Equal(f.Requests(), asked) {
		t.Errorf("the log has %+v\nwant %+v", f.Requests(), asked)
	}
	want := []string{app.ClientSecret, "before", access, refreshed.text("refresh_token"), refreshed.text("access_token")}
	if !slices.Equal(f.Secrets(), want) {
		t.Errorf("secrets are %q, not %q", f.Secrets(), want)
	}
	f.Reset()
	if len(f.Requests()) != 0 || f.Counters() != (Counters{}) || len(f.Secrets()) != len(want) {
		t.Error("Reset forgot too much or too little")
	}
	f.expect(f.token(app, ClientCredentials), 404, "Client app not exist")
}

func TestTheProxyLeadsNowhereElse(t *testing.T) {
	f := start(t)
	proxy, _ := url.Parse(f.ProxyURL())
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}, Timeout: 5 * time.Second}
	for _, address := range []string{"https://example.com/", "https://xx.ninjarmm.com/", "https://eu.ninjarmm.com:444/"} {
		if _, err := client.Get(address); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v", address, err)
		}
	}
	response, err := client.Get("http://eu.ninjarmm.com/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("plain HTTP got %d", response.StatusCode)
	}
	if _, err := client.Get("https://eu.ninjarmm.com/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client without the authority got %v", err)
	}
}
