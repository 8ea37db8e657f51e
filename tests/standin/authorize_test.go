package standin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const verifier = "0123456789012345678901234567890123456789012"

func authorizeURL(app App, more ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {app.RedirectURIs[0]},
		"scope": {"monitoring offline_access"}, "state": {"the state"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		query.Del(more[i])
		if more[i+1] != "" {
			query.Set(more[i], more[i+1])
		}
	}
	return app.BaseURL() + "/ws/oauth/authorize?" + query.Encode()
}

// callback returns the parameters that a redirect brings to the application.
func (f fixture) callback(g got) url.Values {
	f.Helper()
	location, err := url.Parse(g.header.Get("Location"))
	if g.status != http.StatusFound || err != nil {
		f.Fatalf("not redirected: %d %.300q", g.status, g.body)
	}
	return location.Query()
}

func (f fixture) code(app App, more ...string) string {
	f.Helper()
	code := f.callback(f.do(get(authorizeURL(app, more...)))).Get("code")
	if code == "" {
		f.Fatal("no code")
	}
	return code
}

func (f fixture) exchange(app App, code string, more ...string) got {
	f.Helper()
	pairs := []string{"code", code, "redirect_uri", app.RedirectURIs[0], "code_verifier", verifier}
	return f.token(app, AuthorizationCode, append(pairs, more...)...)
}

func TestConsentPage(t *testing.T) {
	f := start(t)
	app := f.register(App{})
	ask := func() url.Values {
		g := f.do(get(authorizeURL(app)))
		f.expect(g, 200, `<button id="allow" name="decision" value="allow">`)
		f.expect(g, 200, `<button id="deny" name="decision" value="deny">`)
		id := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(g.body)
		if id == nil {
			t.Fatal("no form")
		}
		return url.Values{"request": {id[1]}}
	}
	answer := func(values url.Values, decision string) got {
		values.Set("decision", decision)
		return f.do(post(app.BaseURL()+"/ws/oauth/consent", values))
	}

	request := ask()
	g := answer(request, "allow")
	if !strings.HasPrefix(g.header.Get("Location"), "http://localhost:9090/?code=") {
		t.Errorf("redirected to %q", g.header.Get("Location"))
	}
	fields := f.callback(g)
	if fields.Get("state") != "the state" || fields.Get("iss") != "https://eu.ninjarmm.com" {
		t.Errorf("sent back %v", fields)
	}
	f.expect(f.exchange(app, fields.Get("code")), 200, `"scope":"monitoring offline_access","refresh_token":"`)
	f.expect(answer(request, "allow"), 400, "answered already")

	fields = f.callback(answer(ask(), "deny"))
	if fields.Get("error") != "access_denied" || fields.Get("error_description") == "" || fields.Get("state") != "the state" || fields.Has("code") {
		t.Errorf("a denial sent back %v", fields)
	}
}

func TestAuthorizeErrorsWithoutRedirect(t *testing.T) {
	f := start(t)
	app := f.register(App{AutoConsent: true})
	for name, c := range map[string]struct {
		address string
		status  int
	}{
		"unknown client":      {authorizeURL(app, "client_id", "x"), 404},
		"wrong region":        {strings.Replace(authorizeURL(app), "//eu.", "//oc.", 1), 404},
		"no slash":            {authorizeURL(app, "redirect_uri", "http://localhost:9090"), 400},
		"another port":        {authorizeURL(app, "redirect_uri", "http://localhost:9091/"), 400},
		"no redirect URI":     {authorizeURL(app, "redirect_uri", ""), 400},
		"a client secret":     {authorizeURL(app, "client_secret", app.ClientSecret), 400},
		"a repeated state":    {authorizeURL(app) + "&state=x", 400},
		"a consent for none":  {app.BaseURL() + "/ws/oauth/consent", 400},
		"a secret in consent": {app.BaseURL() + "/ws/oauth/consent?client_secret=x", 400},
	} {
		g := f.do(get(c.address))
		if g.status != c.status || g.header.Get("Location") != "" || !strings.Contains(g.body, `<p id="error">`) {
			t.Errorf("%s: %d %v %.200q", name, g.status, g.header, g.body)
		}
	}
	if len(f.Violations()) != 2 {
		t.Errorf("violations are %q", f.Violations())
	}
	f.expect(f.do(post(authorizeURL(app), nil)), 405, "GET")
}

func TestAuthorizeErrorsThatAreSentBack(t *testing.T) {
	f := start(t)
	app := f.register(App{AutoConsent: true})
	clientOnly := f.register(App{AutoConsent: true, Grants: []string{ClientCredentials}})
	for want, address := range map[string]string{
		"unsupported_response_type": authorizeURL(app, "response_type", "token"),
		"unauthorized_client":       authorizeURL(clientOnly),
		"invalid_request":           authorizeURL(app, "code_challenge_method", "plain"),
		"invalid_scope":             authorizeURL(app, "scope", "monitoring other"),
	} {
		fields := f.callback(f.do(get(address)))
		if fields.Get("error") != want || fields.Get("state") != "the state" || fields.Get("iss") == "" || fields.Has("code") {
			t.Errorf("%s: sent back %v", want, fields)
		}
	}
}

func TestCodeExchange(t *testing.T) {
	f := start(t)
	app := f.register(App{AutoConsent: true})

	code := f.code(app)
	g := f.exchange(app, code)
	f.expect(g, 200, "refresh_token")
	f.expect(f.exchange(app, code), 400, "already used")
	if f.IsValidAccess(g.text("access_token")) || f.IsValidRefresh(g.text("refresh_token")) {
		t.Error("the second use of a code did not revoke what the first one got")
	}

	f.expect(f.exchange(app, f.code(app), "redirect_uri", "http://localhost:9090"), 400, "redirect_uri")
	f.expect(f.exchange(app, f.code(app), "code_verifier", verifier+"x"), 400, "code_verifier")
	f.expect(f.exchange(app, f.code(app), "code_verifier", ""), 400, "code_verifier")
	plain := f.code(app, "code_challenge", "", "code_challenge_method", "")
	f.expect(f.exchange(app, plain), 400, "code_verifier without")
	plain = f.code(app, "code_challenge", "", "code_challenge_method", "")
	f.expect(f.exchange(app, plain, "code_verifier", ""), 200, "access_token")

	spoilt := f.code(app)
	f.expect(f.exchange(app, spoilt, "code_verifier", "x"), 400, "code_verifier")
	f.expect(f.exchange(app, spoilt), 400, "already used")

	f.expect(f.exchange(f.register(App{}), f.code(app)), 400, "unknown")
	late := f.code(app)
	f.later(codeLife)
	f.expect(f.exchange(app, late), 400, "expired")
	f.later(0)

	noOffline := f.exchange(app, f.code(app, "scope", "monitoring"))
	noGrant := f.register(App{AutoConsent: true, Grants: []string{AuthorizationCode}})
	for _, g := range []got{noOffline, f.exchange(noGrant, f.code(noGrant))} {
		f.expect(g, 200, "access_token")
		if strings.Contains(g.body, "refresh_token") {
			t.Errorf("an undue refresh token: %q", g.body)
		}
	}
	secrets := strings.Join(f.Secrets(), " ")
	if !strings.Contains(secrets, code) || !strings.Contains(secrets, verifier) {
		t.Error("codes and verifiers are not among the secrets")
	}
}

func TestRedirectURIIsKeptToTheLetter(t *testing.T) {
	f := start(t)
	for uri, start := range map[string]string{
		"http://localhost:9090":                     "http://localhost:9090?code=",
		"https://redirect.example.uk:9090/auth":     "https://redirect.example.uk:9090/auth?code=",
		"http://localhost:9090/back?tenant=A%20b&x": "http://localhost:9090/back?tenant=A%20b&x&code=",
	} {
		app := f.register(App{AutoConsent: true, RedirectURIs: []string{uri}})
		location := f.do(get(authorizeURL(app))).header.Get("Location")
		if !strings.HasPrefix(location, start) {
			t.Errorf("%s: redirected to %s", uri, location)
		}
	}
}

func TestClientFollowsTheRedirectToLoopback(t *testing.T) {
	f := start(t)
	visited := make(chan url.Values, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { visited <- r.URL.Query() }))
	t.Cleanup(server.Close)
	app := f.register(App{AutoConsent: true, RedirectURIs: []string{server.URL + "/"}})
	response, err := f.Client().Get(authorizeURL(app))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if fields := <-visited; fields.Get("code") == "" {
		t.Errorf("the listener got %v", fields)
	}
}
