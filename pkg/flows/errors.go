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
	case errors.Is(err, errAnswerTooLong):
		return c.invalidResponse("an answer over 1 MiB", err)
	case errors.As(err, &transport):
		return c.unconnected(err, transport.Timeout(), a)
	case a.answer != nil && !json.Valid(a.body):
		return c.invalidResponse(describe(a.answer, a.body), err)
	}
	return c.invalidResponse("JSON without a usable access_token", err)
}

func describe(answer *http.Response, body []byte) string {
	kind := failure.Clean(answer.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
		return fmt.Sprintf("status %d and no content", answer.StatusCode)
	case strings.Contains(kind, "html"):
		return fmt.Sprintf("status %d and an HTML page", answer.StatusCode)
	}
	return fmt.Sprintf("status %d and something that is not JSON", answer.StatusCode)
}

func (c *Client) invalidResponse(what string, cause error) *failure.Error {
	return &failure.Error{
		ID: "InvalidResponse", Category: failure.ProtocolError, Target: c.tokenURL(), Cause: cause,
		Message: fmt.Sprintf("%s answered the token request with %s.", c.App.BaseURL, what),
		Recommendation: "Check whether a proxy or a maintenance page answers in NinjaOne's place " +
			"(open the address in a browser), then run Connect-NinjaOne again.",
	}
}

func (c *Client) timedOut(limit time.Duration, cause error) *failure.Error {
	return &failure.Error{
		ID: "RequestTimedOut", Category: failure.OperationTimeout, Target: c.tokenURL(), Cause: cause,
		Message:        fmt.Sprintf("%s did not answer the token request within %d seconds.", c.App.BaseURL, int(limit.Seconds())),
		Recommendation: "Check NinjaOne's status page and the network, then run Connect-NinjaOne again.",
	}
}

// unconnected is for requests that got no answer.
func (c *Client) unconnected(err error, timeout bool, a *attempt) *failure.Error {
	if timeout && a.connected {
		return c.timedOut(requestTimeout, err)
	}
	reason, advice := c.connectionProblem(err, timeout, a)
	return &failure.Error{
		ID: "ConnectionFailed", Category: failure.ConnectionError, Target: c.App.BaseURL, Cause: err,
		Message: fmt.Sprintf("Could not connect to %s: %s.", c.App.BaseURL, reason), Recommendation: advice,
	}
}

func (c *Client) connectionProblem(err error, timeout bool, a *attempt) (reason, advice string) {
	var proxy *proxyRefused
	var operation *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &proxy):
		reason = fmt.Sprintf("the proxy %s refused with status %d", c.proxy(), proxy.status)
		if proxy.status == http.StatusProxyAuthRequired {
			return reason, "Put the proxy's user name and password into HTTPS_PROXY (http://user:password@host:port)."
		}
		return reason, fmt.Sprintf("Ask for the proxy to let %s through, or exempt it with NO_PROXY.", c.App.BaseURL)
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		return fmt.Sprintf("the proxy %s can't be reached", c.proxy()), "Check HTTPS_PROXY, or remove it if there is no proxy any more."
	case errors.As(err, &dns):
		return "its name can't be resolved (DNS)", "Check the network connection and the DNS settings, then run Connect-NinjaOne again."
	case certificateProblem(err):
		return "its TLS certificate is not trusted", "If a proxy inspects TLS, add its root certificate to the system's " +
			"(or name it in SSL_CERT_FILE); also check the machine's clock."
	case tlsProblem(err):
		return "no TLS connection could be set up", "Something between this machine and NinjaOne does not speak TLS 1.2 or newer; check the proxy and the firewall."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", "Check the firewall and the proxy settings (HTTPS_PROXY), then run Connect-NinjaOne again."
	case timeout:
		return fmt.Sprintf("no connection within %d seconds", int(connectTimeout.Seconds())), "Check the firewall and the proxy settings (HTTPS_PROXY), then run Connect-NinjaOne again."
	case a.connected:
		return "the connection was lost before the answer had come", "Run Connect-NinjaOne again."
	}
	return "the network reported an error", "Check the network connection, then run Connect-NinjaOne again."
}

// proxy names the environment's proxy without its password.
func (c *Client) proxy() string {
	request := &http.Request{URL: &url.URL{Scheme: "https", Host: strings.TrimPrefix(c.App.BaseURL, "https://")}}
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil || proxy == nil {
		return "from the environment"
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
	return errors.As(err, &header) || errors.As(err, &alert)
}

// pointless tells that trying again soon can't help.
func pointless(cause error) bool {
	var dns *net.DNSError
	var proxy *proxyRefused
	return errors.Is(cause, context.Canceled) || certificateProblem(cause) || errors.As(cause, &proxy) ||
		errors.As(cause, &dns) && dns.IsNotFound
}
