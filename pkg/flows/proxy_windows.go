package flows

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mattn/go-ieproxy"
)

// systemProxy is what Internet Options say, automatic scripts and detection included, which may take their time.
func systemProxy(request *http.Request) (*url.URL, error) {
	type answer struct {
		proxy *url.URL
		err   error
	}
	found := make(chan answer, 1)
	go func() {
		proxy, err := ieproxy.GetProxyFunc()(request)
		if proxy != nil && proxy.Scheme == "" { // from a script
			first, _, _ := strings.Cut(proxy.Host, " ")
			proxy = &url.URL{Scheme: "http", Host: first}
		}
		found <- answer{proxy, err}
	}()
	select {
	case a := <-found:
		return a.proxy, a.err
	case <-request.Context().Done():
		return nil, context.Cause(request.Context())
	}
}
