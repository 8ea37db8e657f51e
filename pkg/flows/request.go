package flows

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/oauth2"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

const (
	mostTries         = 3
	longestInAll      = 60 * time.Second
	longestRetryAfter = 30 * time.Second
	savingTime        = 5 * time.Second // which a new refresh token takes at most, as a rule
)

// token gets a grant's tokens. It is Client that says what becomes of a refresh token beside a failure.
func (c *Client) token(ctx context.Context, g grant) (session.Authentication, error) {
	authentication, err := c.request(ctx, g)
	if c.Keeps || err == nil || authentication.Refresh == "" {
		return authentication, err
	}
	report.Verbosef(c.sink, "%s Using the refresh token that came with it.", failure.From(err).Message)
	scopes := g.scopes
	if g.kind == authorizationCode {
		scopes = nil
	}
	return c.request(context.WithoutCancel(ctx), refreshing(string(authentication.Refresh), scopes, g.asked))
}

// request makes a grant's token request, again where that is safe, with jitter or as Retry-After says.
func (c *Client) request(ctx context.Context, g grant) (session.Authentication, error) {
	if err := checkProxy(); err != nil {
		return session.Authentication{}, err
	}
	deadline, cancel := context.WithTimeout(ctx, longestInAll)
	defer cancel()
	transport := newTransport()
	authentication, err := backoff.Retry(deadline, func() (session.Authentication, error) {
		return c.try(deadline, transport, g)
	}, backoff.WithMaxTries(mostTries), backoff.WithMaxElapsedTime(longestInAll),
		backoff.WithNotify(func(err error, wait time.Duration) {
			report.Verbosef(c.sink, "%s Trying again in %s.", failure.From(err).Message, wait.Round(time.Millisecond))
		}))
	var failed *failure.Error
	switch {
	case err == nil:
		return authentication, nil
	case errors.As(err, &failed):
		return authentication, failed
	case ctx.Err() != nil:
		return authentication, failure.Interruption(err)
	}
	return authentication, c.timedOut(longestInAll, err)
}

// try makes one request. Its error is a failure, marked as permanent unless the request may be repeated.
func (c *Client) try(ctx context.Context, transport http.RoundTripper, g grant) (session.Authentication, error) {
	report.Verbosef(c.sink, "Requesting a token from %s (%s).", c.tokenURL(), g.kind)
	a := &attempt{base: transport, connecting: ctx}
	underWay := ctx
	if g.rotates {
		underWay = context.WithoutCancel(ctx)
		c.sink.Pending(requestTimeout + savingTime)
	}
	started := time.Now()
	token, err := c.config(g).Token(context.WithValue(underWay, oauth2.HTTPClient, a.client()))
	report.Debugf(c.sink, "%s: %s after %s.", c.tokenURL(), a.outcome(), time.Since(started).Round(time.Millisecond))
	if err == nil {
		err = check(token)
	}
	if err == nil {
		return c.authentication(token, a, g), nil
	}
	if ctx.Err() != nil && !(g.rotates && a.connected.Load()) {
		return session.Authentication{}, err
	}
	left := session.Authentication{}
	if g.kind != clientCredentials {
		left.Refresh = session.Optional(a.refresh)
	}
	return left, repeatable(c.classify(err, a, g), a, g)
}

// repeatable marks a failed request as one to try again, or as permanent. A request that was or may have been
// processed is repeated only if g says so.
func repeatable(failed *failure.Error, a *attempt, g grant) error {
	wait, told := a.retryAfter()
	safe := false
	switch {
	case told && wait > longestRetryAfter, pointless(failed.Cause):
	case a.status() == http.StatusTooManyRequests, a.status() == http.StatusServiceUnavailable:
		safe = told || g.repeatable
	case a.status() == http.StatusBadGateway, a.status() == http.StatusGatewayTimeout:
		safe = g.repeatable
	case failed.ID == failure.ConnectionFailed:
		safe = g.repeatable || !a.connected.Load()
	}
	switch {
	case !safe:
		return backoff.Permanent(failed)
	case told:
		return errors.Join(failed, &backoff.RetryAfterError{Duration: wait})
	}
	return failed
}
