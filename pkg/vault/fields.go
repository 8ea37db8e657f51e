package vault

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ninjaone-auth/pkg/session"
)

// field is one secret of a stored session, without its prefix.
type field struct {
	name string
	get  func(session.Session) string
	// set tells whether it could use the text, which is never empty.
	set func(*session.Session, string) bool
}

// fields are the seventeen secrets of docs/module-contract.md in the order in which they are written: what a renewal
// changes comes first, the refresh token before all, as it exists nowhere else.
var fields = []field{
	text("Refresh", func(s *session.Session) *session.Optional { return &s.Authentication.Refresh }),
	text("Access", func(s *session.Session) *string { return &s.Authentication.Access }),
	{"Expires", expires, setExpires},
	text("AuthMode", func(s *session.Session) *session.Mode { return &s.Connection.AuthMode }),
	text("URL", func(s *session.Session) *string { return &s.Connection.URL }),
	text("Instance", func(s *session.Session) *string { return &s.Connection.Instance }),
	text("ClientId", func(s *session.Session) *string { return &s.Connection.ClientID }),
	text("ClientSecret", func(s *session.Session) *string { return &s.Connection.ClientSecret }),
	text("AuthScopes", func(s *session.Session) *string { return &s.Connection.AuthScopes }),
	text("RedirectURI", func(s *session.Session) *string { return &s.Connection.RedirectURI }),
	{"AuthListenerPort", port, setPort},
	boolean("UseSecretManagement", func(s *session.Session) *bool { return &s.Connection.UseSecretManagement }),
	boolean("WriteToSecretVault", func(s *session.Session) *bool { return &s.Connection.WriteToSecretVault }),
	boolean("ReadFromSecretVault", func(s *session.Session) *bool { return &s.Connection.ReadFromSecretVault }),
	text("VaultName", func(s *session.Session) *session.Optional { return &s.Connection.VaultName }),
	boolean("ParseDateTimes", func(s *session.Session) *bool { return &s.Connection.ParseDateTimes }),
	text("Type", func(s *session.Session) *string { return &s.Authentication.Type }),
}

func text[T ~string](name string, at func(*session.Session) *T) field {
	return field{name,
		func(s session.Session) string { return string(*at(&s)) },
		func(s *session.Session, text string) bool { *at(s) = T(text); return true }}
}

func boolean(name string, at func(*session.Session) *bool) field {
	return field{name,
		func(s session.Session) string {
			if *at(&s) {
				return "True"
			}
			return "False"
		},
		func(s *session.Session, text string) bool {
			*at(s) = strings.EqualFold(text, "True")
			return *at(s) || strings.EqualFold(text, "False")
		}}
}

func expires(s session.Session) string {
	if s.Authentication.Expires.IsZero() {
		return ""
	}
	return s.Authentication.Expires.UTC().Format(time.RFC3339)
}

// setExpires takes every text: what is not ISO 8601 with a zone counts as expired (docs/module-contract.md).
func setExpires(s *session.Session, text string) bool {
	s.Authentication.Expires, _ = time.Parse(time.RFC3339, text)
	return true
}

func port(s session.Session) string {
	if s.Connection.AuthListenerPort == 0 {
		return ""
	}
	return strconv.Itoa(s.Connection.AuthListenerPort)
}

func setPort(s *session.Session, text string) bool {
	number, err := strconv.Atoi(text)
	s.Connection.AuthListenerPort = number
	return err == nil && number >= 1 && number <= 65535
}

// complete gives a session read from a vault its defaults and canonical names, or says what is missing or invalid in
// it, by the names of the fields (docs/module-contract.md, "Secrets in a SecretManagement vault"). invalid are
// the fields already found to be.
func complete(s *session.Session, name Name, invalid []string) (problem string) {
	c := &s.Connection
	var missing []string
	for _, f := range fields {
		switch value := f.get(*s); {
		case slices.Contains(invalid, f.name):
		case required(f.name, c.AuthMode) && value == "":
			missing = append(missing, f.name)
		case f.name != "ClientSecret" && f.name != "VaultName" && strings.ContainsFunc(value, unicode.IsControl):
			invalid = append(invalid, f.name) // it would reach a terminal or a header
		}
	}
	if mode, ok := canonicalMode(c.AuthMode); ok {
		c.AuthMode = mode
	} else if c.AuthMode != "" {
		invalid = append(invalid, "AuthMode")
	}
	if instance, ok := session.CanonicalInstance(c.Instance); ok {
		c.Instance = instance
	} else if c.Instance != "" {
		invalid = append(invalid, "Instance")
	}
	if url, ok := session.BaseURL(c.Instance); ok && strings.EqualFold(strings.TrimSuffix(c.URL, "/"), url) {
		c.URL = url
	} else if ok && c.URL != "" {
		invalid = append(invalid, "URL")
	}
	if redirect, err := url.Parse(c.RedirectURI); c.RedirectURI != "" && (err != nil || redirect.Host == "" ||
		redirect.Scheme != "http" && redirect.Scheme != "https") {
		invalid = append(invalid, "RedirectURI")
	}
	if s.Authentication.Type != "" && !strings.EqualFold(s.Authentication.Type, "Bearer") {
		invalid = append(invalid, "Type")
	}
	if len(missing)+len(invalid) > 0 {
		return describe(missing, invalid)
	}
	setDefaults(s, name)
	switch {
	case c.AuthMode == session.ModeAuthorisationCode && s.Authentication.Refresh != "" && slices.Contains(c.Scopes(), session.OfflineAccess):
		c.AuthMode = session.ModeToken // as -UseWebAuth has it (docs/module-contract.md, AuthMode)
	case c.AuthMode != session.ModeToken:
		s.Authentication.Refresh = "" // an older session's, left over
	}
	return ""
}

func required(name string, mode session.Mode) bool {
	switch name {
	case "AuthMode", "URL", "Instance", "ClientId", "ClientSecret", "AuthScopes":
		return true
	case "Refresh":
		return strings.EqualFold(string(mode), string(session.ModeToken))
	}
	return false
}

func canonicalMode(mode session.Mode) (session.Mode, bool) {
	for _, known := range session.Modes {
		if strings.EqualFold(string(mode), string(known)) {
			return known, true
		}
	}
	return "", false
}

func describe(missing, invalid []string) string {
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "missing: "+strings.Join(missing, ", "))
	}
	if len(invalid) > 0 {
		parts = append(parts, "invalid: "+strings.Join(invalid, ", "))
	}
	return strings.Join(parts, "; ")
}

func setDefaults(s *session.Session, name Name) {
	c := &s.Connection
	if c.AuthListenerPort == 0 {
		c.AuthListenerPort = session.DefaultPort
	}
	if c.RedirectURI == "" {
		c.RedirectURI = session.DefaultRedirectURI(c.AuthListenerPort)
	}
	if s.Authentication.Type == "" {
		s.Authentication.Type = "Bearer"
	}
	c.VaultName, c.SecretPrefix = session.Optional(name.Vault), name.Prefix
}
