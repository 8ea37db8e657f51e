//go:build !windows

package flows

import (
	"net/http"
	"net/url"
)

// systemProxy is none, as elsewhere the environment is where the proxy stands.
func systemProxy(*http.Request) (*url.URL, error) { return nil, nil }
