package flows

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"ninjaone-auth/pkg/browser"
	"ninjaone-auth/pkg/callback"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// AuthorizationCode is a sign-in of a person in a browser (RFC 6749 section 4.1 with PKCE, RFC 8252).
type AuthorizationCode struct {
	Scopes      []string
	RedirectURI string // as registered, to the letter
	Port        int    // of this machine's loopback interface, where the redirect arrives
	// SignsIn tells that someone is there to sign in, and SeesMessages that they see what is reported; if they don't, only
	// a browser that opens shows them the address.
	SignsIn, SeesMessages bool
}

// AuthorizationCode opens the browser for the request of RFC 6749 section 4.1.1, waits for the redirect on the loopback
// port and exchanges the code before it shows the browser a page, so that the page there tells what came of it.
//
// Errors: SignInNeedsUser, InvalidSetting, PortInUse, PortNotAllowed, PortUnavailable, SignInTimedOut, SignInDenied,
// InvalidScope, UnauthorizedClient, InvalidRequest, UnsupportedResponseType, ServiceUnavailable, ServerError,
// AuthorizationFailed, IssuerMismatch, Interrupted, and those of the token request.
func (c *Client) AuthorizationCode(ctx context.Context, request AuthorizationCode) (session.Authentication, error) {
	if !request.SignsIn {
		return session.Authentication{}, c.needsUser("this PowerShell is not interactive")
	}
	if reachable, because := browser.Environment(os.Environ()).Reachable(); !request.SeesMessages && !reachable {
		return session.Authentication{}, c.needsUser("no browser can be opened, because " + because + ", and the caller does not show the address")
	}
	timeout, err := signInTimeout()
	if err = cmp.Or(err, checkProxy()); err != nil {
		return session.Authentication{}, err
	}
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	address := c.authorizationAddress(request, state, verifier)
	listener, err := callback.Listen(ctx, request.RedirectURI, request.Port, state, address)
	if err != nil {
		return session.Authentication{}, err
	}
	defer listener.Close()
	report.Verbosef(c.sink, "Listening on port %d of the loopback interface for the redirect to %s.", request.Port, request.RedirectURI)
	c.warnAboutRedirect(request)

	browserFailed := c.showAddress(address, listener.StartAddress(), request)
	response, err := c.awaitResponse(ctx, listener, browserFailed, request, timeout)
	if err != nil {
		return session.Authentication{}, err
	}
	authentication, err := c.redeem(ctx, response, request, verifier)
	response.Show(c.page(err))
	return authentication, err
}

// authorizationAddress is the request of RFC 6749 section 4.1.1 with the challenge of RFC 7636 section 4.3.
func (c *Client) authorizationAddress(request AuthorizationCode, state, verifier string) string {
	config := oauth2.Config{
		ClientID: c.App.ClientID, RedirectURL: request.RedirectURI, Scopes: request.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.App.BaseURL + "/ws/oauth/authorize"},
	}
	return config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
}

// showAddress opens the browser at the start address if there is one, and always shows NinjaOne's.
func (c *Client) showAddress(address, start string, request AuthorizationCode) <-chan error {
	environment := browser.Environment(os.Environ())
	reachable, because := environment.Reachable()
	if reachable {
		report.Informationf(c.sink, "Sign in to NinjaOne (%s) in the browser that opens now. If none does, open this address:\n%s", c.host(), address)
		return environment.Open(start)
	}
	report.Informationf(c.sink, "No browser is opened, because %s. To sign in to NinjaOne (%s), open this address in a browser:\n%s", because, c.host(), address)
	if environment.SSH() {
		c.showTunnel(environment.SSHDestination(), request)
	}
	return nil
}

// showTunnel shows how the redirect of a browser at the other end of an SSH connection gets here.
func (c *Client) showTunnel(destination string, request AuthorizationCode) {
	if port, loopback := session.LoopbackPort(request.RedirectURI); loopback {
		report.Informationf(c.sink, "Before that, run this on the machine with the browser, so that the browser gets back here:\nssh -L %d:localhost:%d %s",
			port, request.Port, destination)
	}
}

// warnAboutRedirect warns of a redirect URI on this machine which leads a browser past the listener.
func (c *Client) warnAboutRedirect(request AuthorizationCode) {
	port, loopback := session.LoopbackPort(request.RedirectURI)
	switch {
	case !loopback:
	case port != request.Port:
		report.Warningf(c.sink, "The redirect URI '%s' leads to port %d, but the sign-in listens on port %d: leave out -Port, or let something forward one to the other.",
			request.RedirectURI, port, request.Port)
	case strings.HasPrefix(strings.ToLower(request.RedirectURI), "https:"):
		report.Warningf(c.sink, "The redirect URI '%s' asks for TLS, which the sign-in's listener does not speak: register and pass an http:// one, which never leaves this machine.",
			request.RedirectURI)
	}
}

const progressActivity = "Signing in to NinjaOne"

// awaitResponse waits for the browser until the time-out. Its failures carry no page, as no browser waits for one.
func (c *Client) awaitResponse(ctx context.Context, listener *callback.Listener, browserFailed <-chan error, request AuthorizationCode, timeout time.Duration) (*callback.Response, error) {
	defer c.sink.Progress(report.Progress{Activity: progressActivity, Status: "Done", Percent: 100, Completed: true})
	end := time.Now().Add(timeout)
	timer, second := time.NewTimer(timeout), time.NewTicker(time.Second)
	defer timer.Stop()
	defer second.Stop()
	c.showTimeLeft(end, timeout)
	for {
		select {
		case response := <-listener.Responses():
			report.Verbosef(c.sink, "The browser brought the response of %s.", c.App.BaseURL)
			return response, nil
		case err := <-browserFailed:
			if !request.SeesMessages {
				return nil, c.needsUser("the browser could not be opened (" + failure.Reason(err) + "), and the caller does not show the address")
			}
			report.Verbosef(c.sink, "The browser could not be opened: %s. Open the address yourself.", failure.Reason(err))
		case <-second.C:
			c.showTimeLeft(end, timeout)
		case <-timer.C:
			return nil, c.signInTimedOut(request, timeout)
		case <-ctx.Done():
			return nil, failure.Interruption(ctx.Err())
		}
	}
}

func (c *Client) showTimeLeft(end time.Time, timeout time.Duration) {
	left := max(time.Until(end), 0)
	c.sink.Progress(report.Progress{
		Activity: progressActivity,
		Status:   fmt.Sprintf("Waiting for the browser: %d seconds left", int(math.Ceil(left.Seconds()))),
		Percent:  int(100 * (timeout - left) / timeout),
	})
}

// redeem turns the authorization response into a session or a failure.
func (c *Client) redeem(ctx context.Context, response *callback.Response, request AuthorizationCode, verifier string) (session.Authentication, error) {
	switch {
	case response.Intercepted:
		return session.Authentication{}, c.intercepted()
	case response.Issuer != "" && !c.issued(response.Issuer):
		return session.Authentication{}, c.issuerMismatch(response.Issuer)
	case response.Code == "":
		return session.Authentication{}, c.authorizationError(response, request)
	}
	return c.exchange(ctx, response.Code, request.RedirectURI, verifier, request.Scopes)
}

// issued tells whether an issuer (RFC 9207; RFC 8414 section 2) is the instance; NinjaOne does not document the path of its
// identifier.
func (c *Client) issued(issuer string) bool {
	address, err := url.Parse(issuer)
	return err == nil && address.User == nil && !strings.ContainsAny(issuer, "?#") &&
		strings.EqualFold(address.Scheme+"://"+strings.TrimSuffix(address.Host, ":443"), c.App.BaseURL)
}

func (c *Client) page(err error) callback.Page {
	if err == nil {
		return callback.Page{
			Succeeded: true, Heading: "You are signed in", Instance: c.host(),
			Message: "NinjaOne has accepted the sign-in.",
			Advice:  "You can close this tab.",
		}
	}
	failed := failure.From(err)
	heading := "The sign-in failed"
	if failed.ID == failure.SignInDenied {
		heading = "The sign-in was refused"
	}
	return callback.Page{
		Heading: heading, Message: failed.Message, Instance: c.host(),
		Advice: failed.Recommendation + " You can close this tab.",
	}
}

func (c *Client) host() string { return strings.TrimPrefix(c.App.BaseURL, "https://") }

const (
	timeoutVariable = "NINJAONE_AUTH_SIGNIN_TIMEOUT"
	defaultTimeout  = 5 * time.Minute
)

func signInTimeout() (time.Duration, error) {
	value := os.Getenv(timeoutVariable)
	if value == "" {
		return defaultTimeout, nil
	}
	timeout, err := time.ParseDuration(value)
	if err != nil || timeout <= 0 {
		return 0, &failure.Error{
			ID: failure.InvalidSetting, Target: timeoutVariable, Cause: err,
			Message:        fmt.Sprintf("%s is '%s', which is not a duration above zero.", timeoutVariable, failure.Clean(value)),
			Recommendation: fmt.Sprintf("Set %s to a duration such as 90s, 5m or 1h, or remove it for the default of 5 minutes.", timeoutVariable),
		}
	}
	return timeout, nil
}
