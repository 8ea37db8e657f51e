package tests

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// useWeb makes curl the browser, and the user one who allows at once or after a while, and returns the parameters.
func (b *box) useWeb(after time.Duration, more parameters) parameters {
	b.t.Helper()
	curl := need.Command(b.t, "curl", "apt-get install curl")
	port := need.FreePort(b.t)
	b.app.RedirectURIs, b.app.AutoConsent = []string{fmt.Sprintf("http://localhost:%d/", port)}, true
	b.app = b.machine.app(b.app)
	b.browser(fmt.Sprintf(`sleep %.1f; exec '%s' --silent --location --max-time 20 --output /dev/null "$1"`, after.Seconds(), curl))
	b.who.Interactive = true
	p := b.example4(more)
	delete(p, "UseClientAuth")
	p["UseWebAuth"], p["Port"] = true, port
	return p
}

func TestSignInWithABrowserIsStored(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for set, more := range map[string]parameters{"Secret Vault Write": {"SecretPrefix": "NinjaOne"}, "Authorisation Code": {"ShowTokens": true}} {
			o := b.connects(b.useWeb(0, more), nil)
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
		p := b.useWeb(time.Second, nil)
		b.expired()
		signIn := b.start(request{Parameters: p, Caller: b.who})
		time.Sleep(200 * time.Millisecond)
		if o := b.connects(b.example5(nil), nil); strings.Contains(o.said("verbose"), "Waiting") {
			t.Errorf("a read waited for %s: %s", o.elapsed, o.said("verbose"))
		}
		o := signIn.wait()
		if o.Type != "session" {
			t.Fatalf("%s: %s", o.ID, o.Message)
		}
		b.holdsLast(o)
	})
}

// A caller that has closed both ends, as a pwsh that was killed has, costs the keyring no token.
func TestVanishedCaller(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: 300 * time.Millisecond, Times: 1}); err != nil {
		t.Fatal(err)
	}
	command := b.command("connect")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(stdin).Encode(request{Parameters: b.example5(nil), Caller: b.who}); err != nil {
		t.Fatal(err)
	}
	b.awaitRequest(1)
	for _, end := range []io.Closer{stdin, stdout} {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := command.Wait(); err == nil || command.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	if string(b.get().Refresh) != b.service.CurrentRefreshToken(b.app.ClientID) {
		t.Error("the vault does not hold the last refresh token")
	}
}

// A sign-in for which NinjaOne gives no refresh token can be read back for as long as its access token lives.
func TestSignInWithoutARefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.app.Grants = []string{standin.AuthorizationCode}
		o := b.connects(b.useWeb(0, nil), nil)
		if o.Connection.AuthMode != session.ModeAuthorisationCode || !strings.Contains(o.said("warning"), "no refresh token") {
			t.Errorf("%s, warnings %q", o.Connection.AuthMode, o.said("warning"))
		}
		if read := b.connects(b.example5(nil), nil); read.Authentication != o.Authentication {
			t.Errorf("read %+v", read.Authentication)
		}
	})
}
