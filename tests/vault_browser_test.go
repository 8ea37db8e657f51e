package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

func TestSignInWithABrowserIsStored(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for set, more := range map[string]parameters{"Secret Vault Write": {"SecretPrefix": "NinjaOne"}, "Authorisation Code": {"ShowTokens": true}} {
			p, _ := b.useWeb(more)
			o := b.connects(p, nil)
			if o.ParameterSet != set || o.Connection.AuthMode != session.ModeToken {
				t.Errorf("%s, %s", o.ParameterSet, o.Connection.AuthMode)
			}
			b.holdsLast(o)
			read := b.connects(b.example5(nil), nil)
			if read.Authentication != o.Authentication || read.Connection.RedirectURI != o.Connection.RedirectURI {
				t.Errorf("read %+v\nwant %+v", read.Session, o.Session)
			}
		}
	})
}

// While a person signs in, nobody has to wait for the vault, and what was stored meanwhile gives way to the new session.
func TestSignInWithABrowserHoldsNoLock(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		p, browser := b.useWeb(nil, "await allowed")
		b.expired()
		signIn := b.start(request{Parameters: p, Caller: b.who})
		until(t, "a browser", func() bool { return exists(browser + ".pid") })
		if o := b.connects(b.example5(nil), nil); strings.Contains(o.said("verbose"), "Waiting") {
			t.Errorf("a read waited for %s: %s", o.elapsed, o.said("verbose"))
		}
		write(t, filepath.Join(filepath.Dir(browser), "allowed"), "")
		b.holdsLast(signIn.wait().succeeded(t))
	})
}

// A sign-in for which NinjaOne gives no refresh token can be read back for as long as its access token lives.
func TestSignInWithoutARefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.app.Grants = []string{standin.AuthorizationCode}
		p, _ := b.useWeb(nil)
		o := b.connects(p, nil)
		if o.Connection.AuthMode != session.ModeAuthorisationCode || !strings.Contains(o.said("warning"), "no refresh token") {
			t.Errorf("%s, warnings %q", o.Connection.AuthMode, o.said("warning"))
		}
		if read := b.connects(b.example5(nil), nil); read.Authentication != o.Authentication {
			t.Errorf("read %+v", read.Authentication)
		}
	})
}
