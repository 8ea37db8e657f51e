package standin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// tokenRequest serves /ws/oauth/token (RFC 6749, section 3.2), or the fault that is due.
func (s *Service) tokenRequest(r *http.Request, instance string) response {
	if fault, due := s.faults.take(false); due {
		return s.strike(fault, r, instance)
	}
	return s.token(r, instance)
}

func (s *Service) token(r *http.Request, instance string) response {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := r.PostForm
	switch {
	case r.Method != http.MethodPost:
		return failed(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Request method '"+r.Method+"' is not supported")
	case mediaType != "application/x-www-form-urlencoded":
		return failed(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content-Type is not supported")
	case r.Header.Get("Authorization") != "":
		return refusal(http.StatusUnauthorized, "invalid_client", "Client credentials belong in the form body")
	case r.URL.RawQuery != "":
		return refusal(http.StatusBadRequest, "invalid_request", "Parameters belong in the form body")
	case repeated(form):
		return refusal(http.StatusBadRequest, "invalid_request", "A parameter is repeated")
	case form.Get("grant_type") == "":
		return refusal(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.state.apps[form.Get("client_id")]
	if !known || app.Instance != instance {
		return failed(http.StatusNotFound, "Client app not exist", "")
	}
	if subtle.ConstantTimeCompare([]byte(app.ClientSecret), []byte(form.Get("client_secret"))) != 1 {
		return refusal(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
	}
	grants := map[string]func(*App, map[string][]string) response{
		ClientCredentials: s.clientCredentials, RefreshToken: s.refreshToken, AuthorizationCode: s.authorizationCode,
	}
	grant, supported := grants[form.Get("grant_type")]
	switch {
	case !supported:
		return refusal(http.StatusBadRequest, "unsupported_grant_type", "The grant type is not supported")
	case !app.may(form.Get("grant_type")):
		return refusal(http.StatusBadRequest, "unauthorized_client", "The application may not use this grant type")
	}
	return grant(app, form)
}

// clientCredentials and the other grants are called with s.mu held.
func (s *Service) clientCredentials(app *App, form map[string][]string) response {
	asked := strings.Fields(value(form, "scope"))
	if len(asked) == 0 {
		asked = slices.DeleteFunc(slices.Clone(app.Scopes), func(scope string) bool { return scope == offlineAccess })
	}
	granted, allowed := app.narrow(asked)
	if !allowed || app.RefuseOfflineAccess && slices.Contains(asked, offlineAccess) {
		return refusal(http.StatusBadRequest, "invalid_scope", "")
	}
	return s.issue(&authorization{app: app, scopes: granted}, granted, "")
}

func (s *Service) refreshToken(app *App, form map[string][]string) response {
	token := value(form, "refresh_token")
	a := s.state.refresh[token]
	if a == nil || a.revoked || a.app.ClientID != app.ClientID {
		return refusal(http.StatusBadRequest, "invalid_token", "")
	}
	scopes := a.scopes
	if asked := strings.Fields(value(form, "scope")); len(asked) > 0 {
		for _, scope := range asked {
			if !a.has(scope) {
				return refusal(http.StatusBadRequest, "invalid_scope", "")
			}
		}
		scopes = asked
	}
	s.counted.Refreshes++
	if app.KeepRefreshToken {
		return s.issue(a, scopes, "")
	}
	delete(s.state.refresh, token)
	return s.issue(a, scopes, s.newRefreshToken(a))
}

func (s *Service) authorizationCode(app *App, form map[string][]string) response {
	invalid := func(description string) response { return refusal(http.StatusBadRequest, "invalid_grant", description) }
	s.journal.secret(value(form, "code_verifier"))
	c := s.state.codes[value(form, "code")]
	switch {
	case c == nil || c.app.ClientID != app.ClientID:
		return invalid("The authorization code is unknown")
	case c.used:
		c.revoked = true
		return invalid("The authorization code was already used")
	}
	c.used = true
	switch {
	case !s.now().Before(c.expires):
		return invalid("The authorization code has expired")
	case value(form, "redirect_uri") != c.redirectURI:
		return invalid("redirect_uri is not that of the authorization request")
	case c.challenge != "" && challengeOf(value(form, "code_verifier")) != c.challenge:
		return invalid("code_verifier does not match")
	case c.challenge == "" && value(form, "code_verifier") != "":
		return invalid("code_verifier without a code_challenge")
	}
	refresh := ""
	if c.has(offlineAccess) && app.may(RefreshToken) {
		refresh = s.newRefreshToken(c.authorization)
	}
	return s.issue(c.authorization, c.scopes, refresh)
}

// issue responds with a new access token (RFC 6749, section 5.1).
func (s *Service) issue(a *authorization, scopes []string, refresh string) response {
	return jsonResponse(http.StatusOK, struct {
		Access    string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
		Scope     string `json:"scope"`
		Refresh   string `json:"refresh_token,omitempty"`
	}{s.newAccessToken(a), "Bearer", int(accessLife.Seconds()), strings.Join(scopes, " "), refresh})
}

// challengeOf is the S256 code challenge of a verifier (RFC 7636, section 4.2).
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func value(form map[string][]string, name string) string {
	if values := form[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func repeated(form map[string][]string) bool {
	for _, values := range form {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// organizations serves the one API call, which any valid access token of the instance may make.
func (s *Service) organizations(r *http.Request, instance string) response {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.validAccess(token)
	switch {
	case r.Method != http.MethodGet:
		return failed(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Request method '"+r.Method+"' is not supported")
	case scheme != "Bearer" || a == nil || a.app.Instance != instance:
		return refusal(http.StatusUnauthorized, "invalid_token", "")
	case !a.has("monitoring"):
		return refusal(http.StatusForbidden, "insufficient_scope", "")
	}
	type organization struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	return jsonResponse(http.StatusOK, []organization{{1, "Example Dental"}, {2, "Example Logistics"}, {3, "Example School"}})
}
