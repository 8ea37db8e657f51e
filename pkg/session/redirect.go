package session

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// DefaultRedirectURI is where a browser brings the authorization response to when no -RedirectURL is given.
func DefaultRedirectURI(port int) string { return fmt.Sprintf("http://localhost:%d/", port) }

// LoopbackPort is the port of a redirect URI that leads to this machine itself; loopback is false for every other.
func LoopbackPort(redirectURI string) (port int, loopback bool) {
	redirect, err := url.Parse(redirectURI)
	if err != nil || !IsLoopback(redirect.Hostname()) {
		return 0, false
	}
	if port, err = strconv.Atoi(redirect.Port()); err == nil {
		return port, true
	}
	if redirect.Scheme == "https" {
		return 443, true
	}
	return 80, true
}

// IsLoopback tells whether a host's name or address is that of this machine's loopback interface (RFC 6761 section 6.3).
func IsLoopback(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}
