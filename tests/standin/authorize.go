package standin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const codeLife = time.Minute

// code is an authorization code, good for one exchange.
type code struct {
	*authorization
	redirectURI string
	challenge   string
	expires     time.Time
	used        bool
}

// pending is an authorization request that waits for its user.
type pending struct {
	app         *App
	scopes      []string
	redirectURI string
	challenge   string
	state       string
}

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Parse(pagesText))

func page(name string, status int, fields any) response {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, fields); err != nil {
		return failed(http.StatusInternalServerError, "FAILURE", "")
	}
	return response{status: status, contentType: "text/html;charset=UTF-8", body: body.Bytes()}
}

// errorPage is what a request gets that must not be redirected (RFC 6749, section 4.1.2.1).
func errorPage(status int, message string) response {
	return page("error", status, message)
}

// authorize serves /ws/oauth/authorize (RFC 6749, section 4.1.1).
func (s *Service) authorize(r *http.Request, instance string) response {
	query := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.state.apps[query.Get("client_id")]
	switch {
	case r.Method != http.MethodGet:
		return errorPage(http.StatusMethodNotAllowed, "This address takes GET.")
	case query.Has("client_secret"):
		return errorPage(http.StatusBadRequest, "A client secret does not belong in an address.")
	case repeated(query):
		return errorPage(http.StatusBadRequest, "A parameter is repeated.")
	case !known || app.Instance != instance:
		return errorPage(http.StatusNotFound, "The client application does not exist.")
	case !slices.Contains(app.RedirectURIs, query.Get("redirect_uri")):
		return errorPage(http.StatusBadRequest, "The redirect URI is not one that is registered.")
	}
	p := &pending{
		app: app, redirectURI: query.Get("redirect_uri"), challenge: query.Get("code_challenge"), state: query.Get("state"),
	}
	if refused := p.check(query); refused != "" {
		return s.sendBack(p, url.Values{"error": {refused}, "error_description": {"The request was refused: " + refused}})
	}
	if app.AutoConsent {
		return s.allow(p)
	}
	id := randomText(16)
	s.state.pending[id] = p
	return page("consent", http.StatusOK, map[string]any{
		"ID": id, "ClientID": app.ClientID, "Instance": instance, "Scopes": p.scopes,
	})
}

// check completes the scopes, and returns the error code of a request that is to be refused.
func (p *pending) check(query url.Values) string {
	asked := strings.Fields(query.Get("scope"))
	granted, allowed := p.app.narrow(asked)
	p.scopes = granted
	switch {
	case query.Get("response_type") != "code":
		return "unsupported_response_type"
	case !p.app.may(AuthorizationCode):
		return "unauthorized_client"
	case query.Has("code_challenge") && (len(p.challenge) != 43 || query.Get("code_challenge_method") != "S256"):
		return "invalid_request"
	case !allowed || len(asked) == 0:
		return "invalid_scope"
	}
	return ""
}

// consent serves the form of the sign-in and consent page.
func (s *Service) consent(r *http.Request, instance string) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PostForm.Get("request")
	p, waiting := s.state.pending[id]
	if r.Method != http.MethodPost || !waiting || p.app.Instance != instance {
		return errorPage(http.StatusBadRequest, "There is no such request, or it was answered already.")
	}
	delete(s.state.pending, id)
	if r.PostForm.Get("decision") == "allow" {
		return s.allow(p)
	}
	return s.sendBack(p, url.Values{"error": {"access_denied"}, "error_description": {"The user denied access"}})
}

// allow issues a code and redirects with it. Called with s.mu held, as is sendBack.
func (s *Service) allow(p *pending) response {
	text := randomText(32)
	s.state.codes[text] = &code{
		authorization: &authorization{app: p.app, scopes: p.scopes},
		redirectURI:   p.redirectURI, challenge: p.challenge, expires: s.now().Add(codeLife),
	}
	s.journal.secret(text)
	return s.sendBack(p, url.Values{"code": {text}})
}

// sendBack redirects to the application, adding state and iss (RFC 9207) and leaving the redirect URI itself as it was registered.
func (s *Service) sendBack(p *pending, fields url.Values) response {
	if p.state != "" {
		fields.Set("state", p.state)
	}
	fields.Set("iss", p.app.BaseURL())
	separator := "?"
	if strings.Contains(p.redirectURI, "?") {
		separator = "&"
	}
	return response{
		status: http.StatusFound, contentType: "text/html;charset=UTF-8",
		location: p.redirectURI + separator + fields.Encode(),
	}
}
