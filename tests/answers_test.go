package tests

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"ninjaone-auth/tests/standin"
)

// alters makes NinjaOne process the next token request and alter one field of its response.
func (m *machine) alters(field, value string) {
	m.t.Helper()
	m.fault(standin.Fault{Kind: standin.Alter, Times: 1, Fields: map[string]json.RawMessage{field: json.RawMessage(value)}})
}

// Whatever expires_in is, a refresh token that was rotated comes back.
func TestOddLifetimes(t *testing.T) {
	t.Parallel()
	const hour, unknown = time.Hour, 10 * time.Minute
	for value, life := range map[string]time.Duration{
		"3600.5": hour, "3600.0": hour, "3.6e3": hour, `"3600"`: hour, `"3600.0"`: hour, "59.9": 59 * time.Second, "2147483647": 2147483647 * time.Second,
		"true": unknown, "1e30": unknown, "1e400": unknown, `"soon"`: unknown, "[]": unknown, "{}": unknown, "-1": unknown, "0": unknown, "null": unknown,
		`"NaN"`: unknown, `""`: unknown,
	} {
		t.Run(value, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			m.alters("expires_in", value)
			o := m.connect(asToken(app))
			if !m.service.IsValidRefresh(string(o.Authentication.Refresh)) || !m.service.IsValidAccess(o.Authentication.Access) {
				t.Error("the session is without its tokens")
			}
			if left := time.Until(o.Authentication.Expires); left > life || left < life-30*time.Second {
				t.Errorf("it lives for %s, want %s", left, life)
			}
			if warned := o.said("warning") != ""; warned != (life == unknown) {
				t.Errorf("warning %q", o.said("warning"))
			}
		})
	}
}

// What no header may hold (RFC 6749 section 7.1), or is no Bearer token.
var unusable = map[string]struct{ field, value, word string }{
	"CR and LF":                   {"access_token", `"good\r\nX-Injected: yes"`, "access_token"},
	"ESC":                         {"access_token", `"good\u001b[31m"`, "access_token"},
	"outside ASCII":               {"access_token", `"töken"`, "access_token"},
	"empty":                       {"access_token", `""`, "access_token"},
	"a number":                    {"access_token", `17`, "access_token"},
	"another type":                {"token_type", `"mac"`, "Bearer"},
	"a type with LF":              {"token_type", `"Bearer\n"`, "Bearer"},
	"a type that is not a string": {"token_type", `["Bearer"]`, "Bearer"},
}

// The refresh token beside an unusable access token is in the vault, and the next read renews with it.
func TestUnusableAccessTokenWithAVault(t *testing.T) {
	for name, test := range unusable {
		t.Run(name, func(t *testing.T) {
			onBothKinds(t, plainName, func(t *testing.T, b *box) {
				valid := b.session(time.Hour)
				b.put(valid)
				renewal := b.example4(parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": string(valid.Authentication.Refresh)})
				for _, call := range []parameters{renewal, b.example5(nil)} {
					b.alters(test.field, test.value)
					b.refuses(call, nil, "InvalidResponse", test.word, "is stored in", "-ReadFromSecretVault -VaultName '"+vaultName+"'")
				}
				b.holdsLast(b.connects(b.example5(nil), nil))
			})
		})
	}
}

func TestUnusableAccessTokenOfANewConnection(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		p, _ := b.useWeb(nil)
		b.alters("access_token", `"good\n"`)
		b.refuses(p, nil, "InvalidResponse", "is stored in", "-ReadFromSecretVault")
		b.holdsLast(b.connects(b.example5(nil), nil))
		b.asked("authorization_code", "refresh_token")
	})
}

// A vault that can't be written to then is the one case in which nothing is left; at least it is said.
func TestUnusableAccessTokenWithAFullVault(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.expired()
	b.who.secrets.fullAt = "NinjaOneRefresh"
	b.alters("access_token", `""`)
	b.refuses(b.example5(nil), nil, "InvalidResponse", "is lost", "read only", "sign in again")
}

// Without a vault the refresh token is used at once, once.
func TestUnusableAccessTokenWithoutAVault(t *testing.T) {
	t.Parallel()
	for name, test := range unusable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			app := m.app(standin.App{RefreshToken: "first-refresh-token"})
			m.alters(test.field, test.value)
			o := m.connect(asToken(app))
			m.hasFreshTokens(o)
			m.asked("refresh_token", "refresh_token")
			again := maps.Clone(asToken(app))
			again["RefreshToken"] = string(o.Authentication.Refresh)
			m.alters(test.field, test.value)
			m.alters(test.field, test.value)
			m.fails(again, "InvalidResponse", test.word)
			m.requested(4)
		})
	}
}

func TestUnusableAccessTokenOfASignIn(t *testing.T) {
	m := newMachine(t)
	s := m.signIn(standin.App{AutoConsent: true}, nil)
	m.alters("access_token", `"\u0000"`)
	page, _ := s.visit()
	s.succeeds()
	contains(t, "the page", page, "You are signed in")
	m.asked("authorization_code", "refresh_token")
}

// Client credentials have nothing to keep.
func TestUnusableAccessTokenOfClientCredentials(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for _, p := range []parameters{asClient(b.app), b.example4(nil)} {
			b.alters("access_token", `"a\tb"`)
			b.refuses(p, nil, "InvalidResponse", "access_token")
		}
		b.refuses(b.example5(nil), nil, map[bool]string{true: "VaultNotFound", false: "SessionNotStored"}[b.who.secrets == nil])
	})
}

// A refresh token that no vault may hold is worth a warning, not the access token beside it.
func TestOddRefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		b.alters("refresh_token", `"odd\u001b[2J"`)
		o := b.connects(b.example5(nil), nil)
		contains(t, "the warning", o.said("warning"), "refresh token", "sign in again")
		if read := b.connects(b.example5(nil), nil); read.Authentication != o.Authentication {
			t.Errorf("read %+v", read.Authentication)
		}
		b.requested(1)
	})
}
