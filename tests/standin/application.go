package standin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The grants of the token endpoint (RFC 6749).
const (
	ClientCredentials = "client_credentials"
	RefreshToken      = "refresh_token"
	AuthorizationCode = "authorization_code"
)

const offlineAccess = "offline_access"

const accessLife = time.Hour

// App is an application as an administrator configures it in NinjaOne. The zero value is a usual one.
type App struct {
	// Instance is where it lives: eu (the default), oc, us, ca, us2 or fed. Everywhere else it does not exist.
	Instance string `json:"instance"`
	// ClientID and ClientSecret are made up when empty.
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	// Grants are what the application may use; nil is all three.
	Grants []string `json:"grants"`
	// Scopes are what it may ask for; nil is monitoring, management, control and offline_access.
	Scopes []string `json:"scopes"`
	// GrantedScopes, when not nil, narrows silently what is granted of the scopes asked for.
	GrantedScopes []string `json:"grantedScopes"`
	// RedirectURIs are compared to the letter; nil is http://localhost:9090/.
	RedirectURIs []string `json:"redirectUris"`
	// RefuseOfflineAccess makes offline_access with client_credentials a 400 invalid_scope, as some regions do.
	RefuseOfflineAccess bool `json:"refuseOfflineAccess"`
	// KeepRefreshToken turns rotation off: a refresh gives no refresh token, and the old one stays valid.
	KeepRefreshToken bool `json:"keepRefreshToken"`
	// TokenLength is the length of its tokens in characters; 0 is the service's usual.
	TokenLength int `json:"tokenLength"`
	// AutoConsent makes /authorize redirect at once, as if the user had allowed it.
	AutoConsent bool `json:"autoConsent"`
	// RefreshToken is one that was issued before the stand-in started, with all the Scopes; none when empty.
	RefreshToken string `json:"refreshToken"`
}

// Demo is the application of the help page's examples.
func Demo() App {
	return App{
		Instance:     "eu",
		ClientID:     "AAaaA1aaAaAA-aaAaaA11a1A-aA",
		ClientSecret: "00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z",
		RefreshToken: "a1a11a11-aa11-11a1-a111-a1a111aaa111.11AaaAaaa11aA-AA1aaaAAA111aAaaaaA1AAAA1_AAa",
		RedirectURIs: []string{"http://localhost:9090/"},
	}
}

// may tells whether the application has a grant.
func (a App) may(grant string) bool { return slices.Contains(a.Grants, grant) }

// narrow returns the scopes granted of those asked for, and false when one is not the application's.
func (a App) narrow(asked []string) ([]string, bool) {
	granted := []string{}
	for _, scope := range asked {
		if !slices.Contains(a.Scopes, scope) {
			return nil, false
		}
		if a.GrantedScopes == nil || slices.Contains(a.GrantedScopes, scope) {
			granted = append(granted, scope)
		}
	}
	return granted, true
}

func (a App) complete() (App, error) {
	if a.Instance == "" {
		a.Instance = "eu"
	}
	if a.ClientID == "" {
		a.ClientID = randomText(20)
	}
	if a.ClientSecret == "" {
		a.ClientSecret = randomText(40)
	}
	if a.Grants == nil {
		a.Grants = []string{ClientCredentials, RefreshToken, AuthorizationCode}
	}
	if a.Scopes == nil {
		a.Scopes = []string{"monitoring", "management", "control", offlineAccess}
	}
	if a.RedirectURIs == nil {
		a.RedirectURIs = []string{"http://localhost:9090/"}
	}
	if _, known := hostLabel(a.Instance); !known {
		return App{}, fmt.Errorf("no instance %q", a.Instance)
	}
	return a, nil
}

// BaseURL is the address of the application's instance.
func (a App) BaseURL() string {
	label, _ := hostLabel(a.Instance)
	return "https://" + label + domain
}

func hostLabel(instance string) (string, bool) {
	for label, name := range instances {
		if name == instance {
			return label, true
		}
	}
	return "", false
}

// authorization is what a user or an application was once granted; every token that stems from it points to it.
type authorization struct {
	app     *App
	scopes  []string
	revoked bool
}

func (a *authorization) has(scope string) bool { return slices.Contains(a.scopes, scope) }

type accessToken struct {
	*authorization
	expires time.Time
}

type state struct {
	apps    map[string]*App
	access  map[string]accessToken
	refresh map[string]*authorization
	current map[string]string // the newest refresh token of a client id
	codes   map[string]*code
	pending map[string]*pending
}

func newState() state {
	return state{
		apps: map[string]*App{}, access: map[string]accessToken{}, refresh: map[string]*authorization{},
		current: map[string]string{}, codes: map[string]*code{}, pending: map[string]*pending{},
	}
}

// Register makes an application known, in place of one with the same client id, and returns it with its defaults filled in.
func (s *Service) Register(app App) (App, error) {
	app, err := app.complete()
	if err != nil {
		return App{}, err
	}
	s.journal.secret(app.ClientSecret, app.RefreshToken)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.apps[app.ClientID] = &app
	if app.RefreshToken != "" {
		s.state.refresh[app.RefreshToken] = &authorization{app: &app, scopes: app.Scopes}
		s.state.current[app.ClientID] = app.RefreshToken
	}
	return app, nil
}

// IssueRefreshToken returns a new refresh token for an application, with all its scopes, as if a user had signed in; it returns
// "" for an unknown client id.
func (s *Service) IssueRefreshToken(clientID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.state.apps[clientID]
	if !known {
		return ""
	}
	return s.newRefreshToken(&authorization{app: app, scopes: app.Scopes})
}

// CurrentRefreshToken returns the newest refresh token of a client id, "" when there is none or it was revoked.
func (s *Service) CurrentRefreshToken(clientID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.state.current[clientID]
	if a := s.state.refresh[token]; a == nil || a.revoked {
		return ""
	}
	return token
}

// IsValidAccess tells whether the API would accept an access token now.
func (s *Service) IsValidAccess(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.validAccess(token) != nil
}

// IsValidRefresh tells whether a refresh token could be used now.
func (s *Service) IsValidRefresh(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.state.refresh[token]
	return a != nil && !a.revoked
}

// RevokeRefresh ends the life of every refresh token of a client id.
func (s *Service) RevokeRefresh(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.state.refresh, func(_ string, a *authorization) bool { return a.app.ClientID == clientID })
}

// validAccess, newAccessToken and newRefreshToken are called with s.mu held.
func (s *Service) validAccess(token string) *authorization {
	a, known := s.state.access[token]
	if !known || a.revoked || !s.now().Before(a.expires) {
		return nil
	}
	return a.authorization
}

func (s *Service) newAccessToken(a *authorization) string {
	token := newToken(64, a.app.TokenLength)
	s.state.access[token] = accessToken{a, s.now().Add(accessLife)}
	s.journal.secret(token)
	return token
}

func (s *Service) newRefreshToken(a *authorization) string {
	token := newToken(32, a.app.TokenLength)
	s.state.refresh[token] = a
	s.state.current[a.app.ClientID] = token
	s.journal.secret(token)
	return token
}

// newToken looks like the service's: a UUID, a full stop, random text; filled up to length characters when that is longer.
func newToken(size, length int) string {
	token := newUUID() + "." + randomText(size)
	return token + strings.Repeat("A", max(0, length-len(token)))
}
