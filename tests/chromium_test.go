package tests

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// startChromium starts the real browser, which reaches NinjaOne through the machine's proxy and loopback directly.
func (m *machine) startChromium(t *testing.T) context.Context {
	t.Helper()
	path := need.Command(t, "chromium", "apt-get install chromium")
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.Headless,
		chromedp.DisableGPU, chromedp.ProxyServer(m.service.ProxyURL()), chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.Env("TMPDIR=" + t.TempDir()),
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, quit := chromedp.NewContext(allocator)
	t.Cleanup(quit)
	mustDo(t, browser)
	return browser
}

// newTab opens a tab for at most half a minute.
func newTab(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	mustDo(t, tab)
	limited, cancel := context.WithTimeout(tab, 30*time.Second)
	t.Cleanup(cancel)
	return limited
}

// press signs in on the stand-in's page with one of its buttons. The page goes away with the click, so the click comes
// after the driver has its result.
func (s *webSignIn) press(t *testing.T, tab context.Context, button string) {
	t.Helper()
	mustDo(t, tab, chromedp.Navigate(s.opened), chromedp.WaitVisible(chromedp.CSS(button)))
	mustGet(t, tab, chromedp.Evaluate[bool](`setTimeout(() => document.querySelector("`+button+`").click()), true`))
}

func mustDo(t testing.TB, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

func mustGet[T any](t testing.TB, tab context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(tab, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// isShown waits for the program's page and checks what it says, and that it leaves nothing behind.
func (s *webSignIn) isShown(t *testing.T, tab context.Context, heading string) {
	t.Helper()
	if shown := headingOf(tab, heading); shown != heading {
		t.Errorf("the page says %q", shown)
	}
	if title := mustGet(t, tab, chromedp.Evaluate[string](`document.title`)); title != heading+" – ninjaone-auth" {
		t.Errorf("the title is %q", title)
	}
	s.m.searchForSecrets("the page", mustGet(t, tab, chromedp.Evaluate[string](`document.documentElement.outerHTML`)))
	if radius := mustGet(t, tab, chromedp.Evaluate[string](`getComputedStyle(document.querySelector("main")).borderTopLeftRadius`)); radius == "0px" {
		t.Error("the page's style was not applied")
	}
	redirectURI := s.app.RedirectURIs[0]
	if location := mustGet(t, tab, chromedp.Location()); location != redirectURI {
		t.Errorf("the address bar shows %q", location)
	}
	history := mustGet(t, tab, chromedp.NavigationEntries())
	if current := history.Entries[history.CurrentIndex].URL; current != redirectURI {
		t.Errorf("the history shows %q", current)
	}
	for _, entry := range history.Entries {
		if strings.Contains(entry.URL, "?code=") || strings.Contains(entry.URL, "&code=") || strings.Contains(entry.URL, "error=") {
			t.Errorf("the history holds %q", entry.URL)
		}
	}
}

// headingOf waits for the page to have a heading and returns the one that it has. While the browser is between two pages
// there is nothing to ask.
func headingOf(tab context.Context, heading string) (shown string) {
	for range 100 {
		got, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.readyState === "complete" && document.querySelector("main h1")?.textContent || ""`))
		if shown = got; err == nil && shown == heading {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return shown
}

// callbackOf notes the tab's request for the callback.
func (s *webSignIn) callbackOf(t *testing.T, tab context.Context) <-chan *network.EventRequestWillBeSent {
	t.Helper()
	seen := make(chan *network.EventRequestWillBeSent, 1)
	err := chromedp.Listen(tab, func(event any) {
		request, ok := event.(*network.EventRequestWillBeSent)
		if ok && strings.HasPrefix(request.Request.URL, s.app.RedirectURIs[0]+"?") {
			select {
			case seen <- request:
			default:
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestSignInWithChromium(t *testing.T) {
	all := newMachine(t)
	browser := all.startChromium(t)
	begin := func(t *testing.T) (*webSignIn, context.Context) {
		m := &machine{t: t, service: all.service, home: t.TempDir()}
		return m.signIn(standin.App{}, nil), newTab(t, browser)
	}

	t.Run("success", func(t *testing.T) {
		s, tab := begin(t)
		callback := s.callbackOf(t, tab)
		s.press(t, tab, "#allow")
		o := s.succeeds()
		s.isShown(t, tab, "You are signed in")
		asked := time.UnixMicro(int64((<-callback).WallTime.Float64() * 1e6))
		t.Logf("beyond the token request: %s", o.beyondTokenRequest(t, asked, s.started.Add(o.elapsed)))
		if later := chromedp.Do(tab, chromedp.Navigate(s.app.RedirectURIs[0])); later == nil || !strings.Contains(later.Error(), "ERR_CONNECTION_REFUSED") {
			t.Errorf("a visit after the sign-in: %v", later)
		}
	})

	t.Run("denial", func(t *testing.T) {
		s, tab := begin(t)
		s.press(t, tab, "#deny")
		s.wait().hasFailed(t, "SignInDenied", "The user denied access")
		s.isShown(t, tab, "The sign-in was refused")
	})

	t.Run("refused exchange", func(t *testing.T) {
		s, tab := begin(t)
		s.m.fault(standin.Fault{Kind: standin.Respond, Times: 1, Status: 400, Body: `{"error":"invalid_grant"}`})
		s.press(t, tab, "#allow")
		o := s.wait().hasFailed(t, "InvalidGrant")
		s.isShown(t, tab, "The sign-in failed")
		contains(t, "the page", mustGet(t, tab, chromedp.Evaluate[string](`document.body.innerText`)), o.Message, o.Recommendation)
	})

	// The browser that came first may come again, as with a reload, and nobody else.
	t.Run("start address", func(t *testing.T) {
		s, tab := begin(t)
		for range 2 {
			mustDo(t, tab, chromedp.Navigate(s.opened), chromedp.WaitVisible(chromedp.CSS("#allow")))
		}
		s.press(t, tab, "#allow")
		s.succeeds()
		s.isShown(t, tab, "You are signed in")
		s, tab = begin(t)
		mustDo(t, tab, chromedp.Navigate(s.opened), chromedp.WaitVisible(chromedp.CSS("#allow")))
		contains(t, "the intruder's page", s.get(s.opened), "The sign-in failed", "something else on this machine")
		s.wait().hasFailed(t, "SignInIntercepted", "Run Connect-NinjaOne again")
	})

	// An intruder who is faster than the browser keeps it out, which ends the sign-in too.
	t.Run("intercepted start address", func(t *testing.T) {
		s, tab := begin(t)
		contains(t, "the intruder's page", s.get(s.opened), "allow")
		mustDo(t, tab, chromedp.Navigate(s.opened))
		if shown := headingOf(tab, "The sign-in failed"); shown != "The sign-in failed" {
			t.Errorf("the page says %q", shown)
		}
		s.wait().hasFailed(t, "SignInIntercepted")
	})

	t.Run("wrong state", func(t *testing.T) {
		s, tab := begin(t)
		mustDo(t, tab, chromedp.Navigate(s.app.RedirectURIs[0]+"?code=forged&state=forged"))
		s.isShown(t, tab, "Not a sign-in of this session")
		s.press(t, tab, "#allow")
		s.succeeds()
		s.isShown(t, tab, "You are signed in")
	})

	t.Run("second visit", func(t *testing.T) {
		s, tab := begin(t)
		other := newTab(t, browser)
		callback := s.callbackOf(t, tab)
		s.m.hold()
		before := len(s.m.tokenRequests())
		s.press(t, tab, "#allow")
		s.m.awaitRequests(before + 1)
		mustDo(t, other, chromedp.Navigate((<-callback).Request.URL))
		s.isShown(t, other, "This address was already used")
		s.m.release()
		s.succeeds()
		s.isShown(t, tab, "You are signed in")
	})
}
