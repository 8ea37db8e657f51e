package flows

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"

	"ninjaone-auth/pkg/failure"
)

// classify turns what went wrong with a request into a failure.
func (c *Client) classify(err error, a *attempt, g grant) *failure.Error {
	var refused *oauth2.RetrieveError
	var transport *url.Error
	switch {
	case errors.As(err, &refused):
		return c.refused(refused, a, g)
	case errors.Is(err, errResponseTooLong):
		return c.invalidResponse("a response over 1 MiB", err)
	case errors.As(err, &transport):
		return c.unanswered(err, transport.Timeout(), a)
	case a.response != nil && !json.Valid(a.body):
		return c.invalidResponse(a.describe(), err)
	}
	if !errors.Is(err, errTokenType) {
		err = errNoAccessToken
	}
	return c.invalidResponse(err.Error(), err)
}

// describe says what a response is that neither holds a token nor names an error.
func (a *attempt) describe() string {
	what := "something that is not JSON"
	switch {
	case len(a.body) == 0:
		what = "no content"
	case json.Valid(a.body):
		what = "JSON that names no error"
	case strings.Contains(a.contentType, "html"):
		what = "an HTML page"
	}
	return fmt.Sprintf("status %d and %s", a.status(), what)
}

func (c *Client) invalidResponse(what string, cause error) *failure.Error {
	return &failure.Error{
		ID: failure.InvalidResponse, Target: c.tokenURL(), Cause: cause,
		Message: fmt.Sprintf("%s answered the token request with %s.", c.App.BaseURL, what),
		Recommendation: "Check whether a proxy or a maintenance page answers in NinjaOne's place " +
			"(open the address in a browser), then run Connect-NinjaOne again.",
	}
}

func (c *Client) timedOut(limit time.Duration, cause error) *failure.Error {
	return &failure.Error{
		ID: failure.RequestTimedOut, Target: c.tokenURL(), Cause: cause,
		Message:        fmt.Sprintf("%s did not answer the token request within %d seconds.", c.App.BaseURL, int(limit.Seconds())),
		Recommendation: "Check NinjaOne's status page and the network, then run Connect-NinjaOne again.",
	}
}

// unanswered is for requests that got no response.
func (c *Client) unanswered(err error, timeout bool, a *attempt) *failure.Error {
	if timeout && a.connected.Load() {
		return c.timedOut(requestTimeout, err)
	}
	reason, advice := c.connectionProblem(err, a)
	return &failure.Error{
		ID: failure.ConnectionFailed, Target: c.App.BaseURL, Cause: err,
		Message: fmt.Sprintf("Could not connect to %s: %s.", c.App.BaseURL, reason), Recommendation: advice,
	}
}

// connectionRefused is of Windows: WSAECONNREFUSED, which syscall.ECONNREFUSED is not there.
const connectionRefused = syscall.Errno(10061)

func (c *Client) connectionProblem(err error, a *attempt) (reason, advice string) {
	const checkWay = "Check the firewall and the proxy settings (HTTPS_PROXY), then run Connect-NinjaOne again."
	var proxy *proxyRefused
	var operation *net.OpError
	var dns *net.DNSError
	host := c.proxyHost()
	switch {
	case errors.As(err, &proxy):
		reason = fmt.Sprintf("the proxy %s refused with status %d", host, proxy.status)
		if proxy.status == http.StatusProxyAuthRequired {
			return reason, "Put the proxy's user name and password into HTTPS_PROXY (http://user:password@host:port)."
		}
		return reason, fmt.Sprintf("Ask for the proxy to let %s through, or exempt it with NO_PROXY.", c.App.BaseURL)
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		return fmt.Sprintf("the proxy %s can't be reached", host), "Check HTTPS_PROXY, or remove it if there is no proxy any more."
	case errors.As(err, &dns):
		return "its name can't be resolved (DNS)", "Check the network connection and the DNS settings, then run Connect-NinjaOne again."
	case certificateProblem(err):
		advice = "If a proxy inspects TLS, add its root certificate to the system's"
		if runtime.GOOS == "linux" {
			advice += ", or name it in SSL_CERT_FILE"
		}
		return "its TLS certificate is not trusted", advice + "; also check the machine's clock."
	case tlsProblem(err):
		return "no TLS connection could be set up", "Something between this machine and NinjaOne does not speak TLS 1.2 or newer; check the proxy and the firewall."
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, connectionRefused):
		return "the connection was refused", checkWay
	case a.connected.Load():
		return "the connection was lost before the response had come", "Run Connect-NinjaOne again."
	}
	way := ""
	if host != "" {
		way = " through the proxy " + host
	}
	if errors.Is(err, errNoConnection) {
		return fmt.Sprintf("there was no connection%s within %d seconds", way, int(connectTimeout.Seconds())), checkWay
	}
	return fmt.Sprintf("the connection%s failed before the request was sent", way), checkWay
}

// proxyHost is the proxy for the instance, without its password, "" if there is none.
func (c *Client) proxyHost() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // it was asked before
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.tokenURL(), nil)
	if err != nil {
		return ""
	}
	proxy, err := proxyFor(request)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

func certificateProblem(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

func tlsProblem(err error) bool {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &header) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch)
}

// pointless tells that trying again soon can't help. A proxy that answers 5xx could not reach NinjaOne this time.
func pointless(cause error) bool {
	var dns *net.DNSError
	var proxy *proxyRefused
	return certificateProblem(cause) || errors.As(cause, &dns) && dns.IsNotFound ||
		errors.As(cause, &proxy) && proxy.status < http.StatusInternalServerError
}
