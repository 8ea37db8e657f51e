package flows

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	connectTimeout  = 10 * time.Second
	requestTimeout  = 30 * time.Second
	longestResponse = 1 << 20
)

var (
	errResponseTooLong = errors.New("response over 1 MiB")
	errNoConnection    = errors.New("no connection in time")
)

// proxyRefused is a proxy's response to CONNECT that is not 200.
type proxyRefused struct{ status int }

func (p *proxyRefused) Error() string { return fmt.Sprintf("the proxy answered %d", p.status) }

// newTransport takes the machine's proxy and trusts the system's certificates.
func newTransport() http.RoundTripper {
	go x509.SystemCertPool() // reads them while the connection is being made; they are read once
	return &http.Transport{
		Proxy:             proxyFor,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
			if response.StatusCode != http.StatusOK {
				return &proxyRefused{response.StatusCode}
			}
			return nil
		},
	}
}

// attempt is one request: it notes whether a connection was made (before that nothing was sent) and what came back.
type attempt struct {
	base http.RoundTripper
	// connecting ends the attempt to connect, through the proxy and with TLS; a request that is under way goes on.
	connecting context.Context
	connected  atomic.Bool
	response   *http.Response
	// contentType is what the response was said to be.
	contentType string
	body        []byte
	// What a token response says besides: how long the access token lives (0: it does not say) and the refresh token. Odd
	// is what makes no sense.
	life                time.Duration
	refresh             string
	oddLife, oddRefresh bool
}

func (a *attempt) client() *http.Client {
	return &http.Client{
		Transport:     a,
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip reads the whole response, so that a lost connection or an endless body is an error here.
func (a *attempt) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Accept", "application/json")
	ctx, cancel := context.WithCancelCause(request.Context())
	defer cancel(nil)
	abandon := func(cause error) {
		if !a.connected.Load() {
			cancel(cause)
		}
	}
	defer time.AfterFunc(connectTimeout, func() { abandon(errNoConnection) }).Stop()
	defer context.AfterFunc(a.connecting, func() { abandon(context.Cause(a.connecting)) })()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.connected.Store(true) }})
	response, err := a.base.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestResponse+1))
	if err != nil {
		return nil, err
	}
	if len(body) > longestResponse {
		return nil, errResponseTooLong
	}
	a.response, a.body, a.contentType = response, body, response.Header.Get("Content-Type")
	response.Body = io.NopCloser(bytes.NewReader(a.mend(body)))
	response.Header.Set("Content-Type", "application/json") // x/oauth2 would take a form too
	return response, nil
}

func (a *attempt) status() int {
	if a.response == nil {
		return 0
	}
	return a.response.StatusCode
}

// outcome is the status for the debug stream, without the phrase that comes from outside.
func (a *attempt) outcome() string {
	if a.response == nil {
		return "no response"
	}
	return fmt.Sprintf("status %d", a.response.StatusCode)
}

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), seconds or a date.
func (a *attempt) retryAfter() (time.Duration, bool) {
	if a.response == nil {
		return 0, false
	}
	value := a.response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<30)) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date), 0), true
	}
	return 0, false
}
